#include "measure/machine.h"

#include <gtest/gtest.h>

#include "kernels/dispatch.h"

namespace ogas {
namespace {

TEST(Machine, MediansAndSpread) {
  EXPECT_EQ(median_of({}).value, 0);
  EXPECT_EQ(median_of({3, 1, 2}).value, 2);
  EXPECT_EQ(median_of({4, 1, 2, 3}).value, 2.5);
  EXPECT_DOUBLE_EQ(median_of({1, 2, 3, 4, 5}).spread, 1.0 / 3);
  EXPECT_EQ(median_of({7}).spread, 0);
}

// Within what any machine can do: a loop that was optimized away would be far beyond.
TEST(Machine, LimitsArePossible) {
  ThreadPool one(1);
  const double bandwidth = measure_read_bandwidth(one);
  EXPECT_GT(bandwidth, 1e8);
  EXPECT_LT(bandwidth, 1e12);
  for (const CpuKernels* kernels : available_kernels()) {
    const std::array<Peak, kWeightKinds> peaks = measure_product_peaks(one, kernels->name);
    for (const Peak& peak : peaks) {
      EXPECT_GT(peak.kernels, 1e8) << kernels->name << ' ' << peak.instruction;
      EXPECT_LT(peak.kernels, 2e13) << kernels->name << ' ' << peak.instruction;
      EXPECT_GE(peak.kernels, peaks.back().kernels) << kernels->name << ' ' << peak.instruction;
    }
    EXPECT_LT(peaks.back().kernels, 1e12) << kernels->name;
  }
  EXPECT_FALSE(measure_disk("tests/no such file"));
}

}  // namespace
}  // namespace ogas
