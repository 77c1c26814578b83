#include "files/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include "base/file.h"
#include "files/tokenizer_test_goldens.h"

namespace ogas {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SmallTokenizer : public ::testing::TestWithParam<std::string> {};

TEST_P(SmallTokenizer, AgreesOnEveryText) {
  auto texts = test::read_golden_json("small_texts.json").get<std::vector<std::string>>();
  const auto more = test::golden_texts();
  texts.insert(texts.end(), more.begin(), more.begin() + 600);
  auto vocab = read_tokenizer_json(test::read_golden(GetParam() + ".tokenizer.json"));
  ASSERT_TRUE(vocab) << vocab.error().message;
  const auto tokenizer = Tokenizer::create(*std::move(vocab));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  test::expect_goldens(**tokenizer, GetParam(), texts);
}

INSTANTIATE_TEST_SUITE_P(All, SmallTokenizer, ::testing::Values("small_byte_level", "small_metaspace", "small_prepend"),
                         [](const auto& test) { return test.param; });

// A byte-level tokenizer that is complete but for the 256 letters of bytes, which `change` may spoil.
nlohmann::json minimal() {
  return nlohmann::json::parse(R"({
    "added_tokens": [{"id": 3, "content": "<s>", "special": true}, {"id": 4, "content": "<t>", "special": false}],
    "normalizer": {"type": "NFC"},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"String": "a.c"}, "behavior": "Removed", "invert": true},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
      "special_tokens": {"<s>": {"ids": [3]}}},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "unk_token": "a", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}})");
}

TEST(TokenizerJson, ReadsEveryPart) {
  const auto vocab = read_tokenizer_json(minimal().dump(), R"({"eos_token": {"content": "<t>"}, "pad_token": "no"})");
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_EQ(vocab->model, TokenizerModel::byte_level_bpe);
  EXPECT_THAT(vocab->tokens, ElementsAre("a", "b", "ab", "<s>", "<t>"));
  EXPECT_THAT(vocab->kinds, ElementsAre(TokenKind::normal, TokenKind::normal, TokenKind::normal, TokenKind::control,
                                        TokenKind::user_defined));
  EXPECT_THAT(vocab->merges, ElementsAre("a", "b"));
  EXPECT_EQ(vocab->unknown, 0);
  EXPECT_EQ(vocab->bos, 3);
  EXPECT_EQ(vocab->eos, 4);
  EXPECT_EQ(vocab->padding, std::nullopt);
  EXPECT_TRUE(vocab->add_bos);
  EXPECT_FALSE(vocab->add_eos);
  ASSERT_EQ(vocab->added.size(), 2U);
  EXPECT_FALSE(vocab->added[0].normalized);
  EXPECT_TRUE(vocab->added[1].normalized);
  EXPECT_EQ(vocab->rules->normalizer.size(), 1U);
  ASSERT_EQ(vocab->rules->splits.size(), 1U);
  EXPECT_EQ(vocab->rules->splits[0].pattern, R"(a\.c)");
  EXPECT_EQ(vocab->rules->splits[0].behavior, SplitStep::Behavior::removed);
  EXPECT_TRUE(vocab->rules->splits[0].invert);
}

TEST(TokenizerJson, TheConfigDecidesAboutStartAndEnd) {
  const auto flags = [](const std::string& config) {
    const auto vocab = read_tokenizer_json(minimal().dump(), config).value();
    return std::pair(vocab.add_bos, vocab.add_eos);
  };
  EXPECT_EQ(flags(""), std::pair(true, false));
  EXPECT_EQ(flags(R"({"add_bos_token": false, "add_eos_token": true})"), std::pair(false, true));
  EXPECT_EQ(flags(R"({"add_bos_token": null, "model_max_length": 1000000000000000019884624838656})"),
            std::pair(true, false));
}

struct Damage {
  const char* pointer;
  const char* value;  // JSON
  ErrorCode code;
  std::vector<std::string> words;
};

TEST(TokenizerJson, WhatIsWrongIsNamedWithItsPath) {
  const auto bad = ErrorCode::bad_file;
  const auto unsupported = ErrorCode::unsupported;
  const Damage damages[] = {
      {"/model", "null", bad, {"$ has no member 'model'"}},
      {"/model", "[1]", bad, {"$.model is an array", "an object"}},
      {"/model/type", "\"Unigram\"", unsupported, {"$.model.type", "'Unigram'", "BPE"}},
      {"/model/vocab", "3", bad, {"$.model.vocab is an integer", "an object"}},
      {"/model/vocab/a", "-1", bad, {"$.model.vocab", "'a'", "'-1'", "0 to 1048575"}},
      {"/model/vocab/a", "1048576", bad, {"'1048576'"}},
      {"/model/vocab/a", "1", bad, {"'b'", "the id 1", "'a'"}},
      {"/model/merges/0", "\"a\"", bad, {"$.model.merges[0]", "two tokens"}},
      {"/model/merges/0", "[\"a\", 1]", bad, {"$.model.merges[0]", "two tokens"}},
      {"/model/unk_token", "\"zz\"", bad, {"$.model.unk_token", "'zz'"}},
      {"/model/end_of_word_suffix", "\"</w>\"", unsupported, {"$.model.end_of_word_suffix", "'</w>'"}},
      {"/model/byte_fallback", "1", bad, {"$.model.byte_fallback is an integer", "a bool"}},
      {"/added_tokens/0/id", "1", bad, {"$.added_tokens[0]", "'<s>'", "the id 1", "'b'"}},
      {"/added_tokens/1/content", "null", bad, {"$.added_tokens[1]", "'content'"}},
      {"/normalizer/type", "\"Lowercase\"", unsupported, {"$.normalizer.type", "'Lowercase'", "NFC"}},
      {"/pre_tokenizer/pretokenizers/0/type",
       "\"Punctuation\"",
       unsupported,
       {"$.pre_tokenizer.pretokenizers[0].type", "'Punctuation'"}},
      {"/pre_tokenizer/pretokenizers/0/behavior", "\"Odd\"", unsupported, {"pretokenizers[0].behavior", "'Odd'"}},
      {"/pre_tokenizer/pretokenizers/1/add_prefix_space", "true", unsupported, {"pretokenizers[1]", "already cut"}},
      {"/post_processor/type", "\"BertProcessing\"", unsupported, {"$.post_processor.type", "'BertProcessing'"}},
      {"/post_processor/special_tokens/<s>/ids", "[5]", bad, {"ids[0] is 5", "0 to 4"}},
      {"/decoder/type", "\"WordPiece\"", unsupported, {"$.decoder.type", "'WordPiece'"}},
  };
  for (const Damage& damage : damages) {
    auto json = minimal();
    json[nlohmann::json::json_pointer(damage.pointer)] = nlohmann::json::parse(damage.value);
    const auto vocab = read_tokenizer_json(json.dump());
    ASSERT_FALSE(vocab) << damage.pointer;
    EXPECT_EQ(vocab.error().code, damage.code) << vocab.error().message;
    for (const std::string& word : damage.words) EXPECT_THAT(vocab.error().message, HasSubstr(word));
  }
  EXPECT_THAT(read_tokenizer_json("{\"model\": ").error().message, HasSubstr("not JSON"));
  EXPECT_THAT(read_tokenizer_json(minimal().dump(), "[]").error().message, HasSubstr("tokenizer_config.json"));
  EXPECT_THAT(read_tokenizer_json(minimal().dump(), R"({"bos_token": 1})").error().message, HasSubstr("$.bos_token"));
}

TEST(TokenizerJson, SequencesMayNotNestWithoutEnd) {
  auto json = minimal();
  nlohmann::json nested = {{"type", "NFC"}};
  for (int depth = 0; depth < 20; ++depth) nested = {{"type", "Sequence"}, {"normalizers", {nested}}};
  json["normalizer"] = nested;
  EXPECT_THAT(read_tokenizer_json(json.dump()).error().message, HasSubstr("nested deeper"));
}

TEST(TokenizerJson, OpensAFolderWithItsConfig) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("ogas_tokenizer_{}", getpid());
  std::filesystem::create_directory(folder);
  EXPECT_EQ(open_tokenizer_json(folder).error().code, ErrorCode::not_found);
  ASSERT_TRUE(write_file_atomically(folder / "tokenizer.json", minimal().dump()));
  EXPECT_TRUE(open_tokenizer_json(folder).value().add_bos);
  ASSERT_TRUE(write_file_atomically(folder / "tokenizer_config.json", R"({"add_bos_token": false})"));
  EXPECT_FALSE(open_tokenizer_json(folder / "tokenizer.json").value().add_bos);
  ASSERT_TRUE(write_file_atomically(folder / "tokenizer.json", "{}"));
  EXPECT_THAT(open_tokenizer_json(folder).error().message, AllOf(HasSubstr("tokenizer.json: "), HasSubstr("'model'")));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ogas
