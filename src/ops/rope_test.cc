#include "ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/dispatch.h"

namespace ogas {
namespace {

const CpuKernels& reference() { return *available_kernels().back(); }

TEST(Rope, TurnsPairsByTheirAngles) {
  const Rope rope({.n_rot = 4, .base = 100, .style = RopeStyle::interleaved});
  const Matrix cos_sin(2, 4);
  rope.prepare(3, cos_sin.row(1));
  std::vector<float> x = {1, 0, 1, 0};
  rope.rotate(reference(), x.data(), 1, 4, cos_sin.row(1));  // position 3; frequencies 1 and 1/10
  EXPECT_NEAR(x[0], std::cos(3.0), 1e-6);
  EXPECT_NEAR(x[1], std::sin(3.0), 1e-6);
  EXPECT_NEAR(x[2], std::cos(0.3), 1e-6);
  EXPECT_NEAR(x[3], std::sin(0.3), 1e-6);
}

TEST(Rope, FactorsSlowItDown) {
  const Rope rope({.n_rot = 4, .base = 100, .style = RopeStyle::half_split, .factors = {1, 8}});
  const Matrix cos_sin(1, 4);
  rope.prepare(10, cos_sin.row(0));
  std::vector<float> x = {0, 1, 0, 0};
  rope.rotate(reference(), x.data(), 1, 4, cos_sin.row(0));
  EXPECT_NEAR(x[1], std::cos(10.0 * 0.1 / 8), 1e-6);
  EXPECT_NEAR(x[3], std::sin(10.0 * 0.1 / 8), 1e-6);
}

TEST(Rope, LeavesTheRestOfAHeadAlone) {
  const Rope rope({.n_rot = 2, .style = RopeStyle::interleaved});
  const Matrix cos_sin(1, 2);
  rope.prepare(5, cos_sin.row(0));
  std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8};
  rope.rotate(reference(), x.data(), 2, 4, cos_sin.row(0));
  EXPECT_EQ(x[2], 3);
  EXPECT_EQ(x[3], 4);
  EXPECT_EQ(x[6], 7);
  EXPECT_NE(x[4], 5);
}

TEST(Ropes, EqualOnesAreOneAndEachHasItsAngles) {
  Ropes ropes;
  const RopeParams local{.n_rot = 4, .base = 100}, global{.n_rot = 6, .base = 1000};
  const Rope &first = ropes.add(local), &second = ropes.add(global);
  EXPECT_EQ(&ropes.add(local), &first);
  EXPECT_NE(&first, &second);
  EXPECT_EQ(ropes.n_rot(), 10U);
  const RopeAngles angles(ropes, 2);
  angles.prepare(1, 7);
  for (const Rope* rope : {&first, &second}) {
    std::vector<float> expected(rope->n_rot());
    rope->prepare(7, expected.data());
    EXPECT_EQ(std::vector<float>(angles.row(*rope, 1), angles.row(*rope, 1) + rope->n_rot()), expected);
  }
}

}  // namespace
}  // namespace ogas
