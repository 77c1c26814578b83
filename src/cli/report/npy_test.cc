#include "cli/report/npy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace ogas::cli {
namespace {

TEST(NpyHeader, IsAlignedAndComplete) {
  for (const uint64_t n : std::initializer_list<uint64_t>{1, 12, 12345678, UINT64_MAX}) {
    const std::string header = npy_header(n, 49152);
    EXPECT_EQ(header.size() % 64, 0U);
    EXPECT_EQ(header.substr(1, 5), "NUMPY");
    EXPECT_EQ(header.back(), '\n');
    const size_t length = static_cast<uint8_t>(header[8]) | static_cast<uint8_t>(header[9]) << 8;
    EXPECT_EQ(length, header.size() - 10);
    EXPECT_NE(header.find(fmt::format("({}, 49152)", n)), std::string::npos);
  }
}

}  // namespace
}  // namespace ogas::cli
