// Random blocks of weights times random activations on every instruction set that this processor has: each within
// rounding of the reference, and all that have the same lanes' products equal in what is exact.
//
// Input: format, sizes and cuts, then bytes that become weights; activations are made of the same bytes.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "kernels/dispatch.h"

namespace {

using namespace ogas;

// Bytes handed out again and again.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint8_t byte() { return size_ == 0 ? 0 : data_[at_++ % size_]; }
  size_t below(size_t n) { return (byte() | size_t{byte()} << 8) % n; }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

struct Quantized {
  explicit Quantized(size_t n_tokens, size_t n_in)
      : codes(n_tokens * n_in),
        scales(n_tokens * n_in / 32),
        sums16(n_tokens * n_in / 16),
        sums32(scales.size()),
        minus16(sums16.size()),
        minus32(scales.size()) {
    for (size_t t = 0; t < n_tokens; ++t)
      rows.push_back({&codes[t * n_in], &scales[t * n_in / 32], &sums16[t * n_in / 16], &sums32[t * n_in / 32],
                      &minus16[t * n_in / 16], &minus32[t * n_in / 32]});
  }
  std::vector<int8_t> codes;
  std::vector<float> scales, sums16, sums32;
  std::vector<int32_t> minus16, minus32;
  std::vector<QuantizedRow> rows;
};

struct Case {
  const FormatFacts& facts;
  size_t n_in, n_out, n_tokens, o_begin, o_end;
  std::vector<std::byte> weights;  // from byte 1 on
  std::vector<float> x;
};

// Weights whose values are numbers of everyday size; false: these bytes have none.
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

std::vector<std::byte> pack(const Ops& ops, const Case& c, size_t& offset) {
  const size_t bytes = ops.panel_rows > 0 ? ops.panel_bytes(c.facts.format, c.n_in) : 0;
  if (bytes == 0) return {};
  const size_t n_panels = (c.n_out + ops.panel_rows - 1) / ops.panel_rows;
  std::vector<std::byte> panels(n_panels * bytes + kPanelAlignment);
  offset = (kPanelAlignment - reinterpret_cast<uintptr_t>(panels.data()) % kPanelAlignment) % kPanelAlignment;
  for (size_t p = 0; p < n_panels; ++p)
    ops.pack_panel({.format = c.facts.format,
                    .weights = c.weights.data() + 1,
                    .n_in = c.n_in,
                    .first_row = p * ops.panel_rows,
                    .row_step = 1,
                    .n_rows = std::min(ops.panel_rows, c.n_out - p * ops.panel_rows),
                    .panel = panels.data() + offset + p * bytes});
  return panels;
}

std::vector<float> multiply(const Ops& ops, const Case& c, const Quantized* quantized, const std::byte* panels,
                            const std::vector<float>& x) {
  const size_t n = c.o_end - c.o_begin;
  std::vector<float> y(c.n_tokens * n, NAN);
  ops.matmul({.format = c.facts.format,
              .weights = c.weights.data() + 1,
              .n_in = c.n_in,
              .block_scales = nullptr,
              .panels = panels,
              .o_begin = c.o_begin,
              .o_end = c.o_end,
              .n_tokens = c.n_tokens,
              .x = x.data(),
              .quantized = quantized ? quantized->rows.data() : nullptr,
              .y = y.data(),
              .y_stride = n});
  return y;
}

void check(const Ops& ops, const Case& c, const std::vector<float>& y, const std::vector<float>& expected,
           const std::vector<float>& x) {
  const size_t n = c.o_end - c.o_begin, row_bytes = c.facts.bytes_for(c.n_in);
  std::vector<float> row(c.n_in);
  for (size_t o = 0; o < n; ++o) {
    c.facts.decode(c.weights.data() + 1 + (c.o_begin + o) * row_bytes, row.data(), c.n_in / c.facts.block_values);
    float largest = 0;
    for (const float value : row) largest = std::max(largest, std::fabs(value));
    for (size_t t = 0; t < c.n_tokens; ++t) {
      double magnitude = 0;
      for (size_t i = 0; i < c.n_in; ++i) magnitude += std::fabs(static_cast<double>(x[t * c.n_in + i]));
      // Scales and offsets are rounded apart: what cancels in a weight does not in their sums.
      const double bound = 1e-5 * magnitude * (largest + 1e-3) * 64 + 1e-30;
      OGAS_CHECK(std::fabs(y[t * n + o] - expected[t * n + o]) <= bound, "{}, {}: row {}, token {}: {} instead of {}",
                 ops.name, c.facts.name, c.o_begin + o, t, y[t * n + o], expected[t * n + o]);
    }
  }
}

void run(const Case& c) {
  const Ops& reference = *available_ops().back();
  for (const Ops* ops : available_ops()) {
    if (!ops->quantizes_activations) continue;
    Quantized quantized(c.n_tokens, c.n_in);
    std::vector<float> rounded(c.x.size());
    for (size_t t = 0; t < c.n_tokens; ++t) ops->quantize(&c.x[t * c.n_in], c.n_in, quantized.rows[t]);
    for (size_t i = 0; i < rounded.size(); ++i)
      rounded[i] = quantized.scales[i / 32] * static_cast<float>(quantized.codes[i]);
    const auto expected = multiply(reference, c, nullptr, nullptr, rounded);
    check(*ops, c, multiply(*ops, c, &quantized, nullptr, rounded), expected, rounded);
    check(*ops, c, multiply(*ops, c, nullptr, nullptr, rounded), expected, rounded);
    size_t offset = 0;
    const auto panels = pack(*ops, c, offset);
    if (!panels.empty())
      check(*ops, c, multiply(*ops, c, &quantized, panels.data() + offset, rounded), expected, rounded);
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
