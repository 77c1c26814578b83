#include "grammar/text_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ogas::grammar {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

TEST(TextCheck, SaysWhereATextBreaksTheGrammarAndWhatMayComeThere) {
  const auto grammar = *compile_regex("ab(c|d)+");
  const auto whole = check_text(grammar, "abc");
  ASSERT_TRUE(whole);
  EXPECT_TRUE(whole->takes("abc"));
  const auto cut = check_text(grammar, "ab");
  EXPECT_FALSE(cut->takes("ab"));
  EXPECT_THAT(cut->next, ElementsAre('c', 'd'));
  const auto broken = check_text(grammar, "abcxy");
  EXPECT_EQ(broken->n_taken, 3U);
  EXPECT_TRUE(broken->is_complete);
  EXPECT_FALSE(broken->takes("abcxy"));
  EXPECT_THAT(broken->next, Contains('d'));
  EXPECT_THAT(broken->next, Not(Contains('x')));
}

TEST(TextCheck, SpacesBetweenPartsOfJsonGoAndOthersStay) {
  const CompactJson compact = without_spaces("{ \"a \\\" b\" : [ 1 ,\n2 ] }\n");
  EXPECT_EQ(compact.text, "{\"a \\\" b\":[1,2]}");
  ASSERT_EQ(compact.offsets.size(), compact.text.size() + 1);
  EXPECT_EQ(compact.offsets[1], 2U);
  EXPECT_EQ(compact.offsets.back(), 25U);
  EXPECT_EQ(without_spaces("\"ends in \\").text, "\"ends in \\");
}

}  // namespace
}  // namespace ogas::grammar
