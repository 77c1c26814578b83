#include "cli/options/did_you_mean.h"

#include <gtest/gtest.h>

#include <vector>

namespace ogas::cli {
namespace {

TEST(Suggest, EditDistance) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("flaw", "lawn"), 2U);
  EXPECT_EQ(edit_distance("hlep", "help"), 1U);
  EXPECT_EQ(edit_distance("ehlp", "help"), 1U);
  EXPECT_EQ(edit_distance("ca", "abc"), 3U);
}

TEST(Suggest, OnlySlipsAreAnswered) {
  const std::vector<std::string> names = {"run", "chat", "inspect", "tokenize"};
  EXPECT_EQ(closest("inpect", names), "inspect");
  EXPECT_EQ(closest("rum", names), "run");
  EXPECT_EQ(closest("tokenise", names), "tokenize");
  EXPECT_EQ(closest("why", names), std::nullopt);
  EXPECT_EQ(closest(std::string(10000, 'x'), names), std::nullopt);
}

}  // namespace
}  // namespace ogas::cli
