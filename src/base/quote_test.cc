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

TEST(InQuotes, ShowsWhatCanBeSeen) {
  EXPECT_EQ(in_quotes("Ünïcode 模型/té st.gguf"), "'Ünïcode 模型/té st.gguf'");
  EXPECT_EQ(in_quotes("👩‍🚀"), "'👩‍🚀'");
  // Never half a character at the end.
  EXPECT_EQ(in_quotes(std::string(79, 'x') + "é"), "'" + std::string(79, 'x') + "...'");
  EXPECT_EQ(in_quotes(std::string(78, 'x') + "é"), "'" + std::string(78, 'x') + "é'");
}

TEST(InQuotes, HidesNothing) {
  EXPECT_EQ(in_quotes("\xff\xc3"), "'\\xff\\xc3'");  // not UTF-8, and the start of a character
  EXPECT_EQ(in_quotes("\xc0\xaf\xed\xa0\x80"), "'\\xc0\\xaf\\xed\\xa0\\x80'");  // overlong; a surrogate
  EXPECT_EQ(in_quotes("a\u202Egnp.exe"), "'a\\xe2\\x80\\xaegnp.exe'");          // reverses what follows
  EXPECT_EQ(in_quotes("\u2066\u200F"), "'\\xe2\\x81\\xa6\\xe2\\x80\\x8f'");
  EXPECT_EQ(in_quotes("\u0085\u200B\uFEFF"), "'\\xc2\\x85\\xe2\\x80\\x8b\\xef\\xbb\\xbf'");
  EXPECT_EQ(in_quotes("\U000E0041"), "'\\xf3\\xa0\\x81\\x81'");  // a letter that is not shown
}

}  // namespace
}  // namespace ogas
