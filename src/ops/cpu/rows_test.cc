// Norms and sums of rows against their formulas.
#include <algorithm>

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
    const double scale = norm_of(row_of_matrix(x, t));
    for (size_t i = 0; i < kCols; ++i)
      ASSERT_NEAR(y.row(t)[i], x.row(t)[i] * scale * weight_[i], 1e-5) << t << " " << i;
  }
  EXPECT_FALSE(y.are_quantized(4, 1)) << "more rows than kinds";
  EXPECT_DEATH(device_.rms_norm(x, kinds, std::span(weight_).first(3), kEps, y), "3 weights for 77 columns");
}

TEST_P(RowsTest, SumsAndCaps) {
  const Matrix y = random_.matrix(kRows, kCols), x = random_.matrix(kRows, kCols);
  const auto y_before = row_of_matrix(y, 2), x_before = row_of_matrix(x, 2), last = row_of_matrix(y, 4);
  device_.add(y, x, 4);
  for (size_t i = 0; i < kCols; ++i) ASSERT_EQ(y.row(2)[i], y_before[i] + x_before[i]);
  const auto sum = row_of_matrix(y, 2);
  device_.add_normed(y, x, weight_, kEps, 4);
  const double scale = norm_of(x_before);
  for (size_t i = 0; i < kCols; ++i) ASSERT_NEAR(y.row(2)[i], sum[i] + x_before[i] * scale * weight_[i], 1e-5) << i;
  const auto uncapped = row_of_matrix(y, 3);
  device_.soft_cap(y, 1.5F, 4);
  for (size_t i = 0; i < kCols; ++i) ASSERT_NEAR(y.row(3)[i], 1.5 * std::tanh(uncapped[i] / 1.5), 1e-5) << i;
  EXPECT_EQ(row_of_matrix(y, 4), last) << "not among the rows";
}

TEST_P(RowsTest, SomeRowsCopiedAndNormed) {
  const Matrix x = random_.matrix(kRows, kCols), other = random_.matrix(kRows, 3), y(3, kCols);
  const uint32_t rows[] = {4, 0, 4};
  device_.copy_rows(x, rows, y);
  for (size_t idx = 0; idx < 3; ++idx) EXPECT_EQ(row_of_matrix(y, idx), row_of_matrix(x, rows[idx]));
  device_.rms_norm_of(x, rows, weight_, kEps, y);
  for (size_t idx = 0; idx < 3; ++idx)
    for (size_t i = 0; i < kCols; ++i)
      ASSERT_NEAR(y.row(idx)[i], x.row(rows[idx])[i] * norm_of(row_of_matrix(x, rows[idx])) * weight_[i], 1e-5);

  const std::vector<float> other_weight = {1, 2, -3};
  const Activations pair(kRows, kCols + 3);
  const RowKind kinds[] = {RowKind::decode, RowKind::prefill};
  device_.rms_norm_pair({x, weight_}, {other, other_weight}, kinds, kEps, pair);
  EXPECT_TRUE(pair.are_quantized(0, 2));
  EXPECT_FALSE(pair.are_quantized(2, 1));
  for (size_t i = 0; i < 3; ++i)
    ASSERT_NEAR(pair.row(1)[kCols + i], other.row(1)[i] * norm_of(row_of_matrix(other, 1)) * other_weight[i], 1e-5);
  ASSERT_NEAR(pair.row(1)[5], x.row(1)[5] * norm_of(row_of_matrix(x, 1)) * weight_[5], 1e-5);
}

TEST_P(RowsTest, BiasesAndOtherForms) {
  const Matrix y = random_.matrix(kRows, kCols);
  const auto before = row_of_matrix(y, 1), last = row_of_matrix(y, 4);
  device_.add_bias(y, weight_, 4);
  for (size_t i = 0; i < kCols; ++i) ASSERT_EQ(y.row(1)[i], before[i] + weight_[i]);
  EXPECT_EQ(row_of_matrix(y, 4), last) << "not among the rows";

  const Activations x(kRows, 64);
  random_.fill(x.write(0, kRows), 0, kRows);
  const RowKind kinds[] = {RowKind::decode, RowKind::prefill};
  device_.quantize(x, kinds);
  EXPECT_TRUE(x.are_quantized(0, 2));
  EXPECT_FALSE(x.are_quantized(2, 1));
  for (const size_t t : {0, 1}) EXPECT_EQ(x.kind(t), kinds[t]);
}

// Each rotation of a model has angles of its own.
TEST_P(RowsTest, AnglesOfPositions) {
  Ropes ropes;
  const Rope& slow = ropes.add({.n_rot = 4, .base = 1e6});
  const Rope& fast = ropes.add({.n_rot = 8, .base = 100, .attention_factor = 2});
  const RopeAngles angles(ropes, kRows);
  const size_t positions[] = {0, 70'000, 3};
  device_.prepare_angles(angles, positions);
  for (size_t t = 0; t < 3; ++t) {
    const auto position = static_cast<double>(positions[t]);
    for (size_t j = 0; j < 2; ++j) {
      const double angle = position * std::pow(1e6, -static_cast<double>(j) / 2);
      ASSERT_NEAR(angles.row(slow, t)[2 * j], std::cos(angle), 1e-6) << t << " " << j;
      ASSERT_NEAR(angles.row(slow, t)[2 * j + 1], std::sin(angle), 1e-6) << t << " " << j;
    }
    for (size_t j = 0; j < 4; ++j) {
      const double angle = position * std::pow(100, -static_cast<double>(j) / 4);
      ASSERT_NEAR(angles.row(fast, t)[2 * j], 2 * std::cos(angle), 1e-6) << t << " " << j;
      ASSERT_NEAR(angles.row(fast, t)[2 * j + 1], 2 * std::sin(angle), 1e-6) << t << " " << j;
    }
  }
  const Rope other({.n_rot = 4});
  EXPECT_DEATH(angles.row(other, 0), "not one of the model's 2");
}

// Rows in memory, and rows that are read, of which one cannot be.
TEST_P(RowsTest, EmbeddingsFromMemoryAndFiles) {
  class Reader : public StoredReader {
   public:
    Result<> read(std::span<const std::byte> stored, std::span<std::byte> buffer) const override {
      if (stored.data() == bad) return fail(ErrorCode::io, "a bad sector");
      std::ranges::copy(stored, buffer.begin());
      return {};
    }
    const std::byte* bad = nullptr;
  };
  const RandomLinear table(random_, 6, kCols);
  const Matrix y(kRows, kCols);
  const int32_t tokens[] = {5, 0, 3};
  Reader reader;
  for (const StoredReader* from :
       {static_cast<const StoredReader*>(nullptr), static_cast<const StoredReader*>(&reader)}) {
    ASSERT_TRUE(device_.embed({table.linear, from}, tokens, 2, y));
    for (size_t t = 0; t < 3; ++t)
      for (size_t i = 0; i < kCols; ++i)
        ASSERT_EQ(y.row(t)[i], 2 * table.weights[static_cast<size_t>(tokens[t]) * kCols + i]) << t;
  }
  reader.bad = table.linear.rows(3, 1).stored().data();
  const auto failed = device_.embed({table.linear, &reader}, tokens, 1, y);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "a bad sector");
}

INSTANTIATE_TEST_SUITE_P(Available, RowsTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
