#include "measure/machine.h"

#include <gtest/gtest.h>

namespace ogas {
namespace {

TEST(Machine, MediansAndSpread) {
  EXPECT_EQ(median_of({}).value, 0);
  EXPECT_EQ(median_of({3, 1, 2}).value, 2);
  EXPECT_EQ(median_of({4, 1, 2, 3}).value, 2.5);
  EXPECT_DOUBLE_EQ(median_of({1, 2, 3, 4, 5}).spread, 1.0 / 3);
  EXPECT_EQ(median_of({7}).spread, 0);
}

// Within what any machine that runs this can do: a loop that was optimised away would be far beyond.
TEST(Machine, LimitsArePossible) {
  ThreadPool one(1);
  const double bandwidth = measure_read_bandwidth(one);
  EXPECT_GT(bandwidth, 1e8);
  EXPECT_LT(bandwidth, 1e12);
  const Peak int8 = measure_int8_peak(one), f32 = measure_f32_peak(one);
  EXPECT_GT(int8.ops, 1e8);
  EXPECT_LT(int8.ops, 2e13);
  EXPECT_GT(f32.ops, 1e8);
  EXPECT_LT(f32.ops, 1e12);
  EXPECT_FALSE(measure_disk("tests/no such file"));
}

}  // namespace
}  // namespace ogas
