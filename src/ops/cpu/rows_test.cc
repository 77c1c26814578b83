// Norms and sums of rows against their formulas.
#include "kernels/kernels_test_tools.h"
#include "ops/cpu/device_test_tools.h"

namespace ogas {
namespace {

constexpr size_t kRows = 5, kCols = 77;
constexpr float kEps = 1e-5F;

class RowsTest : public DeviceTest {
 protected:
  static double norm_of(std::span<const float> x) {
    double squares = 0;
    for (const float value : x) squares += double{value} * value;
    return 1 / std::sqrt(squares / static_cast<double>(x.size()) + kEps);
  }

  const std::vector<float> weight_ = random_.values(kCols);
};

TEST_P(RowsTest, RmsNorm) {
  const Matrix x = random_.matrix(kRows, kCols);
  const Activations y(kRows, kCols);
  const RowKind kinds[] = {RowKind::prefill, RowKind::decode, RowKind::decode, RowKind::prefill};
  device_.rms_norm(x, kinds, weight_, kEps, y);
  for (size_t t = 0; t < 4; ++t) {
    EXPECT_EQ(y.kind(t), kinds[t]);
    const double scale = norm_of(row_of(x, t));
    for (size_t i = 0; i < kCols; ++i)
      ASSERT_NEAR(y.row(t)[i], x.row(t)[i] * scale * weight_[i], 1e-5) << t << " " << i;
  }
  EXPECT_FALSE(y.are_quantized(4, 1)) << "more rows than kinds";
  EXPECT_DEATH(device_.rms_norm(x, kinds, std::span(weight_).first(3), kEps, y), "3 weights for 77 columns");
}

TEST_P(RowsTest, SumsAndCaps) {
  const Matrix y = random_.matrix(kRows, kCols), x = random_.matrix(kRows, kCols);
  const auto y_before = row_of(y, 2), x_before = row_of(x, 2), last = row_of(y, 4);
  device_.add(y, x, 4);
  for (size_t i = 0; i < kCols; ++i) ASSERT_EQ(y.row(2)[i], y_before[i] + x_before[i]);
  const auto sum = row_of(y, 2);
  device_.add_normed(y, x, weight_, kEps, 4);
  const double scale = norm_of(x_before);
  for (size_t i = 0; i < kCols; ++i) ASSERT_NEAR(y.row(2)[i], sum[i] + x_before[i] * scale * weight_[i], 1e-5) << i;
  const auto uncapped = row_of(y, 3);
  device_.soft_cap(y, 1.5F, 4);
  for (size_t i = 0; i < kCols; ++i) ASSERT_NEAR(y.row(3)[i], 1.5 * std::tanh(uncapped[i] / 1.5), 1e-5) << i;
  EXPECT_EQ(row_of(y, 4), last) << "not among the rows";
}

INSTANTIATE_TEST_SUITE_P(Available, RowsTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
