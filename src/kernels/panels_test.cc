// Packed weights of every instruction set that packs any: what they hold, and what they multiply to.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/kernels_test_tools.h"

namespace ogas {
namespace {

class PanelsTest : public ::testing::TestWithParam<const CpuKernels*> {
 protected:
  const CpuKernels& kernels() const { return *GetParam(); }
};

struct PanelCall {
  size_t first_output, n_outputs;  // of the packed rows
  size_t first_token, n_tokens;
};

std::vector<float> multiply_panels(const CpuKernels& kernels, Format format, const Panels& panels, size_t n_in,
                                   const Quantized& x, const PanelCall& c) {
  std::vector<float> y(c.n_tokens * c.n_outputs, NAN);
  // Half of the offset as rows before row 0 of the layer, half as outputs before the first.
  const size_t before = c.first_output / 2;
  kernels.matmul({.format = format,
                  .weights = nullptr,
                  .n_in = n_in,
                  .block_scales = nullptr,
                  .panels = panels.data(),
                  .panel_row = before,
                  .o_begin = c.first_output - before,
                  .o_end = c.first_output - before + c.n_outputs,
                  .n_tokens = c.n_tokens,
                  .x = nullptr,
                  .quantized = x.rows.data() + c.first_token,
                  .y = y.data(),
                  .y_stride = c.n_outputs});
  return y;
}

// Activations of a single 1 bring out each weight by itself: its code, exactly, times its scales.
TEST_P(PanelsTest, PanelsHoldTheWeights) {
  Random random(21);
  for (const FormatFacts& facts : all_formats()) {
    const size_t n_in = std::max<size_t>(64, facts.block_values), n_out = 19;
    if (kernels().panel_bytes(facts.format, n_in) == 0) continue;
    SCOPED_TRACE(facts.name);
    const Weights weights(facts.format, 2 * n_out, n_in, random);
    const Panels panels(kernels(), facts.format, weights.data(), n_out, n_in, 1, 2);
    EXPECT_LE(kernels().panel_bytes(facts.format, 4096), kernels().panel_rows * facts.bytes_for(4096) * 103 / 100);
    std::vector<float> units(n_in * n_in);
    for (size_t i = 0; i < n_in; ++i) units[i * n_in + i] = 127;
    const Quantized x(kernels(), units, n_in);
    const auto y = multiply_panels(kernels(), facts.format, panels, n_in, x, {0, n_out, 0, n_in});
    for (size_t o = 0; o < n_out; ++o) {
      const auto row = weights.row(1 + 2 * o);
      // The bound is that of the rounding of scale * code + offset, whose parts may be larger than their sum.
      float largest = 0;
      for (const float value : row) largest = std::max(largest, std::fabs(value));
      for (size_t i = 0; i < n_in; ++i)
        ASSERT_NEAR(y[i * n_out + o], 127 * row[i], 127 * 2e-6 * largest) << "row " << o << ", input " << i;
    }
  }
}

TEST_P(PanelsTest, RowsAreThoseOfTheFile) {
  Random random(23);
  for (const FormatFacts& facts : all_formats()) {
    const size_t n_in = std::max<size_t>(96, 3 * facts.block_values), n_out = 2 * kernels().panel_rows + 3;
    if (kernels().panel_bytes(facts.format, n_in) == 0) continue;
    SCOPED_TRACE(facts.name);
    const Weights weights(facts.format, n_out, n_in, random);
    const Panels panels(kernels(), facts.format, weights.data(), n_out, n_in, 0, 1);
    for (size_t o = 0; o < n_out; ++o) {
      std::vector<float> row(n_in);
      kernels().read_panel_row(facts.format,
                               panels.data() + o / kernels().panel_rows * kernels().panel_bytes(facts.format, n_in),
                               n_in, o % kernels().panel_rows, row.data());
      ASSERT_EQ(row, weights.row(o)) << "row " << o;
    }
  }
}

TEST_P(PanelsTest, MatmulOfPanels) {
  Random random(22);
  for (const FormatFacts& facts : all_formats()) {
    for (const size_t n_in : {facts.block_values * size_t{1}, facts.block_values * size_t{3}, size_t{2304}}) {
      if (n_in % 32 != 0 || kernels().panel_bytes(facts.format, n_in) == 0) continue;
      SCOPED_TRACE(fmt::format("{} with {} inputs", facts.name, n_in));
      const size_t n_out = 39, n_tokens = 15;
      const Weights weights(facts.format, n_out, n_in, random);
      const Panels panels(kernels(), facts.format, weights.data(), n_out, n_in, 0, 1);
      auto x = random.normals(n_tokens * n_in);
      for (size_t i = 0; i < n_in; ++i) {
        x[i] = 127;  // the largest sums there are
        x[n_in + i] = -127;
        x[2 * n_in + i] *= i < 32 ? 1e30F : 0;  // huge, then zeros
      }
      const Quantized quantized(kernels(), x, n_in);
      const auto rounded = quantized.values();
      const auto y = multiply_panels(kernels(), facts.format, panels, n_in, quantized, {0, n_out, 0, n_tokens});
      std::vector<float> exact(y.size());
      for (size_t o = 0; o < n_out; ++o) {
        const auto row = weights.row(o);
        for (size_t t = 0; t < n_tokens; ++t) {
          double sum = 0;
          for (size_t i = 0; i < n_in; ++i) sum += static_cast<double>(row[i]) * rounded[t * n_in + i];
          exact[t * n_out + o] = static_cast<float>(sum);
        }
      }
      expect_close_sums(y, exact, weights, n_out, n_in, rounded);
      for (const PanelCall& c : {PanelCall{0, 1, 0, 1},
                                 {0, 39, 14, 1},
                                 {5, 27, 3, 2},
                                 {16, 16, 1, 4},
                                 {17, 22, 2, 7},
                                 {31, 2, 0, 15},
                                 {38, 1, 5, 9}}) {
        const auto part = multiply_panels(kernels(), facts.format, panels, n_in, quantized, c);
        for (size_t t = 0; t < c.n_tokens; ++t)
          ASSERT_EQ(0, std::memcmp(&part[t * c.n_outputs], &y[(c.first_token + t) * n_out + c.first_output],
                                   c.n_outputs * sizeof(float)))
              << "outputs from " << c.first_output << ", token " << c.first_token + t;
      }
    }
  }
}

float to_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

std::vector<float> multiply_tiles(const CpuKernels& kernels, Format format, const Panels& panels, size_t n_in,
                                  const std::vector<uint16_t>& tiles, const PanelCall& c) {
  std::vector<float> y(c.n_tokens * c.n_outputs, NAN);
  kernels.matmul({.format = format,
                  .weights = nullptr,
                  .n_in = n_in,
                  .block_scales = nullptr,
                  .panels = panels.data(),
                  .panel_row = 0,
                  .o_begin = c.first_output,
                  .o_end = c.first_output + c.n_outputs,
                  .n_tokens = c.n_tokens,
                  .x = nullptr,
                  .quantized = nullptr,
                  .bf16 = tiles.data() + c.first_token / kernels.tile_rows * kernels.tile_rows * n_in,
                  .bf16_skip = c.first_token % kernels.tile_rows,
                  .y = y.data(),
                  .y_stride = c.n_outputs});
  return y;
}

// Weights and activations are rounded to BF16, once each.
TEST_P(PanelsTest, MatmulOfPanelsByTiles) {
  if (kernels().tile_rows == 0) GTEST_SKIP() << "these operations have no tiles";
  Random random(24);
  for (const FormatFacts& facts : all_formats()) {
    for (const size_t n_in : {facts.block_values * size_t{3}, size_t{2304}}) {
      if (n_in % 32 != 0 || kernels().panel_bytes(facts.format, n_in) == 0) continue;
      SCOPED_TRACE(fmt::format("{} with {} inputs", facts.name, n_in));
      const size_t n_out = 39, n_tokens = 37;
      const Weights weights(facts.format, n_out, n_in, random);
      const Panels panels(kernels(), facts.format, weights.data(), n_out, n_in, 0, 1);
      const auto x = random.normals(n_tokens * n_in);
      const auto tiles = make_tiles(kernels(), x, n_in);
      const auto y = multiply_tiles(kernels(), facts.format, panels, n_in, tiles, {0, n_out, 0, n_tokens});
      for (size_t o = 0; o < n_out; ++o) {
        const auto row = weights.row(o);
        float largest = 0;
        for (const float weight : row) largest = std::max(largest, std::fabs(weight));
        for (size_t t = 0; t < n_tokens; ++t) {
          double sum = 0, bound = 0;
          for (size_t i = 0; i < n_in; ++i) {
            const double rounded = to_bf16(x[t * n_in + i]);
            sum += static_cast<double>(to_bf16(row[i])) * rounded;
            // Ties and near-ties may be rounded the other way: one step of BF16 where the F32 sum is near.
            bound += std::fabs(rounded) * (largest * 1e-4 + std::fabs(row[i]) * 2e-4);
          }
          ASSERT_NEAR(y[t * n_out + o], sum, bound + 1e-6) << "row " << o << ", token " << t;
        }
      }
      for (const PanelCall& c :
           {PanelCall{0, 1, 0, 1}, {0, 39, 36, 1}, {5, 27, 3, 2}, {16, 16, 1, 15}, {17, 22, 15, 2}, {31, 2, 0, 37}}) {
        const auto part = multiply_tiles(kernels(), facts.format, panels, n_in, tiles, c);
        for (size_t t = 0; t < c.n_tokens; ++t)
          ASSERT_EQ(0, std::memcmp(&part[t * c.n_outputs], &y[(c.first_token + t) * n_out + c.first_output],
                                   c.n_outputs * sizeof(float)))
              << "outputs from " << c.first_output << ", token " << c.first_token + t;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Available, PanelsTest, ::testing::ValuesIn(tested_ops()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
