// What tests of kernels share: random weights of every format, quantized activations, and how close sums must be.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/implementations.h"
#include "kernels/kernels_test_inputs.h"
#include "quant/f8_e4m3.h"

namespace ogas {

// As part of a test's name, which may hold letters, digits and underscores.
inline std::string test_name(const CpuKernels& kernels) {
  std::string name(kernels.name);
  std::ranges::replace(name, '-', '_');
  return name;
}

#ifdef OGAS_TESTS_AVXVNNI
extern const IsaKernels kAvxVnniInAvx512Kernels;
#endif

// Those of this CPU, and those of other CPUs that it can run.
inline std::vector<const CpuKernels*> tested_ops() {
  std::vector<const CpuKernels*> all = available_kernels();
#ifdef OGAS_TESTS_AVXVNNI
  static const CpuKernels avxvnni = make_kernels(kAvxVnniInAvx512Kernels);
  if (std::ranges::find(all, std::string_view("avx512vnni"), &CpuKernels::name) != all.end()) all.push_back(&avxvnni);
#endif
  return all;
}

inline const CpuKernels& reference() { return *available_kernels().back(); }

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  float normal(float scale = 1) { return scale * distribution_(engine_); }
  uint32_t bits() { return static_cast<uint32_t>(engine_()); }
  std::vector<float> normals(size_t n, float scale = 1) {
    std::vector<float> values(n);
    for (float& value : values) value = normal(scale);
    return values;
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<float> distribution_;
};

// n_out rows of weights in a format, random but finite and of everyday size, at an odd address.
class Weights {
 public:
  Weights(Format format, size_t n_out, size_t n_in, Random& random)
      : facts_(facts_of(format)), n_in_(n_in), bytes_(n_out * facts_.bytes_for(n_in) + offset()) {
    const size_t n_blocks = n_out * n_in / facts_.block_values;
    for (size_t b = 0; b < n_blocks; ++b) fill_block(bytes_.data() + offset() + b * facts_.block_bytes, random);
    for (size_t b = 0; format == Format::mxfp4_split && b < n_blocks; ++b)
      scales_.push_back(static_cast<std::byte>(120 + random.bits() % 10));
    if (format == Format::f8_e4m3)
      block_scales_ = random.normals((n_out + kF8Block - 1) / kF8Block * ((n_in + kF8Block - 1) / kF8Block));
  }
  const std::byte* data() const { return bytes_.data() + offset(); }
  const std::byte* scales() const { return scales_.data(); }
  const float* block_scales() const { return block_scales_.empty() ? nullptr : block_scales_.data(); }
  std::vector<float> row(size_t o) const {
    std::vector<float> values(n_in_);
    facts_.decode(data() + o * facts_.bytes_for(n_in_), values.data(), n_in_ / facts_.block_values);
    const size_t n_scales = (n_in_ + kF8Block - 1) / kF8Block;
    for (size_t i = 0; !scales_.empty() && i < n_in_; ++i)
      values[i] *= std::ldexp(1.0F, static_cast<int>(scales_[(o * n_in_ + i) / 32]) - 127);
    if (!block_scales_.empty())
      for (size_t i = 0; i < n_in_; ++i) values[i] *= block_scales_[o / kF8Block * n_scales + i / kF8Block];
    return values;
  }

 private:
  // Plain formats are read as arrays of their element and keep its alignment, as the files do; blocks need none.
  size_t offset() const { return facts_.block_values == 1 ? 4 : 1; }
  void fill_block(std::byte* block, Random& random) {
    std::vector<float> values(facts_.block_values);
    while (true) {
      for (size_t i = 0; i < facts_.block_bytes; ++i) block[i] = static_cast<std::byte>(random.bits());
      facts_.decode(block, values.data(), 1);
      float largest = 0;
      for (const float value : values) largest = std::isfinite(value) ? std::max(largest, std::fabs(value)) : INFINITY;
      if (largest < 100) return;
    }
  }

  const FormatFacts& facts_;
  size_t n_in_;
  std::vector<std::byte> bytes_;
  std::vector<float> block_scales_;
  std::vector<std::byte> scales_;
};

inline std::vector<float> multiply(const CpuKernels& kernels, Format format, const Weights& weights, size_t n_out,
                                   size_t n_in, const std::vector<float>& x, const QuantizedRow* quantized) {
  const size_t n_tokens = x.size() / n_in;
  std::vector<float> y(n_tokens * n_out, NAN);
  kernels.matmul({.format = format,
                  .weights = weights.data(),
                  .n_in = n_in,
                  .block_scales = weights.block_scales(),
                  .scales = weights.scales(),
                  .o_begin = 0,
                  .o_end = n_out,
                  .n_tokens = n_tokens,
                  .x = x.data(),
                  .quantized = quantized,
                  .y = y.data(),
                  .y_stride = n_out});
  return y;
}

// |a - b| in units of what rounding each product once could explain.
inline void expect_close_sums(const std::vector<float>& actual, const std::vector<float>& expected,
                              const Weights& weights, size_t n_out, size_t n_in, const std::vector<float>& x) {
  for (size_t o = 0; o < n_out; ++o) {
    const auto row = weights.row(o);
    for (size_t t = 0; t < x.size() / n_in; ++t) {
      double magnitude = 0;
      for (size_t i = 0; i < n_in; ++i) magnitude += std::fabs(static_cast<double>(row[i]) * x[t * n_in + i]);
      EXPECT_NEAR(actual[t * n_out + o], expected[t * n_out + o], 2e-6 * magnitude + 1e-30)
          << "row " << o << ", token " << t;
    }
  }
}

}  // namespace ogas
