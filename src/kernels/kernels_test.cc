// Every instruction set this CPU has, compared with the reference on random, extreme, odd-sized and unaligned inputs.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <random>
#include <vector>

#include "kernels/kernels_test_tools.h"
#include "quant/half.h"

namespace ogas {
namespace {

class KernelsTest : public ::testing::TestWithParam<const CpuKernels*> {
 protected:
  const CpuKernels& kernels() const { return *GetParam(); }
};

TEST_P(KernelsTest, MatmulOfEveryFormat) {
  Random random(1);
  for (const FormatFacts& facts : all_formats()) {
    const size_t block = facts.block_values;
    for (const size_t n_in :
         {std::max<size_t>(block, 32), block == 1 ? 77 : 3 * block, block == 1 ? 1029 : 9 * 256UL}) {
      SCOPED_TRACE(fmt::format("{} with {} inputs", facts.name, n_in));
      const size_t n_out = 7, n_tokens = 6;
      const Weights weights(facts.format, n_out, n_in, random);
      const auto x = random.normals(n_tokens * n_in);
      const auto plain = multiply(kernels(), facts.format, weights, n_out, n_in, x, nullptr);
      auto seen = x;  // what the sums are made of
      if (kernels().rounds_to_bf16 && facts.format == Format::bf16)
        for (float& value : seen) value = bf16_to_f32(f32_to_bf16(value));
      expect_close_sums(plain, multiply(reference(), facts.format, weights, n_out, n_in, seen, nullptr), weights, n_out,
                        n_in, seen);
      if (block == 1 || n_in % kActivationBlock != 0) continue;
      const Quantized quantized(kernels(), x, n_in);
      const auto rounded = quantized.values();
      const auto integer = multiply(kernels(), facts.format, weights, n_out, n_in, x, quantized.rows.data());
      if (kernels().quantizes_activations)
        expect_close_sums(integer, multiply(reference(), facts.format, weights, n_out, n_in, rounded, nullptr), weights,
                          n_out, n_in, rounded);
    }
  }
}

// A token's result is bitwise independent of the batch, and of how the rows are split.
TEST_P(KernelsTest, MatmulDoesNotDependOnTheBatch) {
  Random random(2);
  for (const FormatFacts& facts : all_formats()) {
    SCOPED_TRACE(facts.name);
    const size_t n_in = 1536, n_out = 9, n_tokens = 7;
    const Weights weights(facts.format, n_out, n_in, random);
    const auto x = random.normals(n_tokens * n_in);
    const Quantized quantized(kernels(), x, n_in);
    const auto all = multiply(kernels(), facts.format, weights, n_out, n_in, x, quantized.rows.data());
    std::vector<float> one_by_one(all.size());
    for (size_t t = 0; t < n_tokens; ++t)
      for (const auto& [begin, end] : {std::pair<size_t, size_t>{0, 1}, {1, 4}, {4, 9}})
        kernels().matmul({.format = facts.format,
                          .weights = weights.data(),
                          .n_in = n_in,
                          .block_scales = weights.block_scales(),
                          .scales = weights.scales(),
                          .o_begin = begin,
                          .o_end = end,
                          .n_tokens = 1,
                          .x = &x[t * n_in],
                          .quantized = &quantized.rows[t],
                          .y = &one_by_one[t * n_out + begin],
                          .y_stride = n_out});
    EXPECT_EQ(0, std::memcmp(all.data(), one_by_one.data(), all.size() * sizeof(float)));
  }
}

// Rows interleaved with those of another matrix, from a row within it on: as if they were stored alone.
TEST_P(KernelsTest, MatmulOfEverySecondRow) {
  Random random(11);
  for (const FormatFacts& facts : all_formats()) {
    SCOPED_TRACE(facts.name);
    const size_t n_in = 1536, n_rows = 150, n_out = 60;
    const Weights weights(facts.format, n_rows, n_in, random);
    const auto x = random.normals(3 * n_in);
    const Quantized quantized(kernels(), x, n_in);
    const auto all = multiply(kernels(), facts.format, weights, n_rows, n_in, x, quantized.rows.data());
    std::vector<float> some(3 * n_out);
    kernels().matmul({.format = facts.format,
                      .weights = weights.data(),
                      .n_in = n_in,
                      .block_scales = weights.block_scales(),
                      .scales = weights.scales(),
                      .first_row = 29,
                      .row_step = 2,
                      .o_begin = 0,
                      .o_end = n_out,
                      .n_tokens = 3,
                      .x = x.data(),
                      .quantized = quantized.rows.data(),
                      .y = some.data(),
                      .y_stride = n_out});
    for (size_t t = 0; t < 3; ++t)
      for (size_t o = 0; o < n_out; ++o) ASSERT_EQ(some[t * n_out + o], all[t * n_rows + 29 + 2 * o]) << o;
  }
}

// Weights stored as [n_in, n_columns], of which every second column from one on is a row.
TEST_P(KernelsTest, MatmulOfTransposedWeights) {
  Random random(12);
  for (const Format format : {Format::f32, Format::f16, Format::bf16}) {
    for (const size_t n_in : {1UL, 77UL, 300UL}) {
      SCOPED_TRACE(fmt::format("{} with {} inputs", facts_of(format).name, n_in));
      const size_t n_columns = 75, n_out = 37, n_tokens = 5;
      const Weights stored(format, n_in, n_columns, random);
      std::vector<std::vector<float>> columns(n_columns, std::vector<float>(n_in));
      for (size_t i = 0; i < n_in; ++i) {
        const auto row = stored.row(i);
        for (size_t c = 0; c < n_columns; ++c) columns[c][i] = row[c];
      }
      const auto x = random.normals(n_tokens * n_in);
      std::vector<float> y(n_tokens * n_out);
      MatmulArgs args{.format = format,
                      .weights = stored.data(),
                      .n_in = n_in,
                      .block_scales = nullptr,
                      .first_row = 1,
                      .row_step = 2,
                      .n_columns = n_columns,
                      .o_begin = 0,
                      .o_end = n_out,
                      .n_tokens = n_tokens,
                      .x = x.data(),
                      .quantized = nullptr,
                      .y = y.data(),
                      .y_stride = n_out};
      kernels().matmul(args);
      for (size_t o = 0; o < n_out; ++o) {
        for (size_t t = 0; t < n_tokens; ++t) {
          double sum = 0, magnitude = 0;
          for (size_t i = 0; i < n_in; ++i) {
            const double product = static_cast<double>(columns[1 + 2 * o][i]) * x[t * n_in + i];
            sum += product;
            magnitude += std::fabs(product);
          }
          ASSERT_NEAR(y[t * n_out + o], sum, 2e-6 * magnitude + 1e-30) << "row " << o << ", token " << t;
        }
      }
      std::vector<float> part(5);  // the same bits, whatever the batch and the cut
      args.o_begin = 20, args.o_end = 25, args.n_tokens = 1, args.y = part.data();
      kernels().matmul(args);
      for (size_t o = 0; o < part.size(); ++o) ASSERT_EQ(part[o], y[20 + o]);
    }
  }
}

TEST_P(KernelsTest, QuantizeMatchesTheReference) {
  Random random(3);
  auto x = random.normals(32 * 12);
  std::fill_n(x.begin(), 32, 0.0F);                                 // all zero
  for (size_t i = 32; i < 64; ++i) x[i] *= 1e30F;                   // huge
  for (size_t i = 64; i < 96; ++i) x[i] *= 1e-37F;                  // near the smallest normal numbers
  for (size_t i = 96; i < 128; ++i) x[i] = i % 2 ? 127.0F : -0.5F;  // ties
  const Quantized actual(kernels(), x, x.size());
  const Quantized expected(reference(), x, x.size());
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(actual.rows[0].codes[i], expected.rows[0].codes[i]) << i;
  const QuantizedRow &a = actual.rows[0], &e = expected.rows[0];
  for (size_t b = 0; b < x.size() / kActivationBlock; ++b) {
    ASSERT_EQ(a.scales[b], e.scales[b]) << b;
    ASSERT_EQ(a.sums32[b], e.sums32[b]) << b;
    ASSERT_EQ(a.minus_codes32[b], e.minus_codes32[b]) << b;
  }
  for (size_t g = 0; g < x.size() / kSumGroup; ++g) {
    ASSERT_EQ(a.sums16[g], e.sums16[g]) << g;
    ASSERT_EQ(a.minus_codes16[g], e.minus_codes16[g]) << g;
  }
}

TEST_P(KernelsTest, RmsNorm) {
  Random random(4);
  for (const size_t n : {1UL, 7UL, 8UL, 63UL, 576UL, 4099UL}) {
    const auto x = random.normals(n, 30);
    const auto weight = random.normals(n);
    std::vector<float> actual(n), expected(n);
    kernels().rms_norm(x.data(), weight.data(), 1e-5F, n, actual.data());
    reference().rms_norm(x.data(), weight.data(), 1e-5F, n, expected.data());
    for (size_t i = 0; i < n; ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5 * std::fabs(expected[i]) + 1e-7) << n;
  }
}

TEST_P(KernelsTest, Swiglu) {
  Random random(5);
  for (const size_t n : {1UL, 15UL, 1000UL}) {
    auto actual = random.normals(n, 20);
    if (n == 1000) {
      actual[0] = -1e4F;
      actual[1] = 1e4F;
      actual[2] = 0;
      actual[3] = -88.5F;
    }
    auto expected = actual;
    const auto up = random.normals(n);
    kernels().swiglu(actual.data(), up.data(), n);
    reference().swiglu(expected.data(), up.data(), n);
    for (size_t i = 0; i < n; ++i) ASSERT_NEAR(actual[i], expected[i], 2e-6 * std::fabs(expected[i]) + 1e-30) << i;
  }
}

TEST_P(KernelsTest, SwigluClamped) {
  Random random(13);
  constexpr SwigluClamp kClamp{.alpha = 1.702F, .limit = 7};
  for (const size_t n : {1UL, 15UL, 1000UL}) {
    auto actual = random.normals(n, 8);
    auto up = random.normals(n, 8);
    if (n == 1000) {
      const float gates[] = {-1e4F, 1e4F, 0, 7, 2, 2, 2, 2}, ups[] = {2, 2, 2, 2, -1e4F, 1e4F, -1, 7};
      std::copy_n(gates, 8, actual.begin());
      std::copy_n(ups, 8, up.begin());
    }
    const auto gate = actual;
    auto expected = actual;
    kernels().swiglu_clamped(actual.data(), up.data(), n, kClamp);
    reference().swiglu_clamped(expected.data(), up.data(), n, kClamp);
    for (size_t i = 0; i < n; ++i) {
      ASSERT_NEAR(actual[i], expected[i], 2e-6 * std::fabs(expected[i]) + 1e-30) << i;
      const double g = std::min<double>(gate[i], 7), u = std::clamp<double>(up[i], -7, 7);
      const double exact = (u + 1) * g / (1 + std::exp(-1.702 * g));
      ASSERT_NEAR(expected[i], exact, 1e-5 * std::fabs(exact) + 1e-30) << i;
    }
  }
}

TEST_P(KernelsTest, Geglu) {
  Random random(15);
  for (const size_t n : {1UL, 15UL, 1000UL}) {
    auto actual = random.normals(n, 3);
    if (n == 1000) {
      const float gates[] = {-1e4F, 1e4F, 0, -88.5F, -5, -9, 1e-3F, -1e-3F};
      std::copy_n(gates, 8, actual.begin());
    }
    const auto gate = actual;
    auto expected = actual;
    const auto up = random.normals(n);
    kernels().geglu(actual.data(), up.data(), n);
    reference().geglu(expected.data(), up.data(), n);
    for (size_t i = 0; i < n; ++i) {
      ASSERT_NEAR(actual[i], expected[i], 1e-5 * std::fabs(expected[i]) + 1e-12) << gate[i];
      // In another form of the same function.
      const double x = gate[i], z = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      const double exact = x / (1 + std::exp(-2 * z)) * up[i];
      ASSERT_NEAR(expected[i], exact, 1e-6 * std::fabs(exact) + 1e-12) << gate[i];
    }
  }
}

TEST_P(KernelsTest, SoftCap) {
  Random random(16);
  for (const float cap : {0.5F, 30.0F}) {
    for (const size_t n : {1UL, 15UL, 1000UL}) {
      auto actual = random.normals(n, 2 * cap);
      if (n == 1000) actual[0] = -1e6F, actual[1] = 1e6F, actual[2] = 0;
      auto expected = actual;
      kernels().soft_cap(actual.data(), n, cap);
      reference().soft_cap(expected.data(), n, cap);
      for (size_t i = 0; i < n; ++i) ASSERT_NEAR(actual[i], expected[i], 2e-6 * cap) << cap << ", " << i;
    }
  }
}

TEST_P(KernelsTest, SigmoidGate) {
  Random random(11);
  for (const size_t n : {1UL, 15UL, 1000UL}) {
    auto actual = random.normals(n, 20);
    auto gate = random.normals(n, 20);
    if (n == 1000) gate[0] = -1e4F, gate[1] = 1e4F, gate[2] = 0;
    auto expected = actual;
    kernels().sigmoid_gate(actual.data(), gate.data(), n);
    reference().sigmoid_gate(expected.data(), gate.data(), n);
    for (size_t i = 0; i < n; ++i) ASSERT_NEAR(actual[i], expected[i], 2e-6 * std::fabs(expected[i]) + 1e-30) << i;
  }
}

TEST_P(KernelsTest, ShortConv) {
  Random random(12);
  for (const size_t n_taps : {1UL, 2UL, 4UL}) {
    for (const size_t n : {1UL, 8UL, 45UL}) {
      const auto x = random.normals(n_taps * n, 3), weight = random.normals(n_taps * n);
      std::vector<const float*> rows;
      for (size_t tap = 0; tap < n_taps; ++tap) rows.push_back(&x[tap * n]);
      std::vector<float> actual(n), expected(n);
      kernels().short_conv({rows.data(), weight.data(), n_taps, n, actual.data()});
      reference().short_conv({rows.data(), weight.data(), n_taps, n, expected.data()});
      for (size_t i = 0; i < n; ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5) << n_taps << " taps, channel " << i;
    }
  }
}

// Many positions one after the other, so that a state which drifts would show.
TEST_P(KernelsTest, DeltaRule) {
  Random random(13);
  for (const auto& [k_dim, v_dim] : {std::pair<size_t, size_t>{1, 1}, {12, 20}, {21, 9}, {128, 128}}) {
    auto actual = random.normals(v_dim * k_dim);
    auto expected = actual;
    const std::vector<float> ones(k_dim, 1 / std::sqrt(static_cast<float>(k_dim)));
    for (int t = 0; t < 100; ++t) {
      const auto q = random.normals(k_dim), v = random.normals(v_dim);
      auto k = random.normals(k_dim);
      kernels().rms_norm(k.data(), ones.data(), 0, k_dim, k.data());
      std::vector<float> out(v_dim), expected_out(v_dim);
      DeltaRuleArgs args{.state = actual.data(),
                         .q = q.data(),
                         .k = k.data(),
                         .v = v.data(),
                         .k_dim = k_dim,
                         .v_dim = v_dim,
                         .decay = 1 / (1 + std::exp(-random.normal(3))),
                         .beta = 1 / (1 + std::exp(-random.normal(3))),
                         .out = out.data()};
      kernels().delta_rule(args);
      args.state = expected.data();
      args.out = expected_out.data();
      reference().delta_rule(args);
      for (size_t j = 0; j < v_dim; ++j) ASSERT_NEAR(out[j], expected_out[j], 1e-4) << k_dim << ", position " << t;
    }
    for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5) << k_dim << ", " << i;
  }
}

TEST_P(KernelsTest, Add) {
  Random random(6);
  const auto x = random.normals(37);
  auto actual = random.normals(37);
  auto expected = actual;
  kernels().add(actual.data(), x.data(), x.size());
  reference().add(expected.data(), x.data(), x.size());
  EXPECT_EQ(actual, expected);
}

TEST_P(KernelsTest, Rope) {
  Random random(7);
  for (const RopeStyle style : {RopeStyle::interleaved, RopeStyle::half_split}) {
    for (const size_t n_rot : {2UL, 16UL, 22UL, 64UL}) {
      const auto cos_sin = random.normals(n_rot);
      auto actual = random.normals(3 * 64);
      auto expected = actual;
      kernels().rope({actual.data(), 3, 64, n_rot, cos_sin.data(), style});
      reference().rope({expected.data(), 3, 64, n_rot, cos_sin.data(), style});
      for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5);
    }
  }
}

TEST_P(KernelsTest, StoreRoundsAsTheReference) {
  Random random(8);
  auto x = random.normals(41, 1000);
  x[0] = 1e6F;   // beyond F16
  x[1] = 1e-7F;  // a subnormal there
  x[2] = -0.0F;
  for (const Format format : {Format::f16, Format::f32}) {
    std::vector<std::byte> actual(x.size() * 4), expected(x.size() * 4);
    kernels().store(x.data(), x.size(), format, actual.data());
    reference().store(x.data(), x.size(), format, expected.data());
    EXPECT_EQ(actual, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Available, KernelsTest, ::testing::ValuesIn(tested_ops()),
                         [](const auto& test) { return test_name(*test.param); });

class DispatchTest : public ::testing::Test {
 protected:
  ~DispatchTest() override { ::unsetenv("OGAS_ISA"); }
};

TEST_F(DispatchTest, TheVariableForcesOne) {
  ::setenv("OGAS_ISA", "reference", 1);
  EXPECT_EQ(choose_kernels().value()->name, "reference");
  ::unsetenv("OGAS_ISA");
  EXPECT_EQ(choose_kernels().value(), available_kernels().front());
}

TEST_F(DispatchTest, AnUnknownNameListsWhatThereIs) {
  ::setenv("OGAS_ISA", "mmx", 1);
  const auto chosen = choose_kernels();
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::usage);
  EXPECT_NE(chosen.error().message.find("reference"), std::string::npos) << chosen.error().message;
}

}  // namespace
}  // namespace ogas
