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

TEST(Memory, ReadsTheMachine) {
  EXPECT_GT(available_memory(), 1'000'000U);
  EXPECT_LT(available_memory(), uint64_t{1} << 60);
  EXPECT_GT(peak_memory(), 100'000U);
}

}  // namespace
}  // namespace ogas
