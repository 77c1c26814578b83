// The published tokenizers against what PyPI tokenizers makes of 3,000 texts. ./test fetches them
// (tools/get_tokenizers) and passes their folder; tools/compare_tokenizers.py does the same with 100,000 texts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "files/tokenizer_test_goldens.h"
#include "text/pre_tokenizer.h"

namespace ogas {
namespace {

std::unique_ptr<Tokenizer> open_published(const std::string& name) {
  const char* folder = std::getenv("OGAS_TEST_TOKENIZERS");
  EXPECT_NE(folder, nullptr) << "OGAS_TEST_TOKENIZERS must name the folder that tools/get_tokenizers prints";
  if (!folder) return nullptr;
  auto vocab = open_tokenizer_json(std::filesystem::path(folder) / name);
  EXPECT_TRUE(vocab) << vocab.error().message;
  if (!vocab) return nullptr;
  auto tokenizer = Tokenizer::create(*std::move(vocab));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer ? *std::move(tokenizer) : nullptr;
}

class PublishedTokenizer : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    tokenizer_ = open_published(GetParam());
    ASSERT_NE(tokenizer_, nullptr);
  }
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(PublishedTokenizer, AgreesOnEveryText) { test::expect_goldens(*tokenizer_, GetParam(), test::golden_texts()); }

// GGUF files name their rules instead of writing them out.
TEST_P(PublishedTokenizer, ItsNameInGgufStandsForTheSameRules) {
  const std::pair<std::string_view, std::string_view> names[] = {
      {"deepseek_v3", "deepseek-v3"}, {"gptoss", "gpt-4o"}, {"llama3_1", "llama-bpe"}, {"qwen3", "qwen2"}};
  for (const auto& [published, name] : names)
    if (GetParam() == published) {
      const auto rules = rules_named(name);
      ASSERT_TRUE(rules);
      EXPECT_EQ(*rules, *tokenizer_->vocab().rules);
    }
}

// No byte is lost where text is not normalized first.
TEST_P(PublishedTokenizer, KeepsBytesThatAreNoUtf8) {
  const std::string damaged[] = {"\xFF",
                                 "a\xC3",
                                 "\xE4\xBD",
                                 "\xED\xA0\x80",
                                 "\xF0\x9F\x91",
                                 "\xC0\x80 x",
                                 "good \xE4\xBD\xA0\xE5 bad\xFE\xFF\xF8 end",
                                 std::string(3000, '\x80')};
  for (const std::string& text : damaged) EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(text)), text);
}

TEST_P(PublishedTokenizer, SpecialTokensAreTextUnlessTrusted) {
  for (const AddedToken& token : tokenizer_->vocab().added) {
    if (!token.is_special) continue;
    const std::string name(tokenizer_->bytes_of(token.id));
    EXPECT_THAT(tokenizer_->encode(name, {.parse_special = true}), ::testing::ElementsAre(token.id));
    for (const TokenId id : tokenizer_->encode("x" + name)) EXPECT_FALSE(tokenizer_->is_control(id)) << name;
    EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(name)), name);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PublishedTokenizer, ::testing::Values("deepseek_v3", "gptoss", "llama3_1", "qwen3", "yi"),
                         [](const auto& test) { return test.param; });

TEST(PublishedTokenizers, StartAndEndFollowTheFile) {
  const auto ids = [](const std::string& name) { return open_published(name)->encode("a", {.add_special = true}); };
  EXPECT_THAT(ids("llama3_1"), ::testing::ElementsAre(128000, 64));  // by the template of tokenizer.json
  EXPECT_THAT(ids("deepseek_v3"), ::testing::ElementsAre(0, 67));    // by tokenizer_config.json
  EXPECT_THAT(ids("qwen3"), ::testing::ElementsAre(64));
  EXPECT_THAT(ids("yi"), ::testing::ElementsAre(59572));
}

}  // namespace
}  // namespace ogas
