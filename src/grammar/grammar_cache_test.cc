#include "grammar/grammar_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace ogas::grammar {
namespace {

GrammarSource regex(std::string text) { return {.kind = GrammarSource::Kind::regex, .text = std::move(text)}; }

TEST(GrammarCache, GivesTheSameGrammarForTheSameSource) {
  GrammarCache cache;
  const auto first = cache.get(regex("a+"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(*cache.get(regex("a+")), *first);
  EXPECT_NE(*cache.get(regex("b+")), *first);
  EXPECT_NE(*cache.get({.kind = GrammarSource::Kind::gbnf, .text = "root ::= \"a\""}), *first);
}

TEST(GrammarCache, OptionsAreAPartOfTheSource) {
  GrammarCache cache;
  GrammarSource source{.text = R"({"type": "object"})"};
  const auto spaced = cache.get(source);
  ASSERT_TRUE(spaced) << spaced.error().message;
  source.json.has_spaces = false;
  EXPECT_NE(*cache.get(source), *spaced);
}

TEST(GrammarCache, KeepsTheLatest) {
  GrammarCache cache;
  const auto first = *cache.get(regex("first")), second = *cache.get(regex("second"));
  for (size_t idx = 0; idx + 2 < GrammarCache::kMaxGrammars; ++idx) {
    ASSERT_TRUE(cache.get(regex(std::to_string(idx))));
    EXPECT_EQ(*cache.get(regex("first")), first);
  }
  ASSERT_TRUE(cache.get(regex("one more")));
  EXPECT_EQ(*cache.get(regex("first")), first);
  EXPECT_NE(*cache.get(regex("second")), second);
}

TEST(GrammarCache, ErrorsAreThoseOfTheCompilers) {
  GrammarCache cache;
  for (int idx = 0; idx < 2; ++idx) {
    const auto broken = cache.get(regex("(a"));
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, ErrorCode::bad_file);
  }
  EXPECT_FALSE(cache.get({.kind = GrammarSource::Kind::choice}));
}

}  // namespace
}  // namespace ogas::grammar
