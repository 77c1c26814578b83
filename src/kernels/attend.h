// Attention of a few query rows over the pages of the KV cache; included by generic.h only.
//
// Keys and values are converted once for four rows: heads that share them, or tokens of a prompt. A row's sums are
// formed in the order of the positions, independently of the other rows.
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/plain.h"
#include "kernels/tuning.h"
#include "quant/formats.h"

namespace ogas {
namespace {

// The block formats of the KV cache.
template <Format kFormat>
struct KvBlock;
template <>
struct KvBlock<Format::q8_0> {
  using Type = Q8_0;
};
template <>
struct KvBlock<Format::q4_0> {
  using Type = Q4_0;
};

// Rows that share a conversion.
constexpr size_t kRowsTogether = 4;

// Calls run<number of rows>(first row) for all of n rows.
template <class Run>
OGAS_INLINE void for_rows(size_t n, const Run& run) {
  size_t row = 0;
  for (; row + kRowsTogether <= n; row += kRowsTogether) run.template operator()<kRowsTogether>(row);
  switch (n - row) {
    case 3: return run.template operator()<3>(row);
    case 2: return run.template operator()<2>(row);
    case 1: return run.template operator()<1>(row);
    default: return;
  }
}

// kAttendPositions scores of each row, and the factors by which earlier sums are rescaled.
struct AttendBlock {
  float weights[kAttendRows][kAttendPositions];
  float rescale[kAttendRows];
};

// cap * tanh(x / cap), as cap (2 sigmoid(2 x / cap) - 1).
template <class Isa>
OGAS_INLINE void soft_cap(float* x, size_t n, float cap) {
  const float twice = 2 * cap, factor = -2 / cap;
  size_t i = 0;
  for (; i + Isa::kWidth <= n; i += Isa::kWidth) {
    const auto e = exp<Isa>(Isa::mul(Isa::load(x + i), Isa::set1(factor)));
    Isa::store(x + i, Isa::sub(Isa::div(Isa::set1(twice), Isa::add(Isa::set1(1), e)), Isa::set1(cap)));
  }
  for (; i < n; ++i) x[i] = twice / (1 + exp1<Isa>(x[i] * factor)) - cap;
}

// Turns scores[begin..end) into weights relative to the largest score so far, and the others into zeros; returns the
// factor by which what was summed before must be scaled.
template <class Isa>
OGAS_INLINE float exponentiate(float* scores, size_t begin, size_t end, size_t n, SoftmaxPart& part) {
  for (size_t p = 0; p < begin; ++p) scores[p] = 0;
  for (size_t p = end; p < n; ++p) scores[p] = 0;
  if (begin >= end) return 1;
  auto largest_in = Isa::set1(part.largest);
  size_t p = begin;
  for (; p + Isa::kWidth <= end; p += Isa::kWidth) largest_in = Isa::max(Isa::load(scores + p), largest_in);
  float largest = Isa::largest(largest_in);
  for (; p < end; ++p) largest = scores[p] > largest ? scores[p] : largest;
  const float rescale = exp1<Isa>(part.largest - largest);
  auto total = Isa::zero();
  for (p = begin; p + Isa::kWidth <= end; p += Isa::kWidth) {
    const auto weight = exp<Isa>(Isa::sub(Isa::load(scores + p), Isa::set1(largest)));
    Isa::store(scores + p, weight);
    total = Isa::add(total, weight);
  }
  float sum = Isa::sum(total);
  for (; p < end; ++p) sum += scores[p] = exp1<Isa>(scores[p] - largest);
  part.sum = part.sum * rescale + sum;
  part.largest = largest;
  return rescale;
}

// scores[r][p..p + kKeys) = scale * (row r of q . those keys). Rows share the loads of keys, and keys those of q; a
// score's bits do not depend on either number.
template <class Isa, class Row, size_t kRows, size_t kKeys>
OGAS_INLINE void score(const float* const (&q)[kRows], const typename Row::Element* keys, size_t stride, size_t k_dim,
                       float scale, size_t p, float (*scores)[kAttendPositions]) {
  typename Isa::Floats total[kRows * kKeys];
#pragma GCC unroll 16
  for (auto& sum : total) sum = Isa::zero();
  size_t d = 0;
  for (; d + Isa::kWidth <= k_dim; d += Isa::kWidth) {
    typename Isa::Floats key[kKeys];
#pragma GCC unroll 4
    for (size_t i = 0; i < kKeys; ++i) key[i] = Row::load(keys + i * stride + d);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      const auto x = Isa::load(q[r] + d);
#pragma GCC unroll 4
      for (size_t i = 0; i < kKeys; ++i) total[r * kKeys + i] = Isa::fma(key[i], x, total[r * kKeys + i]);
    }
  }
  float sums[kRows * kKeys];
  if constexpr (kRows * kKeys % 4 == 0)
#pragma GCC unroll 4
    for (size_t idx = 0; idx < kRows * kKeys; idx += 4) Isa::store_sums(total + idx, sums + idx);
  else
    for (size_t idx = 0; idx < kRows * kKeys; ++idx) sums[idx] = Isa::sum(total[idx]);
#pragma GCC unroll 4
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (size_t i = 0; i < kKeys; ++i) {
      float sum = sums[r * kKeys + i];
      for (size_t tail = d; tail < k_dim; ++tail) sum += Row::load1(keys[i * stride + tail]) * q[r][tail];
      scores[r][p + i] = sum * scale;
    }
  }
}

// Prefetches the keys or values that are read next. A page is too short for the CPU's prefetchers, which start again in
// each.
struct ReadNext {
  const std::byte* first = nullptr;
  size_t stride = 0, bytes = 0;  // from one position to the next, and of each

  template <class Isa>
  OGAS_INLINE void prefetch(size_t row) const {
    for (size_t b = 0; b < bytes; b += kCacheLine) Isa::prefetch_to_l2(first + row * stride + b);
  }
};

// All n keys.
template <class Isa, class Row, size_t kRows, size_t kKeys>
OGAS_INLINE void score_all(const float* const (&q)[kRows], const typename Row::Element* keys, size_t stride,
                           size_t k_dim, float scale, size_t n, float (*scores)[kAttendPositions],
                           const ReadNext& next) {
  size_t p = 0;
  for (; p + kKeys <= n; p += kKeys) {
#pragma GCC unroll 4
    for (size_t i = 0; i < kKeys; ++i) next.prefetch<Isa>(p + i);
    score<Isa, Row, kRows, kKeys>(q, keys + p * stride, stride, k_dim, scale, p, scores);
  }
  for (; p < n; ++p) {
    next.prefetch<Isa>(p);
    score<Isa, Row, kRows, 1>(q, keys + p * stride, stride, k_dim, scale, p, scores);
  }
}

// kVectors vectors of each row's sums: sums = sums * rescale + weights . values.
template <class Isa, class Row, size_t kRows, size_t kVectors>
OGAS_INLINE void add_columns(const AttendBlock& block, size_t row, const typename Row::Element* values, size_t n,
                             size_t stride, float* sums, size_t v_dim, const ReadNext& next) {
  typename Isa::Floats total[kRows][kVectors];
#pragma GCC unroll 4
  for (size_t k = 0; k < kRows; ++k)
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v)
      total[k][v] = Isa::mul(Isa::load(sums + k * v_dim + v * Isa::kWidth), Isa::set1(block.rescale[row + k]));
  for (size_t p = 0; p < n; ++p) {
    next.prefetch<Isa>(p);
    typename Isa::Floats value[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) value[v] = Row::load(values + p * stride + v * Isa::kWidth);
#pragma GCC unroll 4
    for (size_t k = 0; k < kRows; ++k) {
      const auto weight = Isa::set1(block.weights[row + k][p]);
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) total[k][v] = Isa::fma(weight, value[v], total[k][v]);
    }
  }
#pragma GCC unroll 4
  for (size_t k = 0; k < kRows; ++k)
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) Isa::store(sums + k * v_dim + v * Isa::kWidth, total[k][v]);
}

template <class Isa, class Row, size_t kRows>
OGAS_INLINE void add_values(const AttendBlock& block, size_t row, const typename Row::Element* values, size_t n,
                            size_t stride, float* sums, size_t v_dim, const ReadNext& next) {
  size_t d = 0;
  for (; d + Isa::kKeysTogether * Isa::kWidth <= v_dim; d += Isa::kKeysTogether * Isa::kWidth)
    add_columns<Isa, Row, kRows, Isa::kKeysTogether>(block, row, values + d, n, stride, sums + d, v_dim,
                                                     d == 0 ? next : ReadNext{});
  for (; d + Isa::kWidth <= v_dim; d += Isa::kWidth)
    add_columns<Isa, Row, kRows, 1>(block, row, values + d, n, stride, sums + d, v_dim, d == 0 ? next : ReadNext{});
  for (; d < v_dim; ++d) {
    for (size_t k = 0; k < kRows; ++k) {
      float total = sums[k * v_dim + d] * block.rescale[row + k];
      for (size_t p = 0; p < n; ++p) total += block.weights[row + k][p] * Row::load1(values[p * stride + d]);
      sums[k * v_dim + d] = total;
    }
  }
}

// Keys, or values, as stored in pages.
struct KvRows {
  const AttendArgs& args;
  size_t offset, stride, dim;  // as in AttendArgs

  OGAS_INLINE const std::byte* at(size_t p) const {
    return args.pages[p / args.page_size] + offset + p % args.page_size * stride;
  }
};
OGAS_INLINE KvRows keys_of(const AttendArgs& args) { return {args, args.k_offset, args.k_stride, args.k_dim}; }
OGAS_INLINE KvRows values_of(const AttendArgs& args) { return {args, args.v_offset, args.v_stride, args.v_dim}; }

// Those of positions p..p + n, of one page, `stride` elements apart: in place if their format is plain, else decoded.
template <class Row, Format kFormat>
OGAS_INLINE const typename Row::Element* readable(const KvRows& rows, size_t p, size_t n, float* scratch,
                                                  size_t& stride) {
  const std::byte* from = rows.at(p);
  if constexpr (is_plain(kFormat)) {
    stride = rows.stride / sizeof(typename Row::Element);
    return reinterpret_cast<const typename Row::Element*>(from);
  } else {
    using Block = typename KvBlock<kFormat>::Type;
    for (size_t i = 0; i < n; ++i)
      decode_blocks<Block>(from + i * rows.stride, scratch + i * rows.dim, rows.dim / Block::values);
    stride = rows.dim;
    return scratch;
  }
}

// To prefetch those from position p on.
template <class Row, Format kFormat>
OGAS_INLINE ReadNext read_next(const KvRows& rows, size_t p) {
  if constexpr (is_plain(kFormat))
    return {rows.at(p), rows.stride, rows.dim * sizeof(typename Row::Element)};
  else
    return {rows.at(p), rows.stride, rows.dim / KvBlock<kFormat>::Type::values * KvBlock<kFormat>::Type::bytes};
}

// The positions p..p + n, of one page.
template <class Isa, Format kFormat>
OGAS_INLINE void attend_block(const AttendArgs& args, size_t p, size_t n, AttendBlock& block) {
  using Row = Plain<Isa, is_plain(kFormat) ? kFormat : Format::f32>;
  const size_t n_rows = args.n_tokens * args.n_heads;
  const KvRows keys = keys_of(args), values = values_of(args);
  const bool are_same = keys.offset == values.offset;
  const ReadNext next_values = are_same ? ReadNext{} : read_next<Row, kFormat>(values, p);
  const ReadNext next_keys = p + n < args.p_end ? read_next<Row, kFormat>(keys, p + n) : ReadNext{};
  const auto row_of_q = [&](size_t row) {
    return args.q + row / args.n_heads * args.q_stride + row % args.n_heads * args.k_dim;
  };
  size_t stride = 0;
  const auto* keys_read = readable<Row, kFormat>(keys, p, n, args.scratch, stride);
  for_rows(n_rows, [&]<size_t kRows>(size_t row) OGAS_LAMBDA_INLINE {
    const float* q[kRows];
    for (size_t k = 0; k < kRows; ++k) q[k] = row_of_q(row + k);
    score_all<Isa, Row, kRows, kRows == 1 ? 4 : Isa::kKeysTogether>(
        q, keys_read, stride, args.k_dim, args.scale, n, block.weights + row, row == 0 ? next_values : ReadNext{});
  });
  for (size_t row = 0; row < n_rows; ++row) {
    const size_t first_seen = args.first_seen(row / args.n_heads), end_seen = args.end_seen(row / args.n_heads);
    const size_t begin = first_seen > p ? (first_seen - p < n ? first_seen - p : n) : 0;
    const size_t end = end_seen > p ? (end_seen - p < n ? end_seen - p : n) : 0;
    float* scores = block.weights[row];
    if (args.soft_cap > 0 && begin < end) soft_cap<Isa>(scores + begin, end - begin, args.soft_cap);
    block.rescale[row] = exponentiate<Isa>(scores, begin, end, n, args.parts[row]);
  }
  const auto* values_read = readable<Row, kFormat>(values, p, n, args.scratch, stride);
  for_rows(n_rows, [&]<size_t kRows>(size_t row) OGAS_LAMBDA_INLINE {
    add_values<Isa, Row, kRows>(block, row, values_read, n, stride, args.sums + row * args.v_dim, args.v_dim,
                                row == 0 ? next_keys : ReadNext{});
  });
}

template <class Isa, Format kFormat>
void attend_in(const AttendArgs& args) {
  AttendBlock block;
  for (size_t row = 0; row < args.n_tokens * args.n_heads; ++row) {
    args.parts[row] = {-__builtin_inff(), 0};
    for (size_t d = 0; d < args.v_dim; ++d) args.sums[row * args.v_dim + d] = 0;
  }
  const size_t first = args.first_read();
  for (size_t p = first > args.p_begin ? first : args.p_begin; p < args.p_end;) {
    size_t end = (p / kAttendPositions + 1) * kAttendPositions;
    if (end > args.p_end) end = args.p_end;
    attend_block<Isa, kFormat>(args, p, end - p, block);
    p = end;
  }
}

// Calls run<format>().
template <class Run>
OGAS_INLINE auto with_kv_format(Format format, const Run& run) {
  switch (format) {
    case Format::f16: return run.template operator()<Format::f16>();
    case Format::bf16: return run.template operator()<Format::bf16>();
    case Format::q8_0: return run.template operator()<Format::q8_0>();
    case Format::q4_0: return run.template operator()<Format::q4_0>();
    default: return run.template operator()<Format::f32>();
  }
}

template <class Isa>
void attend_rows(const AttendArgs& args) {
  with_kv_format(args.kv_format, [&]<Format kFormat>() { attend_in<Isa, kFormat>(args); });
}

template <class Isa>
size_t attend_rows_scratch(const AttendArgs& args) {
  return is_plain(args.kv_format) ? 0 : kAttendPositions * (args.k_dim > args.v_dim ? args.k_dim : args.v_dim);
}

template <class Isa>
OGAS_INLINE void merge_row(const MergeArgs& args, size_t row, float* out, const float* sink) {
  const size_t n_rows = args.n_tokens * args.n_heads;
  float largest = sink ? *sink : -__builtin_inff();
  for (size_t part = 0; part < args.n_parts; ++part) {
    const float other = args.parts[part * n_rows + row].largest;
    largest = other > largest ? other : largest;
  }
  float sum = sink ? exp1<Isa>(*sink - largest) : 0;
  for (size_t part = 0; part < args.n_parts; ++part) {
    const size_t idx = part * n_rows + row;
    const float weight = exp1<Isa>(args.parts[idx].largest - largest);
    sum += weight * args.parts[idx].sum;
    const float* sums = args.sums + idx * args.v_dim;
    for (size_t d = 0; d < args.v_dim; ++d) out[d] = part == 0 ? weight * sums[d] : out[d] + weight * sums[d];
  }
  for (size_t d = 0; d < args.v_dim; ++d) out[d] /= sum;
}

template <class Isa>
void merge(const MergeArgs& args) {
  for (size_t t = 0; t < args.n_tokens; ++t)
    for (size_t h = 0; h < args.n_heads; ++h)
      merge_row<Isa>(args, t * args.n_heads + h, args.out + t * args.out_stride + h * args.v_dim,
                     args.sinks ? args.sinks + h : nullptr);
}

// Fast Walsh-Hadamard transform: log2(n) rounds of sums and differences.
template <class Isa>
void hadamard(float* x, size_t n, size_t n_blocks) {
  const float scale = 1 / __builtin_sqrtf(static_cast<float>(n));
  for (size_t b = 0; b < n_blocks; ++b, x += n) {
    for (size_t half = 1; half < n; half *= 2) {
      for (size_t begin = 0; begin < n; begin += 2 * half) {
        for (size_t i = begin; i < begin + half; ++i) {
          const float low = x[i], high = x[i + half];
          x[i] = low + high;
          x[i + half] = low - high;
        }
      }
    }
    for (size_t i = 0; i < n; ++i) x[i] *= scale;
  }
}

template <class Isa>
void store(const float* x, size_t n, Format format, std::byte* out) {
  auto* halves = reinterpret_cast<uint16_t*>(out);
  size_t i = 0;
  switch (format) {
    case Format::q8_0: return encode_blocks<Q8_0>(x, out, n / Q8_0::values);
    case Format::q4_0: return encode_blocks<Q4_0>(x, out, n / Q4_0::values);
    case Format::bf16:
      for (; i < n; ++i) halves[i] = f32_to_bf16(x[i]);
      return;
    case Format::f16:
      for (; i + Isa::kWidth <= n; i += Isa::kWidth) Isa::store_f16(halves + i, Isa::load(x + i));
      for (; i < n; ++i) halves[i] = f32_to_f16(x[i]);
      return;
    default: __builtin_memcpy(out, x, n * sizeof *x);
  }
}

}  // namespace
}  // namespace ogas
