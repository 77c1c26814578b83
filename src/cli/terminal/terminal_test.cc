#include "cli/terminal/terminal.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace ogas::cli {
namespace {

// The first of the locale's variables that is set counts, and a dumb terminal shows ASCII whatever they say.
TEST(Terminal, ShowsUnicodeWhereTheLocaleSaysSo) {
  const auto shows = [](const char* all, const char* ctype, const char* lang, const char* term = "xterm") {
    ::setenv("LC_ALL", all, 1);
    ::setenv("LC_CTYPE", ctype, 1);
    ::setenv("LANG", lang, 1);
    ::setenv("TERM", term, 1);
    return shows_unicode();
  };
  EXPECT_TRUE(shows("", "", "de_DE.UTF-8"));
  EXPECT_TRUE(shows("", "C.utf8", "C"));
  EXPECT_TRUE(shows("en_US.Utf-8", "C", "C"));
  EXPECT_FALSE(shows("C", "C.UTF-8", "C.UTF-8"));
  EXPECT_FALSE(shows("", "", "de_DE@euro"));
  EXPECT_FALSE(shows("", "", ""));
  EXPECT_FALSE(shows("", "", "C.UTF-8", "dumb"));
}

}  // namespace
}  // namespace ogas::cli
