// Rows gathered for experts and their sums, against plain loops.
#include "ops/experts.h"

#include <algorithm>
#include <numeric>

#include "kernels/kernels_test_tools.h"
#include "ops/cpu/device_test_tools.h"

namespace ogas {
namespace {

constexpr size_t kRows = 5, kCols = 32;

class ExpertOpsTest : public DeviceTest {};

// The largest logits after the bias win; what is added for choosing alone changes no weight.
TEST_P(ExpertOpsTest, RouteAddsItsBiases) {
  const RouterRules rules{.n_expert = 4, .n_used = 2};
  const Matrix logits(kRows, 4);
  for (size_t t = 0; t < kRows; ++t) std::iota(logits.row(t), logits.row(t) + 4, 0.0F);
  const std::vector<float> bias = {5, 0, 0, 0}, choice = {0, 1, 0, 0};
  std::vector<Routed> routed(2 * kRows);
  device_.route({rules, bias, choice}, logits, kRows, routed);
  const double sum = std::exp(5) + std::exp(1) + std::exp(2) + std::exp(3);
  for (size_t t = 0; t < kRows; ++t) {
    EXPECT_EQ(routed[2 * t].expert_idx, 1U);  // 1 + its share of little more than 0
    EXPECT_EQ(routed[2 * t + 1].expert_idx, 0U);
    EXPECT_NEAR(routed[2 * t].weight, std::exp(1) / sum, 1e-6);
    EXPECT_NEAR(routed[2 * t + 1].weight, std::exp(5) / sum, 1e-6);
  }
}

TEST_P(ExpertOpsTest, GatheredRowsMultiplyAsTheirOriginals) {
  const RandomLinear weights(random_, 7, kCols);
  const Activations x = random_.activations(kernels(), kRows, kCols), gathered = Activations::shared(9, kCols);
  const std::vector<size_t> row_of = {3, 0, kNoExpertRow, 5, 1, kNoExpertRow, 8, 2, 4, 6};
  const std::span<const Linear> readers(&weights.linear, 1);
  device_.gather(x, kRows, {.n_used = 2, .row_of = row_of, .gate = {}, .up = readers, .out = gathered});
  const Matrix expected(kRows, 7), y(9, 7);
  device_.multiply(x, kRows, {{weights.linear, expected}});
  for (size_t slot = 0; slot < row_of.size(); ++slot) {
    if (row_of[slot] == kNoExpertRow) continue;
    MatmulCall{weights.linear, gathered, row_of[slot], 1, 0, 7}.run(kernels(), y);
    EXPECT_EQ(row_of_matrix(y, row_of[slot]), row_of_matrix(expected, slot / 2)) << slot;
  }
  EXPECT_FALSE(gathered.are_quantized(7, 1)) << "no slot leads there";
}

TEST_P(ExpertOpsTest, SumsFollowTheOrderOfSlots) {
  const Matrix results = random_.matrix(6, kCols), y = random_.matrix(kRows, kCols);
  const std::vector<Routed> routed = {{0, 0.25F}, {1, 3}, {2, -1}, {0, 7}};
  const std::vector<size_t> row_of = {4, 1, kNoExpertRow, 5};
  const auto untouched = row_of_matrix(y, 2);
  device_.sum_experts(results, routed, row_of, 2, y);
  for (size_t i = 0; i < kCols; ++i) {
    ASSERT_NEAR(y.row(0)[i], 0.25F * results.row(4)[i] + 3 * results.row(1)[i], 1e-6);
    ASSERT_EQ(y.row(1)[i], 7 * results.row(5)[i]);
  }
  EXPECT_EQ(row_of_matrix(y, 2), untouched);
}

TEST_P(ExpertOpsTest, SharedExpertsCountByTheirGate) {
  const RandomLinear gate(random_, 1, kCols);
  const Activations x = random_.activations(kernels(), kRows, kCols);
  const Matrix y = random_.matrix(kRows, 3), shared = random_.matrix(kRows, 3);
  for (const bool has_gate : {true, false}) {
    const auto before = row_of_matrix(y, 1), last = row_of_matrix(y, 4);
    device_.add_shared(y, shared, has_gate ? gate.linear : Linear(), x, 4);
    double share = 0;
    for (size_t i = 0; i < kCols; ++i) share += gate.at(0, i) * x.row(1)[i];
    share = has_gate ? 1 / (1 + std::exp(-share)) : 1;
    for (size_t i = 0; i < 3; ++i) ASSERT_NEAR(y.row(1)[i], before[i] + share * shared.row(1)[i], 1e-5);
    EXPECT_EQ(row_of_matrix(y, 4), last);
  }
}

TEST_P(ExpertOpsTest, ChangeNormDividesAndMultiplies) {
  const Activations x = random_.activations(kernels(), 1, kCols), y(1, kCols);
  std::vector<float> from = random_.values(kCols), to = random_.values(kCols);
  from[3] = 0;
  device_.change_norm(x, from, to, y);
  for (size_t i = 0; i < kCols; ++i)
    ASSERT_NEAR(y.row(0)[i], i == 3 ? x.row(0)[3] : double{x.row(0)[i]} / from[i] * to[i],
                1e-5 * std::max(1.0F, std::abs(y.row(0)[i])));
  device_.change_norm(x, {}, {}, y);
  EXPECT_TRUE(std::equal(y.row(0), y.row(0) + kCols, x.row(0)));
}

INSTANTIATE_TEST_SUITE_P(Available, ExpertOpsTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
