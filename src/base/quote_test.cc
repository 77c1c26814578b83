#include "base/quote.h"

#include <gtest/gtest.h>

namespace ogas {
namespace {

TEST(InQuotes, IsShortAndPrintable) {
  EXPECT_EQ(in_quotes("llama"), "'llama'");
  EXPECT_EQ(in_quotes(""), "''");
  EXPECT_EQ(in_quotes("\x1b[2J\n"), "'\\x1b[2J\\x0a'");
  EXPECT_EQ(in_quotes(std::string(100, 'x')), "'" + std::string(80, 'x') + "...'");
}

}  // namespace
}  // namespace ogas
