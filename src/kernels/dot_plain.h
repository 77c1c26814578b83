// Dot products of plain elements with floats; included by generic.h and what it includes.
#pragma once

#include "kernels/plain.h"

namespace ogas {
namespace {

// sums[r][t]: dot products of kRows rows of plain elements, row_stride apart, with kTokens rows of floats, `stride`
// apart.
template <class Isa, class Row, size_t kRows, size_t kTokens>
OGAS_INLINE void dot_plain_rows(const typename Row::Element* rows, size_t row_stride, const float* x, size_t stride,
                                size_t n, float (&sums)[kRows][kTokens]) {
  typename Isa::Floats even[kRows][kTokens], odd[kRows][kTokens];
#pragma GCC unroll 4
  for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (size_t t = 0; t < kTokens; ++t) even[r][t] = odd[r][t] = Isa::zero();
  size_t i = 0;
  for (; i + 2 * Isa::kWidth <= n; i += 2 * Isa::kWidth) {
    typename Isa::Floats first[kRows], second[kRows];
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      first[r] = Row::load(rows + r * row_stride + i);
      second[r] = Row::load(rows + r * row_stride + i + Isa::kWidth);
    }
#pragma GCC unroll 4
    for (size_t t = 0; t < kTokens; ++t) {
      const auto x_first = Isa::load(x + t * stride + i), x_second = Isa::load(x + t * stride + i + Isa::kWidth);
#pragma GCC unroll 4
      for (size_t r = 0; r < kRows; ++r) {
        even[r][t] = Isa::fma(first[r], x_first, even[r][t]);
        odd[r][t] = Isa::fma(second[r], x_second, odd[r][t]);
      }
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    const typename Row::Element* row = rows + r * row_stride;
    for (size_t t = 0; t < kTokens; ++t) {
      size_t rest = i;
      for (; rest + Isa::kWidth <= n; rest += Isa::kWidth)
        even[r][t] = Isa::fma(Row::load(row + rest), Isa::load(x + t * stride + rest), even[r][t]);
      float& sum = sums[r][t] = Isa::sum(Isa::add(even[r][t], odd[r][t]));
      for (; rest < n; ++rest) sum += Row::load1(row[rest]) * x[t * stride + rest];
    }
  }
}

// The same for one row.
template <class Isa, class Row, size_t kTokens>
OGAS_INLINE void dot_plain(const typename Row::Element* row, const float* x, size_t stride, size_t n,
                           float (&sums)[kTokens]) {
  float of_row[1][kTokens];
  dot_plain_rows<Isa, Row, 1, kTokens>(row, 0, x, stride, n, of_row);
  for (size_t t = 0; t < kTokens; ++t) sums[t] = of_row[0][t];
}

}  // namespace
}  // namespace ogas
