#include "base/ascii.h"

#include <gtest/gtest.h>

namespace ogas {
namespace {

TEST(Ascii, LowersLettersAndNothingElse) {
  EXPECT_EQ(lower_ascii("Content-TYPE: Az@[`{\xC3\x84"), "content-type: az@[`{\xC3\x84");
  EXPECT_EQ(lower_ascii(""), "");
}

TEST(Ascii, TrimsBothEnds) {
  EXPECT_EQ(trim_blank(" \t\r\na b\r\n"), "a b");
  EXPECT_EQ(trim_blank("a"), "a");
  EXPECT_EQ(trim_blank(" \t"), "");
  EXPECT_EQ(trim_blank(""), "");
}

TEST(Ascii, KnowsThisMachineByNameAndNumber) {
  for (const char* host : {"localhost", "a.localhost", "127.0.0.1", "127.255.0.9", "::1", "[::1]"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"", "127.0.0.1.example.com", "127.example.com", "localhost.example.com", "notlocalhost",
                           "128.0.0.1", "[::2]", "10.127.0.1"})
    EXPECT_FALSE(is_loopback(host)) << host;
}

}  // namespace
}  // namespace ogas
