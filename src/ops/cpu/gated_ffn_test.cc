// Gated feed-forward blocks against their formula.
#include "ops/gated_ffn.h"

#include <deque>

#include "kernels/kernels_test_tools.h"
#include "ops/cpu/device_test_tools.h"

namespace ogas {
namespace {

constexpr size_t kEmbd = 24, kFf = 70;  // of no whole blocks

double glu_of(const Glu& glu, double gate, double up) {
  if (glu.kind == Glu::Kind::silu) return gate / (1 + std::exp(-gate)) * up;
  if (glu.kind == Glu::Kind::gelu_tanh)
    return gate * (1 + std::tanh(std::sqrt(2 / M_PI) * (gate + 0.044715 * gate * gate * gate))) / 2 * up;
  const double limit = glu.clamp.limit, g = std::min(gate, limit);
  return (std::clamp(up, -limit, limit) + 1) * g / (1 + std::exp(-glu.clamp.alpha * g));
}

struct Block {
  explicit Block(RandomTensors& random)
      : gate(random, kFf, kEmbd),
        up(random, kFf, kEmbd),
        down(random, kEmbd, kFf),
        gate_bias(random.values(kFf)),
        up_bias(random.values(kFf)),
        down_bias(random.values(kEmbd)) {}

  RandomLinear gate, up, down;
  std::vector<float> gate_bias, up_bias, down_bias;
};

std::vector<double> expected_row(const Block& b, const GatedRows& rows, const float* x) {
  const auto bias = [](std::span<const float> all, size_t idx) { return all.empty() ? 0.0 : double{all[idx]}; };
  const auto product = [&](const RandomLinear& linear, size_t o) {
    double sum = 0;
    for (size_t i = 0; i < kEmbd; ++i) sum += linear.at(o, i) * x[i];
    return sum;
  };
  std::vector<double> y(kEmbd);
  for (size_t o = 0; o < kEmbd; ++o) y[o] = bias(rows.down_bias, o);
  for (size_t f = 0; f < kFf; ++f) {
    const double gated =
        glu_of(rows.glu, product(b.gate, f) + bias(rows.gate_bias, f), product(b.up, f) + bias(rows.up_bias, f));
    for (size_t o = 0; o < kEmbd; ++o) y[o] += b.down.at(o, f) * gated;
  }
  return y;
}

class GatedFfnTest : public DeviceTest {};

// Three sets of matrices, of which one has no rows, each with a function of its own; one with biases.
TEST_P(GatedFfnTest, EveryRowOfEveryGroup) {
  constexpr size_t kRows = 9;
  std::deque<Block> blocks;
  for (int idx = 0; idx < 3; ++idx) blocks.emplace_back(random_);
  const Activations x = random_.activations(kernels(), kRows, kEmbd), gated(kRows, kFf);
  const Matrix y = random_.matrix(kRows, kEmbd);
  const auto untouched = row_of_matrix(y, 5);
  const auto rows = [&](const Block& b, size_t first_row, size_t n_rows, const Glu& glu) {
    return GatedRows{.gate = b.gate.linear,
                     .up = b.up.linear,
                     .down = b.down.linear,
                     .x = x,
                     .gated = gated,
                     .y = y,
                     .first_row = first_row,
                     .n_rows = n_rows,
                     .glu = glu};
  };
  std::vector<GatedRows> groups;
  groups.push_back(rows(blocks[0], 0, 5, {}));
  groups.push_back(rows(blocks[1], 6, 1, {.kind = Glu::Kind::gelu_tanh}));
  groups.push_back({.gate = blocks[2].gate.linear,
                    .up = blocks[2].up.linear,
                    .down = blocks[2].down.linear,
                    .x = x,
                    .gated = gated,
                    .y = y,
                    .first_row = 7,
                    .n_rows = 2,
                    .glu = {.kind = Glu::Kind::clamped_silu, .clamp = {.alpha = 1.7F, .limit = 1}},
                    .gate_bias = blocks[2].gate_bias,
                    .up_bias = blocks[2].up_bias,
                    .down_bias = blocks[2].down_bias});
  device_.gated_ffn(groups);
  for (size_t idx = 0; idx < groups.size(); ++idx)
    for (size_t t = groups[idx].first_row; t < groups[idx].first_row + groups[idx].n_rows; ++t) {
      const auto expected = expected_row(blocks[idx], groups[idx], x.row(t));
      for (size_t o = 0; o < kEmbd; ++o) ASSERT_NEAR(y.row(t)[o], expected[o], 2e-5) << idx << " " << t << " " << o;
    }
  EXPECT_EQ(row_of_matrix(y, 5), untouched);
  device_.gated_ffn({});
}

TEST_P(GatedFfnTest, RefusesAWorkspaceOfAnotherWidth) {
  const Block block(random_);
  const Activations x = random_.activations(kernels(), 1, kEmbd), gated(1, kFf + 1);
  const Matrix y(1, kEmbd);
  const GatedRows rows = {.gate = block.gate.linear,
                          .up = block.up.linear,
                          .down = block.down.linear,
                          .x = x,
                          .gated = gated,
                          .y = y,
                          .first_row = 0,
                          .n_rows = 1};
  EXPECT_DEATH(device_.gated_ffn({&rows, 1}), "71 columns, 70 needed");
}

INSTANTIATE_TEST_SUITE_P(Available, GatedFfnTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
