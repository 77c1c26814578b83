// The short convolution and the delta rule against their formulas in double precision, and their states.
#include <algorithm>

#include "kernels/kernels_test_tools.h"
#include "ops/cpu/device_test_tools.h"

namespace ogas {
namespace {

double silu(double x) { return x / (1 + std::exp(-x)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Two sequences with random states: one has a single row, the other more than any convolution sees.
class RecurrentTest : public DeviceTest {
 protected:
  static constexpr size_t kRows = 8;

  // The longer one has a snapshot before a row.
  void make_states(size_t n_values, size_t snapshot_row) {
    states_ = {random_.values(n_values), random_.values(n_values)};
    before_ = states_;
    snapshot_.assign(n_values, -1);
    runs_ = {{states_[0], 0, 1}, {states_[1], 1, kRows - 1, snapshot_, snapshot_row}};
  }
  StateRows rows() const { return {runs_, run_of_row_, kinds_}; }

  std::vector<std::vector<float>> states_, before_;
  std::vector<float> snapshot_;
  std::vector<StateRun> runs_;
  const std::vector<uint32_t> run_of_row_ = {0, 1, 1, 1, 1, 1, 1, 1};
  const std::vector<RowKind> kinds_ = {RowKind::decode,  RowKind::prefill, RowKind::prefill, RowKind::prefill,
                                       RowKind::prefill, RowKind::prefill, RowKind::prefill, RowKind::prefill};
};

class ShortConvTest : public RecurrentTest {
 protected:
  static constexpr size_t kTaps = 4, kChannels = 48, kHeads = 3, kDim = 8, kFirst = 16;
  static constexpr float kEps = 1e-4F;

  // The input of a run's position, which may lie before its rows.
  const float* input(const Matrix& x, size_t run, ptrdiff_t idx) const {
    constexpr ptrdiff_t kPast = kTaps - 1;
    return idx < 0 ? before_[run].data() + (kPast + idx) * static_cast<ptrdiff_t>(kChannels)
                   : x.row(runs_[run].first_row + static_cast<size_t>(idx));
  }
};

TEST_P(ShortConvTest, EachChannelSeesItsPast) {
  constexpr size_t kPast = kTaps - 1;
  constexpr size_t kSnapshotRow = 2;
  make_states(kPast * kChannels + 5, kSnapshotRow);  // what follows is the delta rule's
  const Matrix x = random_.matrix(kRows, kChannels), y(kRows, kChannels);
  const auto weight = random_.values(kTaps * kChannels), norm = random_.values(kDim);
  device_.short_conv({.x = x,
                      .weight = weight,
                      .n_taps = kTaps,
                      .rows = rows(),
                      .normed = {{kHeads, kDim, kFirst, {.weight = norm, .eps = kEps}}}},
                     y);
  for (size_t t = 0; t < kRows; ++t) {
    const size_t run = run_of_row_[t];
    const auto idx = static_cast<ptrdiff_t>(t - runs_[run].first_row);
    std::vector<double> row(kChannels);
    for (size_t tap = 0; tap < kTaps; ++tap)
      for (size_t c = 0; c < kChannels; ++c)
        row[c] += double{weight[tap * kChannels + c]} *
                  input(x, run, idx + static_cast<ptrdiff_t>(tap) - static_cast<ptrdiff_t>(kPast))[c];
    for (double& value : row) value = silu(value);
    for (size_t h = 0; h < kHeads; ++h) {
      double squares = 0;
      for (size_t d = 0; d < kDim; ++d) squares += row[kFirst + h * kDim + d] * row[kFirst + h * kDim + d];
      for (size_t d = 0; d < kDim; ++d) row[kFirst + h * kDim + d] *= norm[d] / std::sqrt(squares / kDim + kEps);
    }
    for (size_t c = 0; c < kChannels; ++c) ASSERT_NEAR(y.row(t)[c], row[c], 2e-5) << kernels().name << " " << t;
  }
  for (const size_t run : {0, 1}) {
    for (size_t i = 0; i < kPast; ++i) {
      const float* kept = input(x, run, static_cast<ptrdiff_t>(runs_[run].n_rows + i) - static_cast<ptrdiff_t>(kPast));
      for (size_t c = 0; c < kChannels; ++c) ASSERT_EQ(states_[run][i * kChannels + c], kept[c]) << run << " " << i;
    }
    EXPECT_TRUE(std::equal(states_[run].end() - 5, states_[run].end(), before_[run].end() - 5));
  }
  // One input of the snapshot is of this batch, the others were in the state.
  for (size_t i = 0; i < kPast; ++i) {
    const float* kept = input(x, 1, static_cast<ptrdiff_t>(kSnapshotRow - 1 + i) - static_cast<ptrdiff_t>(kPast));
    for (size_t c = 0; c < kChannels; ++c) ASSERT_EQ(snapshot_[i * kChannels + c], kept[c]) << i;
  }
  EXPECT_EQ(snapshot_.back(), -1);
}

class DeltaRuleTest : public RecurrentTest {
 protected:
  static constexpr size_t kHeadsK = 2, kGroup = 3, kHeadsV = kHeadsK * kGroup, kK = 16, kV = 8, kOffset = 11;
  static constexpr float kEps = 1e-5F;

  // The matrix of a head after each of its run's rows, and what it gives: [v_dim].
  std::vector<double> step(std::vector<double>& matrix, const float* q, const float* k, const float* v, double decay,
                           double beta) {
    std::vector<double> out(kV);
    for (size_t i = 0; i < kV; ++i) {
      double held = 0;
      for (size_t j = 0; j < kK; ++j) held += (matrix[i * kK + j] *= decay) * k[j];
      for (size_t j = 0; j < kK; ++j) {
        matrix[i * kK + j] += beta * (v[i] - held) * k[j];
        out[i] += matrix[i * kK + j] * q[j];
      }
    }
    return out;
  }
};

TEST_P(DeltaRuleTest, HeadsOfValuesShareKeysAndKeepMatrices) {
  const auto a = random_.values(kHeadsV), dt = random_.values(kHeadsV), norm = random_.values(kV);
  for (const bool is_tiled : {false, true}) {
    const DeltaHeads heads{.n_head_k = kHeadsK, .n_head_v = kHeadsV, .k_dim = kK, .v_dim = kV, .is_tiled = is_tiled};
    constexpr size_t kSnapshotRow = 5;
    make_states(kOffset + heads.n_v() * kK, kSnapshotRow);
    Matrix qkv = random_.matrix(kRows, 2 * heads.n_k() + heads.n_v()), z = random_.matrix(kRows, heads.n_v());
    for (size_t t = 0; t < kRows; ++t)  // keys of about length 1
      for (size_t i = 0; i < 2 * heads.n_k(); ++i) qkv.row(t)[i] /= 4;
    std::vector<std::vector<float>> z_before;
    for (size_t t = 0; t < kRows; ++t) z_before.push_back(row_of_matrix(z, t));
    // For each head of keys its betas, then its alphas.
    const Matrix gates = random_.matrix(kRows, 2 * kHeadsV);
    const Activations y(kRows, heads.n_v());
    device_.delta_rule({.heads = heads,
                        .qkv = qkv,
                        .z = z,
                        .alpha = {gates, kGroup, kGroup, 2 * kGroup},
                        .beta = {gates, 0, kGroup, 2 * kGroup},
                        .a = a,
                        .dt = dt,
                        .norm = {.weight = norm, .eps = kEps},
                        .rows = rows(),
                        .state_offset = kOffset},
                       y);
    ASSERT_TRUE(y.are_quantized(0, kRows));
    for (size_t run = 0; run < 2; ++run)
      for (size_t h = 0; h < kHeadsV; ++h) {
        const size_t key_head = is_tiled ? h % kHeadsK : h / kGroup;
        const auto first = before_[run].begin() + static_cast<ptrdiff_t>(kOffset + h * kV * kK);
        std::vector<double> matrix(first, first + kV * kK);
        for (size_t t = runs_[run].first_row; t < runs_[run].end_row(); ++t) {
          for (size_t i = 0; t == kSnapshotRow && i < kV * kK; ++i)
            ASSERT_NEAR(snapshot_[kOffset + h * kV * kK + i], matrix[i], 1e-3 * std::max(1.0, std::abs(matrix[i])));
          EXPECT_EQ(y.kind(t), kinds_[t]);
          const float* group = gates.row(t) + h / kGroup * 2 * kGroup;
          const double alpha = group[kGroup + h % kGroup] + double{dt[h]};
          const double decay = std::exp(a[h] * std::log1p(std::exp(alpha)));
          auto out = step(matrix, qkv.row(t) + key_head * kK, qkv.row(t) + heads.n_k() + key_head * kK,
                          qkv.row(t) + 2 * heads.n_k() + h * kV, decay, sigmoid(group[h % kGroup]));
          double squares = 0;
          for (const double value : out) squares += value * value;
          for (size_t i = 0; i < kV; ++i) {
            const double expected = out[i] / std::sqrt(squares / kV + kEps) * norm[i] * silu(z_before[t][h * kV + i]);
            ASSERT_NEAR(y.row(t)[h * kV + i], expected, 1e-3) << kernels().name << " " << t << " " << h << " " << i;
          }
        }
        for (size_t i = 0; i < kV * kK; ++i)
          ASSERT_NEAR(states_[run][kOffset + h * kV * kK + i], matrix[i], 1e-3 * std::max(1.0, std::abs(matrix[i])));
      }
  }
}

TEST_P(DeltaRuleTest, ColumnsAreSplitByGroups) {
  const Matrix x = random_.matrix(kRows, 3 * (2 + 5)), a(kRows, 10), b(kRows, 15);
  device_.split_columns(x, 3, {{a, 4, 2}, {b, 0, 5}}, kRows - 1);
  for (size_t group = 0; group < 3; ++group) {
    const float* from = x.row(2) + group * 7;
    EXPECT_TRUE(std::equal(from, from + 2, a.row(2) + 4 + group * 2)) << group;
    EXPECT_TRUE(std::equal(from + 2, from + 7, b.row(2) + group * 5)) << group;
  }
  EXPECT_EQ(a.row(kRows - 1)[4], 0) << "more rows than asked for";
  EXPECT_DEATH(device_.split_columns(x, 3, {{a, 4, 2}}, kRows), "3 groups of 2 columns, of 21");
}

INSTANTIATE_TEST_SUITE_P(Available, ShortConvTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });
INSTANTIATE_TEST_SUITE_P(Available, DeltaRuleTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
