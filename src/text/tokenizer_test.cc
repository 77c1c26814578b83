#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/unicode.h"
#include "text/added_tokens.h"
#include "text/merge_table.h"
#include "text/normalizer.h"
#include "text/pattern.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer_test_tools.h"

namespace ogas {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<Tokenizer> create(Vocab vocab) {
  auto tokenizer = Tokenizer::create(std::move(vocab));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer ? *std::move(tokenizer) : nullptr;
}

// All 256 bytes (in the order of byte_letters()), then <x> and <y>, then what the merges make.
Vocab byte_level(const std::vector<std::pair<std::string, std::string>>& merges) {
  Vocab vocab = vocab_of_bytes();
  vocab.tokens.push_back("<x>");
  vocab.tokens.push_back("<y>");
  vocab.kinds.insert(vocab.kinds.end(), {TokenKind::control, TokenKind::user_defined});
  vocab.added = {{.id = 256, .is_special = true}, {.id = 257}};
  for (const auto& [left, right] : merges) {
    vocab.merges.push_back(left);
    vocab.merges.push_back(right);
    vocab.tokens.push_back(left + right);
    vocab.kinds.push_back(TokenKind::normal);
  }
  return vocab;
}

TEST(BpeTokenizer, MergesTheBestRankFirst) {
  const auto tokenizer = create(byte_level({{"b", "c"}, {"a", "b"}, {"ab", "c"}}));
  EXPECT_THAT(tokenizer->encode("abc"), ElementsAre('a', 258));  // b c merges before a b, and "a bc" is not a merge
  EXPECT_THAT(tokenizer->encode("ab"), ElementsAre(259));
  EXPECT_THAT(tokenizer->encode("abab"), ElementsAre(259, 259));
}

TEST(BpeTokenizer, AddedTokensAreFoundWhereAllowed) {
  const auto tokenizer = create(byte_level({}));
  EXPECT_THAT(tokenizer->encode("a<x><y>"), ElementsAre('a', '<', 'x', '>', 257));
  EXPECT_THAT(tokenizer->encode("a<x><y>", {.parse_special = true}), ElementsAre('a', 256, 257));
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{'a', 256, 257}, /*keep_special=*/false), "a<y>");
}

TEST(BpeTokenizer, TypedLettersNeverMergeIntoAControlToken) {
  Vocab vocab = byte_level({{"<", "x"}, {"<x", ">"}});
  // The last merge makes "<x>", which is the control token.
  vocab.kinds[259] = TokenKind::unused;
  const auto tokenizer = create(std::move(vocab));
  for (const TokenId id : tokenizer->encode("<x>")) EXPECT_NE(id, 256);
}

TEST(BpeTokenizer, EveryByteIsKept) {
  const auto tokenizer = create(byte_level({{"a", "b"}}));
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(bytes)), bytes);
}

// As PyPI tokenizers and llama.cpp do it: the neighbours of a missing byte may merge across it.
TEST(BpeTokenizer, BytesWithoutATokenAreLeftOut) {
  Vocab vocab = byte_level({{"a", "b"}});
  StringList tokens;
  for (size_t id = 0; id < vocab.tokens.size(); ++id) tokens.push_back(id == 'x' ? "(gone)" : vocab.tokens[id]);
  vocab.tokens = tokens;
  vocab.unknown = 256;
  EXPECT_THAT(create(vocab)->encode("axbc"), ElementsAre(258, 'c'));
  vocab.rules = rules_named("gpt-2").value();  // a tokenizer.json that names its unknown token means it
  EXPECT_THAT(create(std::move(vocab))->encode("axb"), ElementsAre('a', 256, 'b'));
}

TEST(BpeTokenizer, DamagedVocabulariesAreRefused) {
  const auto error_of = [](Vocab vocab) {
    const auto tokenizer = Tokenizer::create(std::move(vocab));
    return tokenizer ? std::string("none") : tokenizer.error().message;
  };
  Vocab vocab = byte_level({});
  vocab.kinds.pop_back();
  EXPECT_THAT(error_of(std::move(vocab)), HasSubstr("258 tokens and 257 token types"));
  vocab = byte_level({});
  vocab.merges.push_back("a");
  vocab.merges.push_back("b");
  EXPECT_THAT(error_of(vocab), HasSubstr("merge 0, 'a' with 'b'"));
  vocab.merges.push_back("c");
  EXPECT_THAT(error_of(std::move(vocab)), HasSubstr("the last merge has one token"));
  vocab = byte_level({});
  vocab.added.push_back({.id = 258});
  EXPECT_THAT(error_of(std::move(vocab)), HasSubstr("token 258"));
  vocab = byte_level({});
  vocab.bos = -1;
  EXPECT_THAT(error_of(std::move(vocab)), HasSubstr("token -1"));
  vocab = byte_level({});
  vocab.pre = "never heard of";
  EXPECT_THAT(error_of(std::move(vocab)), HasSubstr("'never heard of'"));
  vocab = byte_level({});
  vocab.model = TokenizerModel::sentencepiece_bpe;
  vocab.unknown = 0;
  EXPECT_THAT(error_of(std::move(vocab)), HasSubstr("scores or merges"));
}

// A GGUF vocabulary has sentencepiece's tokens, scores and types; goldens of sentencepiece itself.
TEST(SentencePiece, ScoresDecideAsInSentencePiece) {
  std::ifstream file("tests/data/tokenizers/sentencepiece.json");
  const auto golden = nlohmann::json::parse(file);
  std::ifstream texts_file("tests/data/tokenizers/texts.json");
  const auto texts = nlohmann::json::parse(texts_file).get<std::vector<std::string>>();
  Vocab vocab;
  vocab.model = TokenizerModel::sentencepiece_bpe;
  vocab.add_space_prefix = true;
  for (const auto& token : golden["tokens"]) vocab.tokens.push_back(token.get_ref<const std::string&>());
  vocab.scores = golden["scores"].get<std::vector<float>>();
  for (const auto& kind : golden["kinds"]) {
    vocab.kinds.push_back(static_cast<TokenKind>(kind.get<int>()));
    if (vocab.kinds.back() == TokenKind::user_defined)
      vocab.added.push_back({.id = static_cast<TokenId>(vocab.kinds.size() - 1)});
  }
  vocab.unknown = 0;
  const auto tokenizer = create(std::move(vocab));
  ASSERT_GT(golden["cases"].size(), 300U);
  for (const auto& [text_idx, ids] : golden["cases"].get<std::vector<std::pair<size_t, std::vector<TokenId>>>>()) {
    const std::string& text = texts[text_idx];
    EXPECT_EQ(tokenizer->encode(text), ids) << text;
    EXPECT_EQ(tokenizer->decode_text(tokenizer->encode(text)), text);
  }
  const std::string damaged = "x\xFFy \xE4\xBD";
  EXPECT_EQ(tokenizer->decode_text(tokenizer->encode(damaged)), damaged);
}

// "zq" is a token although neither letter is one.
TEST(SentencePiece, PartsOfTokensNeedNotBeTokens) {
  Vocab vocab;
  vocab.model = TokenizerModel::sentencepiece_bpe;
  vocab.tokens = {"<unk>", "zq", "a", "zqa"};
  vocab.kinds = {TokenKind::unknown, TokenKind::normal, TokenKind::normal, TokenKind::normal};
  vocab.scores = {0, -1, -2, -3};
  vocab.unknown = 0;
  const auto tokenizer = create(std::move(vocab));
  EXPECT_THAT(tokenizer->encode("zqa"), ElementsAre(3));
  EXPECT_THAT(tokenizer->encode("azq"), ElementsAre(2, 1));
  EXPECT_THAT(tokenizer->encode("zaq"), ElementsAre(0, 2, 0));
}

// The quick way for short pieces and the heap for long ones are the same function: a long piece whose halves cannot
// merge across must give what the halves give.
TEST(MergeTable, ShortAndLongPiecesAgree) {
  std::mt19937 random(1);
  MergeTable merges;
  merges.reserve(2000);
  for (uint32_t rank = 0; rank < 1500; ++rank)
    merges.insert(static_cast<TokenId>(random() % 40), static_cast<TokenId>(random() % 40), rank,
                  static_cast<TokenId>(random() % 40));
  MergeTable::Scratch scratch;
  for (int round = 0; round < 200; ++round) {
    std::vector<TokenId> whole;
    std::vector<TokenId> expected;
    for (int part = 0; part < 4; ++part) {
      std::vector<TokenId> piece;
      for (size_t n = random() % 40 + 1; n > 0; --n) piece.push_back(static_cast<TokenId>(random() % 40));
      piece.push_back(99);  // merges with nothing
      whole.insert(whole.end(), piece.begin(), piece.end());
      merges.merge(piece, scratch);
      expected.insert(expected.end(), piece.begin(), piece.end());
    }
    merges.merge(whole, scratch);
    EXPECT_EQ(whole, expected);
  }
}

std::string nfc(std::string_view text) {
  std::string storage;
  return std::string(normalize_nfc(text, storage));
}

TEST(Normalizer, FormC) {
  EXPECT_EQ(nfc("plain, Größe, 你好"), "plain, Größe, 你好");
  EXPECT_EQ(nfc("Cafe\u0301 x"), "Caf\u00e9 x");
  EXPECT_EQ(nfc("a\u0301\u0323b"), "\u1ea1\u0301b");
  EXPECT_EQ(nfc("\u1112\u1161\u11ab"), "\ud55c");
  EXPECT_EQ(nfc("\u2126\u212b"), "\u03a9\u00c5");
  EXPECT_EQ(nfc("\uac00\u11a7"), "\uac00\u11a7");    // one before the first final consonant
  EXPECT_EQ(nfc("a\u07fd\u0301"), "a\u07fd\u0301");  // assigned after Unicode 9: stops composing
  EXPECT_EQ(nfc("\u0301e\u0301"), "\u0301\u00e9");
}

TEST(Normalizer, StepsSeeWhatStandsBefore) {
  const std::vector<TextStep> steps = {{.kind = TextStep::Kind::prepend_first, .what = "_", .with = {}},
                                       {.kind = TextStep::Kind::replace, .what = " ", .with = "_"}};
  const auto apply = [&](std::string_view text, TextStart start) {
    std::string storage;
    return std::string(apply_steps(steps, text, start, storage));
  };
  EXPECT_EQ(apply("a b", TextStart::nothing), "_a_b");
  EXPECT_EQ(apply("_a", TextStart::nothing), "_a");
  EXPECT_EQ(apply("a b", TextStart::token), "a_b");
  EXPECT_EQ(apply("", TextStart::nothing), "");
}

bool matches(std::string_view pattern, std::string_view text) {
  const auto compiled = Pattern::compile(pattern);
  EXPECT_TRUE(compiled) << compiled.error().message;
  size_t begin = 0;
  size_t end = 0;
  return Pattern::Matcher(*compiled).find(text, 0, begin, end) && begin == 0 && end == text.size();
}

TEST(Pattern, ClassesAreThoseOfUnicode16) {
  EXPECT_TRUE(matches(R"(\p{L})", "\u1c89"));  // assigned in Unicode 16
  EXPECT_TRUE(matches(R"([\p{Lu}])", "\u1c89"));
  EXPECT_FALSE(matches(R"([^\p{L}])", "\u1c89"));
  EXPECT_FALSE(matches(R"(\P{L})", "\u1c89"));
  EXPECT_TRUE(matches(R"(\p{N})", "\U000116d0"));
  EXPECT_TRUE(matches(R"(\s)", "\u0085"));
  EXPECT_FALSE(matches(R"(\s)", "\u180e"));
  EXPECT_TRUE(matches(R"([\S])", "\u180e"));
  EXPECT_FALSE(matches(R"([\S])", "\u3000"));
  EXPECT_TRUE(matches(R"(\w)", "\u0301"));
  EXPECT_TRUE(matches("(?i:'s)", "'\u017f"));
  EXPECT_TRUE(matches(pattern_of_text("a.[b]*\u2581\\"), "a.[b]*\u2581\\"));
}

TEST(Pattern, WhatOnigurumaReadsDifferentlyIsRefused) {
  for (const char* pattern : {"[a[bc]]", R"([\p{L}&&[^a]])", R"(\h)", R"(\R)", R"((a)\1)", "(?<n>a)",
                              "(*LIMIT_MATCH=1)a", R"(\u0041)", "[a", "a\\"}) {
    const auto compiled = Pattern::compile(pattern);
    ASSERT_FALSE(compiled) << pattern;
    EXPECT_EQ(compiled.error().code, ErrorCode::unsupported) << pattern;
  }
  EXPECT_EQ(Pattern::compile("(a").error().code, ErrorCode::bad_file);
  EXPECT_EQ(Pattern::compile(R"(\p{Nope})").error().code, ErrorCode::bad_file);
}

std::vector<std::string> split(const SplitStep& step, std::string_view text) {
  const auto pre_tokenizer = PreTokenizer::create(std::vector{step});
  EXPECT_TRUE(pre_tokenizer) << pre_tokenizer.error().message;
  std::vector<std::string> pieces;
  pre_tokenizer->split(text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

// As PyPI tokenizers documents them for "the-final--countdown".
TEST(PreTokenizer, Behaviours) {
  using Behavior = SplitStep::Behavior;
  const std::string text = "the-final--countdown";
  EXPECT_THAT(split({"-", Behavior::removed, false}, text), ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(split({"-", Behavior::isolated, false}, text), ElementsAre("the", "-", "final", "-", "-", "countdown"));
  EXPECT_THAT(split({"-", Behavior::merged_with_previous, false}, text),
              ElementsAre("the-", "final-", "-", "countdown"));
  EXPECT_THAT(split({"-", Behavior::merged_with_next, false}, text), ElementsAre("the", "-final", "-", "-countdown"));
  EXPECT_THAT(split({"-", Behavior::contiguous, false}, text), ElementsAre("the", "-", "final", "--", "countdown"));
  EXPECT_THAT(split({"-", Behavior::removed, true}, text), ElementsAre("-", "-", "-"));
}

TEST(PreTokenizer, MatchesOfNothingEnd) {
  EXPECT_THAT(split({"x*", SplitStep::Behavior::isolated, false}, "\u00e4xxb"), ElementsAre("\u00e4", "xx", "b"));
}

TEST(PreTokenizer, NamesStandForRules) {
  EXPECT_TRUE(rules_named("llama-bpe")->ignore_merges);
  EXPECT_EQ(*rules_named("llama3"), *rules_named("llama-bpe"));
  EXPECT_EQ(rules_named("qwen2")->normalizer.size(), 1U);
  EXPECT_THAT(rules_named("nothing").error().message, HasSubstr("deepseek-coder"));
  for (const char* name :
       {"default", "gpt-2", "smollm", "deepseek-v3", "deepseek-llm", "deepseek-coder", "deepseek-r1-qwen", "llama-v3"})
    EXPECT_TRUE(PreTokenizer::create(rules_named(name).value().splits)) << name;
}

TEST(PreTokenizer, WordsOfGpt4oBeginWithCapitals) {
  const auto pre_tokenizer = PreTokenizer::create(rules_named("gpt-4o").value().splits);
  ASSERT_TRUE(pre_tokenizer) << pre_tokenizer.error().message;
  std::vector<std::string> pieces;
  pre_tokenizer->split("HelloWorld XMLHttp it's IT'S 12345 a/b\n\n  x \u00e9",
                       [&](std::string_view piece) { pieces.emplace_back(piece); });
  EXPECT_THAT(pieces, ElementsAre("Hello", "World", " XMLHttp", " it's", " IT'S", " ", "123", "45", " a", "/b", "\n\n",
                                  " ", " x", " \u00e9"));
}

std::string cut(const AddedTokens& tokens, std::string_view text, bool with_special = true) {
  std::string result;
  tokens.cut(
      text, {.wanted = with_special}, [&](std::string_view stretch, size_t) { result += fmt::format("[{}]", stretch); },
      [&](TokenId id) { result += fmt::format("{}", id); });
  return result;
}

TEST(AddedTokens, LongestFirstWithTheirFlags) {
  AddedTokens tokens;
  tokens.insert("<a>", {.id = 1, .is_special = true});
  tokens.insert("<a><b>", {.id = 2});
  tokens.insert("<l>", {.id = 3, .takes_left = true});
  tokens.insert("<r>", {.id = 4, .takes_right = true});
  tokens.insert("king", {.id = 5, .whole_word = true});
  EXPECT_EQ(cut(tokens, "x<a><b><a>"), "[x]21");
  EXPECT_EQ(cut(tokens, "x<a>y", false), "[x<a>y]");
  EXPECT_EQ(cut(tokens, "x \u3000<l> y"), "[x]3[ y]");
  EXPECT_EQ(cut(tokens, "<r> <l>"), "43");
  EXPECT_EQ(cut(tokens, "king kings \u00fcking king."), "5[ kings \u00fcking ]5[.]");
}

TEST(StreamDecoder, HoldsHalfCharactersBack) {
  const auto tokenizer = create(byte_level({}));
  StreamDecoder decoder(*tokenizer);
  EXPECT_EQ(decoder.push(0xE4), "");
  EXPECT_EQ(decoder.push(0xBD), "");
  EXPECT_EQ(decoder.push(0xA0), "\u4f60");
  EXPECT_EQ(decoder.push(0xE4), "");
  EXPECT_EQ(decoder.push('a'), "\uFFFDa");
  EXPECT_EQ(decoder.push(0xF0), "");
  EXPECT_EQ(decoder.flush(), "\uFFFD");
  EXPECT_EQ(decoder.flush(), "");
}

TEST(Tokenizer, DecodesToValidUtf8) {
  const auto tokenizer = create(byte_level({}));
  EXPECT_EQ(tokenizer->decode_valid(std::vector<TokenId>{0xE4, 0xBD, 0xA0, 0xFF, 'a', 0xE4, 0xBD}),
            "\u4f60\uFFFDa\uFFFD");
}

TEST(Unicode, Prefixes) {
  EXPECT_EQ(valid_utf8_prefix("0123456789\u00e4\xFFx"), 12U);
  EXPECT_EQ(valid_utf8_prefix("01234567\xE4\xBD"), 8U);
  EXPECT_EQ(valid_utf8_prefix(""), 0U);
  EXPECT_EQ(last_character("a\u4f60"), 1U);
}

}  // namespace
}  // namespace ogas
