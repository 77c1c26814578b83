#include "base/memory.h"

#include <gtest/gtest.h>

namespace ogas {
namespace {

TEST(FormatBytes, ThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.00 kB");
  EXPECT_EQ(format_bytes(98'362'432), "98.4 MB");
  EXPECT_EQ(format_bytes(999'600'000), "1.00 GB");
  EXPECT_EQ(format_bytes(380'000'000'000), "380 GB");
}

TEST(PageBuffer, IsZeroedAndChecked) {
  PageBuffer buffer(10'000);
  const auto floats = buffer.as<float>(4, 100);
  for (float value : floats) EXPECT_EQ(value, 0.0F);
  floats[99] = 1;
  PageBuffer moved = std::move(buffer);
  EXPECT_EQ(moved.as<float>(4, 100)[99], 1.0F);
  EXPECT_DEATH(moved.as<float>(0, 2501), "does not hold");
}

TEST(PageBuffer, ReleasesItsEnd) {
  constexpr size_t kSize = size_t{64} << 20;
  const PageBuffer buffer(kSize);
  for (std::byte& byte : buffer.as<std::byte>(0, kSize)) byte = std::byte{1};
  const uint64_t before = current_memory();
  buffer.release_from(kSize / 4 + 1);
  EXPECT_LT(current_memory(), before - kSize / 2);
  EXPECT_EQ(buffer.as<std::byte>(kSize / 4, 1)[0], std::byte{1});
  EXPECT_EQ(buffer.as<std::byte>(kSize - 1, 1)[0], std::byte{0});
  buffer.release_from(kSize);
  EXPECT_EQ(buffer.as<std::byte>(0, 1)[0], std::byte{1});
}

TEST(Memory, ReadsTheMachine) {
  EXPECT_GT(available_memory(), 1'000'000U);
  EXPECT_LT(available_memory(), uint64_t{1} << 60);
  EXPECT_GT(peak_memory(), 100'000U);
}

}  // namespace
}  // namespace ogas
