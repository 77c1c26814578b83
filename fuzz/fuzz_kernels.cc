// Random blocks of weights times random activations, on every instruction set of this processor: row by row, from
// panels, without rounding to 8 bits, and by tiles of BF16. Each must be within rounding of the reference.
//
// Input: format, sizes and cuts, then bytes that become weights; activations are made of the same bytes.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "base/check.h"
#include "kernels/dispatch.h"
#include "kernels/kernels_test_inputs.h"

namespace {

using namespace ogas;

// Bytes, repeated without end.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint8_t byte() { return size_ == 0 ? 0 : data_[at_++ % size_]; }
  size_t below(size_t n) { return (byte() | size_t{byte()} << 8) % n; }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

struct Case {
  const FormatFacts& facts;
  size_t n_in, n_out, n_tokens, o_begin, o_end;
  std::vector<std::byte> weights;  // from byte 1 on
  std::vector<float> x;
};

// Weights with values of ordinary size. False: these bytes give none.
bool is_sane(const Case& c) {
  std::vector<float> values(c.n_in);
  const size_t row_bytes = c.facts.bytes_for(c.n_in);
  for (size_t o = 0; o < c.n_out; ++o) {
    c.facts.decode(c.weights.data() + 1 + o * row_bytes, values.data(), c.n_in / c.facts.block_values);
    for (const float value : values)
      if (!std::isfinite(value) || std::fabs(value) > 1e6F) return false;
  }
  return true;
}

std::vector<float> multiply(const CpuKernels& kernels, const Case& c, const Quantized* quantized,
                            const std::byte* panels, const std::vector<float>& x,
                            const std::vector<uint16_t>& tiles = {}) {
  const size_t n = c.o_end - c.o_begin;
  std::vector<float> y(c.n_tokens * n, NAN);
  kernels.matmul({.format = c.facts.format,
                  .weights = c.weights.data() + 1,
                  .n_in = c.n_in,
                  .block_scales = nullptr,
                  .panels = panels,
                  .o_begin = c.o_begin,
                  .o_end = c.o_end,
                  .n_tokens = c.n_tokens,
                  .x = x.data(),
                  .quantized = quantized ? quantized->rows.data() : nullptr,
                  .bf16 = tiles.empty() ? nullptr : tiles.data(),
                  .y = y.data(),
                  .y_stride = n});
  return y;
}

void check(const CpuKernels& kernels, const Case& c, const std::vector<float>& y, const std::vector<float>& expected,
           const std::vector<float>& x, double tolerance = 6.4e-4) {
  const size_t n = c.o_end - c.o_begin, row_bytes = c.facts.bytes_for(c.n_in);
  std::vector<float> row(c.n_in);
  for (size_t o = 0; o < n; ++o) {
    c.facts.decode(c.weights.data() + 1 + (c.o_begin + o) * row_bytes, row.data(), c.n_in / c.facts.block_values);
    float largest = 0;
    for (const float value : row) largest = std::max(largest, std::fabs(value));
    for (size_t t = 0; t < c.n_tokens; ++t) {
      double magnitude = 0;
      for (size_t i = 0; i < c.n_in; ++i) magnitude += std::fabs(static_cast<double>(x[t * c.n_in + i]));
      // Scales and offsets are rounded separately: what cancels in a weight does not in their sums.
      const double bound = tolerance * magnitude * (largest + 1e-3) + 1e-30;
      OGAS_CHECK(std::fabs(y[t * n + o] - expected[t * n + o]) <= bound, "{}, {}: row {}, token {}: {} instead of {}",
                 kernels.name, c.facts.name, c.o_begin + o, t, y[t * n + o], expected[t * n + o]);
    }
  }
}

void run(const Case& c) {
  const CpuKernels& reference = *available_kernels().back();
  for (const CpuKernels* kernels : available_kernels()) {
    if (!kernels->quantizes_activations) continue;
    const Quantized quantized(*kernels, c.x, c.n_in);
    const auto rounded = quantized.values();
    const auto expected = multiply(reference, c, nullptr, nullptr, rounded);
    check(*kernels, c, multiply(*kernels, c, &quantized, nullptr, rounded), expected, rounded);
    check(*kernels, c, multiply(*kernels, c, nullptr, nullptr, rounded), expected, rounded);
    if (kernels->panel_rows == 0) continue;
    const Panels panels(*kernels, c.facts.format, c.weights.data() + 1, c.n_out, c.n_in, 0, 1);
    if (panels.data()) check(*kernels, c, multiply(*kernels, c, &quantized, panels.data(), rounded), expected, rounded);
    if (!panels.data() || kernels->tile_rows == 0) continue;
    constexpr double kTwoRoundings = 2.0 / 256;  // of a weight and of an activation, to 8 bits of mantissa
    check(*kernels, c, multiply(*kernels, c, &quantized, panels.data(), rounded, make_tiles(*kernels, rounded, c.n_in)),
          expected, rounded, kTwoRoundings);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  std::vector<const FormatFacts*> formats;
  for (const FormatFacts& facts : all_formats())
    if (facts.block_values > 1 && facts.format != Format::mxfp4_split) formats.push_back(&facts);
  const FormatFacts& facts = *formats[input.byte() % formats.size()];
  const size_t n_in = std::max<size_t>(facts.block_values, 32) * (1 + input.below(6)), n_out = 1 + input.below(50);
  const size_t o_begin = input.below(n_out), o_end = o_begin + 1 + input.below(n_out - o_begin);
  Case c{facts, n_in, n_out, 1 + input.below(20), o_begin, o_end, {}, {}};
  c.weights.resize(1 + n_out * facts.bytes_for(n_in));
  for (auto& byte : c.weights) byte = static_cast<std::byte>(input.byte());
  if (!is_sane(c)) return -1;
  c.x.resize(c.n_tokens * n_in);
  for (float& x : c.x)
    x = static_cast<float>(static_cast<int8_t>(input.byte())) * std::ldexp(1.0F, input.byte() % 8 - 4);
  run(c);
  return 0;
}
