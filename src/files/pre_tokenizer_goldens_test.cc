// Compares GGUF's named pre-tokenizers with PyPI tokenizers, which cuts by the patterns of the models' own files
// (tools/make_pre_tokenizer_goldens.py).
#include <gtest/gtest.h>

#include <algorithm>

#include "files/tokenizer_test_goldens.h"
#include "text/pre_tokenizer.h"

namespace ogas {
namespace {

constexpr size_t kBlock = 100;  // texts

TEST(PreTokenizerGoldens, EveryNameCutsAsItsModelDoes) {
  const std::vector<std::string> texts = test::golden_texts();
  const auto goldens = test::read_golden_json("pre_tokenizers.json");
  for (const auto& [name, rows] : goldens.items()) {
    SCOPED_TRACE(name);
    const auto rules = rules_named(name);
    ASSERT_TRUE(rules) << rules.error().message;
    const auto pre_tokenizer = PreTokenizer::create(rules->splits);
    ASSERT_TRUE(pre_tokenizer) << pre_tokenizer.error().message;
    EXPECT_EQ(rows.size(), (texts.size() + kBlock - 1) / kBlock);
    for (size_t block = 0; block < rows.size(); ++block) {
      std::vector<uint32_t> lengths;
      for (size_t idx = block * kBlock; idx < std::min(texts.size(), (block + 1) * kBlock); ++idx) {
        pre_tokenizer->split(texts[idx],
                             [&](std::string_view piece) { lengths.push_back(static_cast<uint32_t>(piece.size())); });
        lengths.push_back(0);
      }
      EXPECT_EQ(lengths.size(), rows[block][0].get<size_t>()) << "block " << block;
      EXPECT_EQ(test::checksum(lengths), rows[block][1].get<std::string>()) << "block " << block;
    }
  }
}

// A name is one row's; what is not in this list is refused when a model is loaded.
TEST(PreTokenizerGoldens, NamesOfModelsThatShareTheirRules) {
  const std::pair<const char*, const char*> kSame[] = {{"glm4", "llama-bpe"},      {"chatglm-bpe", "glm4"},
                                                       {"llama4", "gpt-4o"},       {"minimax-m2", "gpt-4o"},
                                                       {"starcoder", "smollm"},    {"joyai-llm", "deepseek-v3"},
                                                       {"pixtral", "llama-bpe"},   {"dbrx", "smaug-bpe"},
                                                       {"megrez", "qwen2"},        {"solar-open", "deepseek-r1-qwen"},
                                                       {"llada-moe", "bailingmoe"}};
  for (const auto& [name, same] : kSame) {
    ASSERT_TRUE(rules_named(name)) << name;
    EXPECT_EQ(*rules_named(name), *rules_named(same)) << name;
  }
  for (const char* name : {"gemma4", "afmoe", "whitespace", "glm9"}) EXPECT_FALSE(rules_named(name)) << name;
}

}  // namespace
}  // namespace ogas
