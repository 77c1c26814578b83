// BF16 weights times activations rounded to BF16, by the dot product of BF16 pairs; included by generic.h only.
//
// Rounding loses at most 2^-9 of an activation, as in the models' own training and in their publishers' code, and far
// less than the 8-bit activations that block formats are multiplied with.
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/tuning.h"

namespace ogas {
namespace {

// Inputs that are rounded before all rows are multiplied with them (a row's sum is the sum of the sums over as many
// inputs), and tokens at a time.
constexpr size_t kBf16Tile = 1024, kBf16Tokens = 4;

// Some tiles of some tokens' activations, padded with zeros to whole vectors. With fewer tokens there are more tiles,
// so that rows are read in longer runs.
template <size_t kTokens>
struct Bf16Activations {
  static constexpr size_t kInputs = kBf16Tokens / kTokens * kBf16Tile;
  alignas(64) uint16_t rows[kTokens][kInputs];
};

template <class Isa, size_t kTokens>
OGAS_INLINE void round_activations(const float* x, size_t stride, size_t n, Bf16Activations<kTokens>& rounded) {
  constexpr size_t kVector = 2 * Isa::kWidth;
  for (size_t t = 0; t < kTokens; ++t) {
    size_t i = 0;
    for (; i + kVector <= n; i += kVector) Isa::store_bf16s(rounded.rows[t] + i, x + t * stride + i);
    if (i == n) continue;
    float rest[kVector] = {};
    __builtin_memcpy(rest, x + t * stride + i, (n - i) * sizeof *x);
    Isa::store_bf16s(rounded.rows[t] + i, rest);
  }
}

// sums[r][t] = inputs begin..end of row r times those of token t.
template <class Isa, size_t kRows, size_t kTokens>
OGAS_INLINE void dot_rows_bf16(const uint16_t* const (&rows)[kRows], const Bf16Activations<kTokens>& x, size_t begin,
                               size_t end, float (&sums)[kRows][kTokens]) {
  constexpr size_t kVector = 2 * Isa::kWidth;
  typename Isa::Floats total[kRows][kTokens];
#pragma GCC unroll 4
  for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (size_t t = 0; t < kTokens; ++t) total[r][t] = Isa::zero();
  for (size_t i = begin; i < end; i += kVector) {
    typename Isa::Bf16s w[kRows];
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      prefetch<Isa, true>(reinterpret_cast<const std::byte*>(rows[r] + i));
      w[r] = i + kVector <= end ? Isa::load_bf16s(rows[r] + i) : Isa::load_bf16s(rows[r] + i, end - i);
    }
#pragma GCC unroll 4
    for (size_t t = 0; t < kTokens; ++t) {
      const auto x_t = Isa::load_bf16s(x.rows[t] + i);
#pragma GCC unroll 4
      for (size_t r = 0; r < kRows; ++r) total[r][t] = Isa::dot_bf16(total[r][t], w[r], x_t);
    }
  }
#pragma GCC unroll 4
  for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (size_t t = 0; t < kTokens; ++t) sums[r][t] = Isa::sum(total[r][t]);
}

// Inputs i..i + n for kTokens tokens from t on, and all rows.
template <class Isa, size_t kTokens>
OGAS_INLINE void multiply_tiles_bf16(const MatmulArgs& args, size_t i, size_t n, size_t t) {
  Bf16Activations<kTokens> x;
  round_activations<Isa, kTokens>(args.x + t * args.n_in + i, args.n_in, n, x);
  const auto row_at = [&](size_t o) {
    return reinterpret_cast<const uint16_t*>(args.weights) + (args.first_row + o * args.row_step) * args.n_in + i;
  };
  const auto run = [&]<size_t kRows>(size_t o, const uint16_t* const(&rows)[kRows]) {
    for (size_t begin = 0; begin < n; begin += kBf16Tile) {
      float sums[kRows][kTokens];
      dot_rows_bf16<Isa, kRows, kTokens>(rows, x, begin, begin + kBf16Tile < n ? begin + kBf16Tile : n, sums);
      for (size_t r = 0; r < kRows; ++r) {
        for (size_t k = 0; k < kTokens; ++k) {
          float& y = args.y[(t + k) * args.y_stride + o + r - args.o_begin];
          y = i + begin == 0 ? sums[r][k] : y + sums[r][k];
        }
      }
    }
  };
  size_t o = args.o_begin;
  // A single token is memory-bound, so its rows are read in order.
  if constexpr (kTokens > 1)
    for (; o + 4 <= args.o_end; o += 4)
      run.template operator()<4>(o, {row_at(o), row_at(o + 1), row_at(o + 2), row_at(o + 3)});
  for (; o < args.o_end; ++o) run.template operator()<1>(o, {row_at(o)});
}

template <class Isa>
void matmul_bf16(const MatmulArgs& args) {
  size_t t = 0;
  const auto run = [&]<size_t kTokens>() {
    constexpr size_t kInputs = Bf16Activations<kTokens>::kInputs;
    for (size_t i = 0; i < args.n_in; i += kInputs)
      multiply_tiles_bf16<Isa, kTokens>(args, i, args.n_in - i < kInputs ? args.n_in - i : kInputs, t);
    t += kTokens;
  };
  while (t + kBf16Tokens <= args.n_tokens) run.template operator()<kBf16Tokens>();
  switch (args.n_tokens - t) {
    case 3: return run.template operator()<3>();
    case 2: return run.template operator()<2>();
    case 1: return run.template operator()<1>();
    default: return;
  }
}

}  // namespace
}  // namespace ogas
