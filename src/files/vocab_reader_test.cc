#include "files/vocab_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "files/gguf.h"
#include "files/gguf_test_writer.h"

namespace ogas {
namespace {

using test::numbers;
using test::TestKey;
using test::TestValue;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kPrefix = "tokenizer.ggml.";

std::vector<TestKey> bpe_keys() {
  return {{kPrefix + "model", test::string("gpt2")},
          {kPrefix + "pre", test::string("smollm")},
          {kPrefix + "tokens", test::strings({"<|im_end|>", "a", "b", "ab"})},
          {kPrefix + "token_type", numbers<int32_t>(MetaType::i32, {3, 1, 6, 4})},
          {kPrefix + "merges", test::strings({"a b"})},
          {kPrefix + "bos_token_id", test::u32(1)},
          {kPrefix + "eos_token_id", test::u32(0)},
          {kPrefix + "eot_token_id", test::u32(2)},
          {kPrefix + "unknown_token_id", test::u32(3)},
          {kPrefix + "padding_token_id", test::u32(0)},
          {kPrefix + "add_bos_token", test::boolean(1)},
          {kPrefix + "add_eos_token", test::boolean(1)},
          {kPrefix + "add_space_prefix", test::boolean(1)}};
}

// bpe_keys() with one of them replaced, added, or (no value) left out.
std::vector<TestKey> with(const std::string& name, std::optional<TestValue> value) {
  std::vector<TestKey> keys = bpe_keys();
  std::erase_if(keys, [&](const TestKey& key) { return key.name == kPrefix + name; });
  if (value) keys.push_back({kPrefix + name, *value});
  return keys;
}

Result<Vocab> vocab_of(std::vector<TestKey> keys) {
  const std::string bytes = test::TestGguf{.keys = std::move(keys)}.write();
  const auto parsed = parse_gguf(test::as_bytes(bytes));
  EXPECT_TRUE(parsed) << parsed.error().message;
  return read_vocab(parsed->metadata);  // what it returns does not point into `bytes`
}

void expect_error(std::vector<TestKey> keys, const std::vector<std::string>& words) {
  const auto vocab = vocab_of(std::move(keys));
  ASSERT_FALSE(vocab) << "no error with " << words.front();
  for (const std::string& word : words) EXPECT_THAT(vocab.error().message, HasSubstr(word));
}

TEST(VocabReader, ReadsByteLevelBpe) {
  const auto vocab = vocab_of(bpe_keys());
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_EQ(vocab->model, TokenizerModel::byte_level_bpe);
  EXPECT_EQ(vocab->pre, "smollm");
  EXPECT_THAT(vocab->tokens, ElementsAre("<|im_end|>", "a", "b", "ab"));
  EXPECT_THAT(vocab->kinds,
              ElementsAre(TokenKind::control, TokenKind::normal, TokenKind::byte, TokenKind::user_defined));
  EXPECT_THAT(vocab->merges, ElementsAre("a", "b"));
  EXPECT_TRUE(vocab->scores.empty());
  EXPECT_EQ(vocab->bos, 1);
  EXPECT_EQ(vocab->eos, 0);
  EXPECT_EQ(vocab->eot, 2);
  EXPECT_EQ(vocab->unknown, 3);
  EXPECT_EQ(vocab->padding, 0);
  EXPECT_TRUE(vocab->add_bos);
  EXPECT_TRUE(vocab->add_eos);
  EXPECT_TRUE(vocab->add_space_prefix);
}

TEST(VocabReader, ReadsSentencePieceWithScoresAndItsDefaults) {
  const auto vocab = vocab_of({{kPrefix + "model", test::string("llama")},
                               {kPrefix + "tokens", test::strings({"<unk>", "x"})},
                               {kPrefix + "scores", numbers<float>(MetaType::f32, {0, -1.5F})}});
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_EQ(vocab->model, TokenizerModel::sentencepiece_bpe);
  EXPECT_EQ(vocab->pre, "default");
  EXPECT_THAT(vocab->scores, ElementsAre(0, -1.5F));
  EXPECT_THAT(vocab->kinds, ElementsAre(TokenKind::normal, TokenKind::normal));
  EXPECT_TRUE(vocab->merges.empty());
  EXPECT_EQ(vocab->bos, std::nullopt);
  EXPECT_TRUE(vocab->add_bos);
  EXPECT_FALSE(vocab->add_eos);
  EXPECT_TRUE(vocab->add_space_prefix);
}

TEST(VocabReader, ByteLevelDefaults) {
  auto keys = bpe_keys();
  std::erase_if(keys, [](const TestKey& key) { return key.name.contains("add_") || key.name.contains("_id"); });
  const auto vocab = vocab_of(keys);
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_FALSE(vocab->add_bos);
  EXPECT_FALSE(vocab->add_eos);
  EXPECT_FALSE(vocab->add_space_prefix);
  EXPECT_EQ(vocab->eos, std::nullopt);
}

TEST(VocabReader, ModelsAreKnownByName) {
  expect_error({}, {"tokenizer.ggml.model", "missing"});
  expect_error(with("model", test::string("bert")), {"tokenizer.ggml.model", "'bert'", "gpt2"});
  expect_error(with("model", test::u32(1)), {"tokenizer.ggml.model", "u32", "a string"});
  EXPECT_EQ(vocab_of({}).error().code, ErrorCode::unsupported);
  EXPECT_EQ(vocab_of(with("model", test::string("bert"))).error().code, ErrorCode::unsupported);
}

// What is quoted from the file is short and printable, whatever the file has.
TEST(VocabReader, UnknownModelsAreQuotedSafely) {
  const auto vocab = vocab_of(with("model", test::string("\x1b[2J\n" + std::string(100'000, 'x'))));
  ASSERT_FALSE(vocab);
  EXPECT_LT(vocab.error().message.size(), 300);
  EXPECT_EQ(vocab.error().message.find('\x1b'), std::string::npos);
  EXPECT_EQ(vocab.error().message.find('\n'), std::string::npos);
}

TEST(VocabReader, TokensMustBeStrings) {
  expect_error(with("tokens", {}), {"tokenizer.ggml.tokens", "missing", "strings"});
  expect_error(with("tokens", test::strings({})), {"tokenizer.ggml.tokens", "empty"});
  expect_error(with("tokens", test::string("a")), {"tokenizer.ggml.tokens", "of type string", "an array of strings"});
  expect_error(with("tokens", numbers<int32_t>(MetaType::i32, {1})),
               {"tokenizer.ggml.tokens", "array of i32", "strings"});
  const std::string million(8 * ((size_t{1} << 20) + 1), '\0');
  expect_error(with("tokens", test::raw_array(8, (1U << 20) + 1, million)),
               {"tokenizer.ggml.tokens", "1048577 elements", "at most 1048576"});
}

TEST(VocabReader, KindsMustFitTheTokens) {
  expect_error(with("token_type", numbers<int32_t>(MetaType::i32, {1, 1, 1})),
               {"token_type", "3 elements", "4 tokens"});
  expect_error(with("token_type", numbers<int32_t>(MetaType::i32, {1, 1, 1, 1, 1})), {"token_type", "5 elements", "4"});
  expect_error(with("token_type", numbers<int32_t>(MetaType::i32, {1, 1, 7, 1})),
               {"token_type", "7 for token 2", "1 to 6"});
  expect_error(with("token_type", numbers<int32_t>(MetaType::i32, {0, 1, 1, 1})),
               {"token_type", "0 for token 0", "1 to 6"});
  expect_error(with("token_type", numbers<int32_t>(MetaType::i32, {1, 1, 1, -1})), {"token_type", "-1 for token 3"});
  expect_error(with("token_type", test::strings({"1", "1", "1", "1"})), {"token_type", "array of string", "integers"});
}

TEST(VocabReader, ScoresMustFitTheTokens) {
  expect_error(with("scores", numbers<float>(MetaType::f32, {1})), {"scores", "1 elements", "4 tokens"});
  expect_error(with("scores", numbers<float>(MetaType::f32, {0, 0, std::numeric_limits<float>::quiet_NaN(), 0})),
               {"scores", "token 2"});
  expect_error(with("scores", numbers<int32_t>(MetaType::i32, {0, 0, 0, 0})), {"scores", "array of i32", "floats"});
}

TEST(VocabReader, ByteLevelNeedsMerges) {
  expect_error(with("merges", {}), {"tokenizer.ggml.merges", "missing"});
  expect_error(with("merges", test::u32(3)), {"tokenizer.ggml.merges", "u32", "strings"});
}

// Converters write 2^32 - 1, or an id past the end, for a token that the model lacks.
TEST(VocabReader, IdsPastTheVocabularyCountAsAbsent) {
  EXPECT_EQ(vocab_of(with("bos_token_id", test::u32(4))).value().bos, std::nullopt);
  EXPECT_EQ(vocab_of(with("padding_token_id", test::u32(UINT32_MAX))).value().padding, std::nullopt);
  EXPECT_EQ(vocab_of(with("bos_token_id", test::u32(3))).value().bos, 3);
}

TEST(VocabReader, IdsMustBeIntegers) {
  expect_error(with("bos_token_id", test::scalar<int32_t>(MetaType::i32, -1)), {"bos_token_id", "-1"});
  expect_error(with("eos_token_id", test::string("0")), {"eos_token_id", "string", "an integer"});
  expect_error(with("eot_token_id", test::scalar<uint64_t>(MetaType::u64, 1ULL << 32)), {"eot_token_id", "4294967296"});
}

// Several ends: an array for EOS, or Ollama's list in addition to it.
TEST(VocabReader, EndsMayBeSeveral) {
  const auto one = vocab_of(bpe_keys()).value();
  EXPECT_THAT(one.ends, ElementsAre(0));
  EXPECT_EQ(one.eom, std::nullopt);
  const auto array = vocab_of(with("eos_token_id", numbers<int32_t>(MetaType::i32, {2, 0, 9, -1}))).value();
  EXPECT_EQ(array.eos, 2);
  EXPECT_THAT(array.ends, ElementsAre(2, 0));
  const auto listed = vocab_of(with("eos_token_ids", numbers<int32_t>(MetaType::i32, {0, 1}))).value();
  EXPECT_EQ(listed.eos, 0);
  EXPECT_THAT(listed.ends, ElementsAre(0, 0, 1));
  EXPECT_EQ(vocab_of(with("eom_token_id", test::u32(1))).value().eom, 1);
  expect_error(with("eos_token_ids", test::string("0")), {"eos_token_ids", "string"});
}

TEST(VocabReader, FlagsMustBeBools) {
  for (const std::string name : {"add_bos_token", "add_eos_token", "add_space_prefix"})
    expect_error(with(name, test::u32(1)), {kPrefix + name, "u32", "a bool"});
  expect_error(with("pre", test::u32(1)), {kPrefix + "pre", "u32", "a string"});
}

}  // namespace
}  // namespace ogas
