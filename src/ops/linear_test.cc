#include "ops/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "kernels/dispatch.h"
#include "ops/cpu/local_exec.h"

namespace ogas {
namespace {

// Several products at once, with rows that do not divide into chunks, on several threads.
TEST(Multiply, EveryRowOfEveryProduct) {
  constexpr size_t kIn = 5, kTokens = 3;
  ThreadPool pool(3);
  Scratch scratch(pool.size());
  const CpuKernels& kernels = *available_kernels().back();
  LocalExec exec(pool, kernels, scratch);
  const Activations x(kTokens, kIn);
  for (size_t t = 0; t < kTokens; ++t) {
    for (size_t i = 0; i < kIn; ++i) x.write(t, 1).row(t)[i] = static_cast<float>(t + i);
    x.quantize_row(kernels, t, RowKind::decode);
  }
  std::vector<std::vector<float>> weights;
  std::vector<Linear> linears;
  std::vector<Matrix> outputs;
  for (const size_t n_out : {1UL, 203UL, 64UL}) {
    auto& rows = weights.emplace_back();
    for (size_t idx = 0; idx < n_out * kIn; ++idx) rows.push_back(static_cast<float>(idx % 17) - 8);
    linears.emplace_back(Format::f32, reinterpret_cast<const std::byte*>(rows.data()), n_out, kIn);
    outputs.emplace_back(kTokens, n_out);
  }
  exec.device.multiply(x, kTokens, {{linears[0], outputs[0]}, {linears[1], outputs[1]}, {linears[2], outputs[2]}});
  for (size_t layer = 0; layer < linears.size(); ++layer)
    for (size_t t = 0; t < kTokens; ++t)
      for (size_t o = 0; o < linears[layer].n_out(); ++o) {
        float expected = 0;
        for (size_t i = 0; i < kIn; ++i) expected += weights[layer][o * kIn + i] * static_cast<float>(t + i);
        ASSERT_EQ(outputs[layer].row(t)[o], expected) << layer << " " << t << " " << o;
      }
}

// Rows that are interleaved with others, in both ways a matrix may be stored, down to the decoded row.
TEST(Linear, RowsMayBeStoredApartOrAsColumns) {
  constexpr size_t kRows = 12, kIn = 3;
  std::vector<float> stored, turned(kRows * kIn);
  for (size_t idx = 0; idx < kRows * kIn; ++idx) stored.push_back(static_cast<float>(idx * idx));
  for (size_t o = 0; o < kRows; ++o)
    for (size_t i = 0; i < kIn; ++i) turned[i * kRows + o] = stored[o * kIn + i];
  const Linear plain(Format::f32, reinterpret_cast<const std::byte*>(stored.data()), kRows, kIn);
  const auto transposed =
      Linear::transposed(Format::f32, reinterpret_cast<const std::byte*>(turned.data()), kRows, kIn);
  ThreadPool pool(1);
  Scratch scratch(pool.size());
  const CpuKernels& kernels = *available_kernels().front();
  LocalExec exec(pool, kernels, scratch);
  const Activations x(1, kIn);
  for (size_t i = 0; i < kIn; ++i) x.write(0, 1).row(0)[i] = static_cast<float>(1 + i);
  x.quantize_row(kernels, 0, RowKind::decode);
  for (const Linear& whole : {plain, transposed}) {
    const Linear part = whole.every(3, 1).rows(1, 2);  // of rows 1, 4, 7, 10 the second and third
    ASSERT_EQ(part.n_out(), 2U);
    const Matrix y(1, 2);
    exec.device.multiply(x, 1, {{part, y}});
    for (const size_t o : {0UL, 1UL}) {
      const float* row = &stored[(4 + 3 * o) * kIn];
      EXPECT_EQ(y.row(0)[o], row[0] + 2 * row[1] + 3 * row[2]);
      std::vector<float> decoded(kIn);
      part.decode_row(o, decoded.data());
      EXPECT_EQ(decoded, std::vector<float>(row, row + kIn));
    }
  }
  EXPECT_DEATH(plain.every(5, 0), "does not hold");
}

// MXFP4 with its scales elsewhere: one row of two blocks, taken from a matrix of three.
TEST(Linear, DecodesRowsWhoseScalesLieApart) {
  std::vector<std::byte> blocks(3 * 32), scales(6);
  for (size_t b = 0; b < 6; ++b) scales[b] = static_cast<std::byte>(125 + b);
  blocks[2 * 32 + 16 + 5] = std::byte{0x7A};  // values 10 and 11 of the last block: -1 and 6
  const Linear whole(Format::mxfp4_split, blocks.data(), 3, 64, nullptr, scales.data());
  std::vector<float> decoded(64);
  whole.rows(2, 1).decode_row(0, decoded.data());
  EXPECT_EQ(decoded[32 + 10], -8.0F);
  EXPECT_EQ(decoded[32 + 11], 48.0F);

  // Every other row from the first on, and then from copies of both.
  const Linear last = whole.every(1, 0).rows(1, 2).every(2, 1);
  const auto rows = last.stored(), factors = last.stored_scales();
  ASSERT_EQ(rows.size(), 32U);
  ASSERT_EQ(factors.size(), 2U);
  const std::vector<std::byte> copy(rows.begin(), rows.end()), copy_of_scales(factors.begin(), factors.end());
  const Linear moved = last.at(copy.data(), copy_of_scales.data());
  std::ranges::fill(blocks, std::byte{});
  std::ranges::fill(scales, std::byte{});
  std::vector<float> again(64);
  moved.decode_row(0, again.data());
  EXPECT_EQ(again, decoded);
  EXPECT_TRUE(Linear(Format::q8_0, blocks.data(), 1, 32).stored_scales().empty());
}

TEST(Multiply, RefusesShapesThatDoNotFit) {
  ThreadPool pool(1);
  Scratch scratch(pool.size());
  const CpuKernels& kernels = *available_kernels().back();
  LocalExec exec(pool, kernels, scratch);
  const std::vector<float> weights(6);
  const Linear linear(Format::f32, reinterpret_cast<const std::byte*>(weights.data()), 2, 3);
  EXPECT_DEATH(exec.device.multiply(Activations(1, 4), 1, {{linear, Matrix(1, 2)}}), "does not hold");
}

// Codes of a row that has changed since would give products of what it was.
TEST(Multiply, RefusesRowsThatWereWrittenAndNotQuantized) {
  ThreadPool pool(1);
  Scratch scratch(pool.size());
  const CpuKernels& kernels = *available_kernels().back();
  LocalExec exec(pool, kernels, scratch);
  const std::vector<float> weights(2 * 32);
  const Linear linear(Format::f32, reinterpret_cast<const std::byte*>(weights.data()), 2, 32);
  const Activations x(4, 32), gathered = Activations::shared(2, 32);
  const Matrix y(4, 2);
  const auto product = [&] { exec.device.multiply(x, 3, {{linear, y}}); };
  EXPECT_DEATH(product(), "not quantized") << "never written";
  for (const size_t t : {0UL, 1UL, 2UL}) x.quantize_row(kernels, t, RowKind::decode);
  product();
  x.write(3, 1);
  product();
  x.write(1, 1);
  EXPECT_DEATH(product(), "not quantized");
  EXPECT_DEATH(gathered.share_row(kernels, x, 1, 0, true), "not quantized");
  exec.device.multiply_in_f32(linear, x, 3, 1, y);
  x.quantize_row(kernels, 1, RowKind::prefill);
  product();
  EXPECT_EQ(x.kind(1), RowKind::prefill);
}

}  // namespace
}  // namespace ogas
