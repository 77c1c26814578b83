// The operations written once over an instruction set's vectors; included by each isa_<name>.cc and by nothing else.
//
// Everything is in an unnamed namespace and nothing of the standard library is instantiated, so that code compiled with
// one set's flags cannot become the copy the linker keeps for all. A sum's order depends on n_in alone, never on how
// many tokens are computed together or on how rows were cut: the same token gives the same bits in any batch.
#pragma once

#include "kernels/attend.h"
#include "kernels/attend_tiles.h"
#include "kernels/implementations.h"
#include "kernels/multiply_bf16.h"
#include "kernels/multiply_panels.h"
#include "kernels/multiply_tiles.h"
#include "quant/f8_e4m3.h"
#include "quant/formats.h"
#include "quant/half.h"

namespace ogas {
namespace {

// Inputs of a row that are unpacked and multiplied at a time: small enough for its codes, and those of the tokens it
// meets, to stay in the first-level cache. A multiple of every block (256).
constexpr size_t kTile = 1024;

// Where row o of W is stored.
OGAS_INLINE size_t stored_row(const MatmulArgs& args, size_t o) { return args.first_row + o * args.row_step; }

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

// Of one row.
template <class Isa, class Row, size_t kTokens>
OGAS_INLINE void dot_plain(const typename Row::Element* row, const float* x, size_t stride, size_t n,
                           float (&sums)[kTokens]) {
  float of_row[1][kTokens];
  dot_plain_rows<Isa, Row, 1, kTokens>(row, 0, x, stride, n, of_row);
  for (size_t t = 0; t < kTokens; ++t) sums[t] = of_row[0][t];
}

// kRows rows from o on times tokens t_begin..t_end.
template <class Isa, Format kFormat, size_t kRows>
OGAS_INLINE void multiply_plain_rows(const MatmulArgs& args, size_t o, size_t t_begin, size_t t_end) {
  using Row = Plain<Isa, kFormat>;
  const auto* rows = reinterpret_cast<const typename Row::Element*>(args.weights) + stored_row(args, o) * args.n_in;
  size_t t = t_begin;
  const auto run = [&]<size_t kTokens>() {
    for (; t + kTokens <= t_end; t += kTokens) {
      float sums[kRows][kTokens];
      dot_plain_rows<Isa, Row, kRows, kTokens>(rows, args.row_step * args.n_in, args.x + t * args.n_in, args.n_in,
                                               args.n_in, sums);
      for (size_t r = 0; r < kRows; ++r)
        for (size_t k = 0; k < kTokens; ++k) args.y[(t + k) * args.y_stride + o + r - args.o_begin] = sums[r][k];
    }
  };
  run.template operator()<4>();
  run.template operator()<1>();
}

// Tokens by blocks that stay in the second-level cache until all rows have met them. One token reads at the pace of
// memory, which is that of one row after the other.
template <class Isa, Format kFormat>
void matmul_plain(const MatmulArgs& args) {
  constexpr size_t kBlockBytes = size_t{256} << 10, kRows = Isa::kPlainRows;
  const size_t fitting = kBlockBytes / sizeof(float) / args.n_in / 4 * 4, block = fitting < 4 ? 4 : fitting;
  for (size_t t = 0; t < args.n_tokens; t += block) {
    const size_t t_end = t + block < args.n_tokens ? t + block : args.n_tokens;
    size_t o = args.o_begin;
    if (kRows > 1 && t_end - t >= 4)
      for (; o + kRows <= args.o_end; o += kRows) multiply_plain_rows<Isa, kFormat, kRows>(args, o, t, t_end);
    for (; o < args.o_end; ++o) multiply_plain_rows<Isa, kFormat, 1>(args, o, t, t_end);
  }
}

// Plain weights that are stored transposed: some columns of some rows are gathered, so that whole cache lines are read,
// then as plain floats.
template <class Isa, Format kFormat>
void matmul_transposed(const MatmulArgs& args) {
  using Row = Plain<Isa, kFormat>;
  constexpr size_t kOutputs = 16, kInputs = 128;
  float rows[kOutputs][kInputs];
  const auto* weights = reinterpret_cast<const typename Row::Element*>(args.weights);
  for (size_t o = args.o_begin; o < args.o_end; o += kOutputs) {
    const size_t n_out = args.o_end - o < kOutputs ? args.o_end - o : kOutputs;
    for (size_t i = 0; i < args.n_in; i += kInputs) {
      const size_t n = args.n_in - i < kInputs ? args.n_in - i : kInputs;
      for (size_t j = 0; j < n; ++j)
        for (size_t k = 0; k < n_out; ++k)
          rows[k][j] = Row::load1(weights[(i + j) * args.n_columns + stored_row(args, o + k)]);
      for (size_t k = 0; k < n_out; ++k) {
        for (size_t t = 0; t < args.n_tokens; ++t) {
          float sums[1];
          dot_plain<Isa, Plain<Isa, Format::f32>, 1>(rows[k], args.x + t * args.n_in + i, 0, n, sums);
          float& y = args.y[t * args.y_stride + o + k - args.o_begin];
          y = i == 0 ? sums[0] : y + sums[0];
        }
      }
    }
  }
}

// A tile of one row of weights, unpacked: value = scale * code + offset.
template <class Block>
struct UnpackedTile {
  int8_t codes[kTile];
  float scales[kTile / Block::group];
  float offsets[kTile / kSumGroup];  // spread to groups of 16, to go with QuantizedRow::sums16

  // apart: as for decode_blocks().
  OGAS_INLINE void unpack(const std::byte* blocks, [[maybe_unused]] const std::byte* apart, size_t n) {
    for (size_t i = 0, b = 0; i < n; i += Block::values, ++b) {
      float block_offsets[Block::values / Block::group];
      Block::unpack(blocks + b * Block::bytes, codes + i, scales + i / Block::group, block_offsets);
      if constexpr (kHasScalesApart<Block>) scales[i / Block::group] = Block::scale_of(byte_at(apart, b));
      if constexpr (Block::has_offset) {
        constexpr size_t kSpread = Block::group / kSumGroup;
        for (size_t g = 0; g < Block::values / kSumGroup; ++g) offsets[i / kSumGroup + g] = block_offsets[g / kSpread];
      }
    }
  }
};

// y += one tile of kRows rows times kTokens activations.
template <class Isa, class Block, size_t kRows, size_t kTokens>
OGAS_INLINE void dot_tile(const UnpackedTile<Block>* rows, const QuantizedRow* x, size_t i_begin, size_t n,
                          float (&sums)[kRows][kTokens]) {
  typename Isa::Floats total[kRows][kTokens];
  for (auto& row : total)
    for (auto& lane : row) lane = Isa::zero();
  for (size_t i = 0; i < n; i += kActivationBlock) {
    for (size_t r = 0; r < kRows; ++r) {
      const auto codes = Isa::load_codes(rows[r].codes + i);
      const float* scales = rows[r].scales + i / Block::group;
      for (size_t t = 0; t < kTokens; ++t) {
        const auto products = Isa::to_floats(Isa::dot32(codes, x[t].codes + i_begin + i));
        const float x_scale = x[t].scales[(i_begin + i) / kActivationBlock];
        const auto scale = Block::group == 32
                               ? Isa::set1(scales[0] * x_scale)
                               : Isa::halves(scales[0] * x_scale, scales[Block::group == 32 ? 0 : 1] * x_scale);
        total[r][t] = Isa::fma(products, scale, total[r][t]);
      }
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t t = 0; t < kTokens; ++t) {
      float offset_part[1] = {0};
      if constexpr (Block::has_offset)
        dot_plain<Isa, Plain<Isa, Format::f32>, 1>(rows[r].offsets, x[t].sums16 + i_begin / kSumGroup, 0, n / kSumGroup,
                                                   offset_part);
      sums[r][t] = Isa::sum(total[r][t]) + offset_part[0];
    }
  }
}

// Scales of a row from input i on, where the format has them apart.
template <class Block>
OGAS_INLINE const std::byte* scales_apart(const MatmulArgs& args, size_t row_idx, size_t i) {
  return kHasScalesApart<Block> ? args.scales + (row_idx * args.n_in + i) / Block::values : nullptr;
}

// All tokens against kRows rows from o on.
template <class Isa, class Block, size_t kRows>
OGAS_INLINE void matmul_rows(const MatmulArgs& args, size_t o) {
  const size_t row_bytes = args.n_in / Block::values * Block::bytes;
  UnpackedTile<Block> tiles[kRows];
  for (size_t i = 0; i < args.n_in; i += kTile) {
    const size_t n = args.n_in - i < kTile ? args.n_in - i : kTile;
    for (size_t r = 0; r < kRows; ++r) {
      const size_t row_idx = stored_row(args, o + r);
      tiles[r].unpack(args.weights + row_idx * row_bytes + i / Block::values * Block::bytes,
                      scales_apart<Block>(args, row_idx, i), n);
    }
    const auto run = [&]<size_t kTokens>(size_t t) {
      float sums[kRows][kTokens];
      dot_tile<Isa, Block, kRows, kTokens>(tiles, args.quantized + t, i, n, sums);
      for (size_t r = 0; r < kRows; ++r) {
        for (size_t k = 0; k < kTokens; ++k) {
          float& y = args.y[(t + k) * args.y_stride + o + r - args.o_begin];
          y = i == 0 ? sums[r][k] : y + sums[r][k];
        }
      }
    };
    size_t t = 0;
    for (; t + 4 <= args.n_tokens; t += 4) run.template operator()<4>(t);
    for (; t < args.n_tokens; ++t) run.template operator()<1>(t);
  }
}

template <class Isa, class Block>
void matmul_quantized(const MatmulArgs& args) {
  size_t o = args.o_begin;
  for (; o + 2 <= args.o_end; o += 2) matmul_rows<Isa, Block, 2>(args, o);
  for (; o < args.o_end; ++o) matmul_rows<Isa, Block, 1>(args, o);
}

// Block formats against unquantized activations: decoded, then as plain floats.
template <class Isa, class Block>
void matmul_decoded(const MatmulArgs& args) {
  const size_t row_bytes = args.n_in / Block::values * Block::bytes;
  float row[kTile];
  for (size_t o = args.o_begin; o < args.o_end; ++o) {
    for (size_t i = 0; i < args.n_in; i += kTile) {
      const size_t n = args.n_in - i < kTile ? args.n_in - i : kTile;
      const size_t row_idx = stored_row(args, o);
      decode_blocks<Block>(args.weights + row_idx * row_bytes + i / Block::values * Block::bytes, row,
                           n / Block::values, scales_apart<Block>(args, row_idx, i));
      for (size_t t = 0; t < args.n_tokens; ++t) {
        float sums[1];
        dot_plain<Isa, Plain<Isa, Format::f32>, 1>(row, args.x + t * args.n_in + i, 0, n, sums);
        float& y = args.y[t * args.y_stride + o - args.o_begin];
        y = i == 0 ? sums[0] : y + sums[0];
      }
    }
  }
}

// FP8 weights with a factor for each 128 x 128 block: decoded, then as plain floats.
template <class Isa>
void matmul_f8(const MatmulArgs& args) {
  const size_t n_scales = (args.n_in + kF8Block - 1) / kF8Block;
  const auto* weights = reinterpret_cast<const uint8_t*>(args.weights);
  float row[kTile];
  for (size_t o = args.o_begin; o < args.o_end; ++o) {
    const size_t row_idx = stored_row(args, o);
    const float* scales = args.block_scales + row_idx / kF8Block * n_scales;
    for (size_t i = 0; i < args.n_in; i += kTile) {
      const size_t n = args.n_in - i < kTile ? args.n_in - i : kTile;
      const uint8_t* codes = weights + row_idx * args.n_in + i;
      for (size_t j = 0; j < n; ++j) row[j] = f8_e4m3_to_f32(codes[j]) * scales[(i + j) / kF8Block];
      const auto run = [&]<size_t kTokens>(size_t t) {
        float sums[kTokens];
        dot_plain<Isa, Plain<Isa, Format::f32>, kTokens>(row, args.x + t * args.n_in + i, args.n_in, n, sums);
        for (size_t k = 0; k < kTokens; ++k) {
          float& y = args.y[(t + k) * args.y_stride + o - args.o_begin];
          y = i == 0 ? sums[k] : y + sums[k];
        }
      };
      size_t t = 0;
      for (; t + 4 <= args.n_tokens; t += 4) run.template operator()<4>(t);
      for (; t < args.n_tokens; ++t) run.template operator()<1>(t);
    }
  }
}

template <class Isa, class Block>
OGAS_INLINE bool matmul_if(const MatmulArgs& args) {
  if (args.format != Block::format) return false;
  if constexpr (has_panels<Isa, Block>()) {
    if constexpr (HasMatrixTiles<Isa>) {
      if (args.panels && args.bf16) {
        matmul_tiles<Isa, Block>(args);
        return true;
      }
    }
    if (args.panels && args.quantized) {
      matmul_panels<Isa, Block>(args);
      return true;
    }
  }
  args.quantized ? matmul_quantized<Isa, Block>(args) : matmul_decoded<Isa, Block>(args);
  return true;
}

template <class Isa, class... Blocks>
OGAS_INLINE void matmul_block(const MatmulArgs& args, FormatList<Blocks...>) {
  (matmul_if<Isa, Blocks>(args) || ...);
}

template <class Isa, Format kFormat>
OGAS_INLINE void matmul_plain_or_transposed(const MatmulArgs& args) {
  args.n_columns > 0 ? matmul_transposed<Isa, kFormat>(args) : matmul_plain<Isa, kFormat>(args);
}

template <class Isa>
void matmul(const MatmulArgs& args) {
  switch (args.format) {
    case Format::f32: return matmul_plain_or_transposed<Isa, Format::f32>(args);
    case Format::f16: return matmul_plain_or_transposed<Isa, Format::f16>(args);
    case Format::bf16:
      if constexpr (HasBf16Dot<Isa>)
        if (args.n_columns == 0 && !args.keeps_x) return matmul_bf16<Isa>(args);
      return matmul_plain_or_transposed<Isa, Format::bf16>(args);
    case Format::f8_e4m3: return matmul_f8<Isa>(args);
    default: return matmul_block<Isa>(args, BlockFormats{});
  }
}

template <class Isa>
void quantize(const float* x, size_t n, const QuantizedRow& row) {
  for (size_t begin = 0; begin < n; begin += kActivationBlock) {
    auto largest = Isa::zero();
    for (size_t i = 0; i < kActivationBlock; i += Isa::kWidth)
      largest = Isa::max(largest, Isa::abs(Isa::load(x + begin + i)));
    const float exact = Isa::largest(largest) / 127;
    const float scale = exact < kSmallestScale ? 0 : exact;
    const float inverse = scale == 0 ? 0 : 1 / scale;
    row.scales[begin / kActivationBlock] = scale;
    int total = 0;
    for (size_t group = begin; group < begin + kActivationBlock; group += kSumGroup) {
      int sum = 0;
      for (size_t i = group; i < group + kSumGroup; i += Isa::kWidth)
        sum += Isa::store_codes(row.codes + i, Isa::mul(Isa::load(x + i), Isa::set1(inverse)));
      row.minus_codes16[group / kSumGroup] = -sum;
      row.sums16[group / kSumGroup] = scale * static_cast<float>(sum);
      total += sum;
    }
    row.minus_codes32[begin / kActivationBlock] = -total;
    row.sums32[begin / kActivationBlock] = scale * static_cast<float>(total);
  }
}

template <class Isa>
void round_to_tile(const float* x, size_t n, size_t row, uint16_t* tile) {
  if constexpr (HasMatrixTiles<Isa>)
    for (size_t i = 0; i < n; i += Isa::kTileInputs)
      Isa::store_bf16s(tile + i * Isa::kTileRows + row * Isa::kTileInputs, x + i);
}

template <class Isa>
void rms_norm(const float* x, const float* weight, float eps, size_t n, float* y) {
  float squares[1];
  dot_plain<Isa, Plain<Isa, Format::f32>, 1>(x, x, 0, n, squares);
  const float scale = 1 / __builtin_sqrtf(squares[0] / static_cast<float>(n) + eps);
  size_t i = 0;
  for (; i + Isa::kWidth <= n; i += Isa::kWidth)
    Isa::store(y + i, Isa::mul(Isa::mul(Isa::load(x + i), Isa::set1(scale)), Isa::load(weight + i)));
  for (; i < n; ++i) y[i] = x[i] * scale * weight[i];
}

// x * sigmoid(z); silu where both are the same.
template <class Isa>
OGAS_INLINE typename Isa::Floats gated(typename Isa::Floats x, typename Isa::Floats z) {
  return Isa::div(x, Isa::add(Isa::set1(1), exp<Isa>(Isa::sub(Isa::zero(), z))));
}

template <class Isa>
void swiglu(float* gate, const float* up, size_t n) {
  size_t i = 0;
  for (; i + Isa::kWidth <= n; i += Isa::kWidth) {
    const auto z = Isa::load(gate + i);
    Isa::store(gate + i, Isa::mul(gated<Isa>(z, z), Isa::load(up + i)));
  }
  for (; i < n; ++i) gate[i] = gate[i] / (1 + exp1<Isa>(-gate[i])) * up[i];
}

template <class Isa>
void swiglu_clamped(float* gate, const float* up, size_t n, const SwigluClamp& clamp) {
  const auto clamped = [&](float x) { return x < -clamp.limit ? -clamp.limit : x > clamp.limit ? clamp.limit : x; };
  const auto limit = Isa::set1(clamp.limit);
  size_t i = 0;
  for (; i + Isa::kWidth <= n; i += Isa::kWidth) {
    const auto g = Isa::min(Isa::load(gate + i), limit);
    const auto u = Isa::max(Isa::min(Isa::load(up + i), limit), Isa::set1(-clamp.limit));
    const auto glu = Isa::div(g, Isa::add(Isa::set1(1), exp<Isa>(Isa::mul(g, Isa::set1(-clamp.alpha)))));
    Isa::store(gate + i, Isa::mul(Isa::add(u, Isa::set1(1)), glu));
  }
  for (; i < n; ++i) {
    const float g = gate[i] > clamp.limit ? clamp.limit : gate[i];
    gate[i] = (clamped(up[i]) + 1) * (g / (1 + exp1<Isa>(-clamp.alpha * g)));
  }
}

template <class Isa>
void sigmoid_gate(float* y, const float* gate, size_t n) {
  size_t i = 0;
  for (; i + Isa::kWidth <= n; i += Isa::kWidth) Isa::store(y + i, gated<Isa>(Isa::load(y + i), Isa::load(gate + i)));
  for (; i < n; ++i) y[i] /= 1 + exp1<Isa>(-gate[i]);
}

template <class Isa>
void short_conv(const ShortConvArgs& args) {
  size_t i = 0;
  for (; i + Isa::kWidth <= args.n; i += Isa::kWidth) {
    auto sum = Isa::zero();
    for (size_t tap = 0; tap < args.n_taps; ++tap)
      sum = Isa::fma(Isa::load(args.weight + tap * args.n + i), Isa::load(args.x[tap] + i), sum);
    Isa::store(args.y + i, gated<Isa>(sum, sum));
  }
  for (; i < args.n; ++i) {
    float sum = 0;
    for (size_t tap = 0; tap < args.n_taps; ++tap) sum += args.weight[tap * args.n + i] * args.x[tap][i];
    args.y[i] = sum / (1 + exp1<Isa>(-sum));
  }
}

// A row of the state, which belongs to one output, is read twice while it is in the first-level cache, and goes through
// memory once.
template <class Isa>
void delta_rule(const DeltaRuleArgs& args) {
  using Row = Plain<Isa, Format::f32>;
  const auto decay = Isa::set1(args.decay);
  for (size_t j = 0; j < args.v_dim; ++j) {
    float* row = args.state + j * args.k_dim;
    float known[1];
    dot_plain<Isa, Row, 1>(row, args.k, 0, args.k_dim, known);
    const float delta = args.beta * (args.v[j] - args.decay * known[0]);
    auto total = Isa::zero();
    size_t d = 0;
    for (; d + Isa::kWidth <= args.k_dim; d += Isa::kWidth) {
      const auto kept = Isa::mul(Isa::load(row + d), decay);
      const auto updated = Isa::fma(Isa::load(args.k + d), Isa::set1(delta), kept);
      Isa::store(row + d, updated);
      total = Isa::fma(updated, Isa::load(args.q + d), total);
    }
    float out = Isa::sum(total);
    for (; d < args.k_dim; ++d) {
      row[d] = row[d] * args.decay + args.k[d] * delta;
      out += row[d] * args.q[d];
    }
    args.out[j] = out;
  }
}

template <class Isa>
void add(float* y, const float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] += x[i];
}

// Rotation needs no vectors of its own: a few thousand multiplications a token, and plain loops that compilers handle.
template <class Isa>
void rope(const RopeArgs& args) {
  const bool interleaved = args.style == RopeStyle::interleaved;
  const size_t n_pairs = args.n_rot / 2;
  for (size_t h = 0; h < args.n_heads; ++h) {
    float* x = args.x + h * args.head_stride;
    for (size_t j = 0; j < n_pairs; ++j) {
      float& a = x[interleaved ? 2 * j : j];
      float& b = x[interleaved ? 2 * j + 1 : j + n_pairs];
      const float cos = args.cos_sin[2 * j], sin = args.cos_sin[2 * j + 1];
      const float rotated = a * cos - b * sin;
      b = a * sin + b * cos;
      a = rotated;
    }
  }
}

template <class Isa>
constexpr size_t tile_rows() {
  if constexpr (HasMatrixTiles<Isa>)
    return Isa::kTileRows;
  else
    return 0;
}

template <class Isa>
constexpr bool tiles_are_quicker() {
  if constexpr (HasMatrixTiles<Isa>)
    return Isa::kTilesAreQuicker;
  else
    return false;
}

template <class Isa>
constexpr size_t attend_tile_rows() {
  return AttendsByTiles<Isa> ? kTileAttendRows : 0;
}

template <class Isa>
constexpr Ops make_ops(std::string_view name) {
  return {
      .name = name,
      .quantizes_activations = true,
      .rounds_to_bf16 = HasBf16Dot<Isa>,
      .tile_rows = tile_rows<Isa>(),
      .tiles_are_quicker = tiles_are_quicker<Isa>(),
      .round_to_tile = round_to_tile<Isa>,
      .quantize = quantize<Isa>,
      .matmul = matmul<Isa>,
      .panel_rows = HasPanels<Isa> ? Isa::kWidth : 0,
      .panel_bytes = panel_bytes<Isa>,
      .pack_panel = pack_panel<Isa>,
      .read_panel_row = read_panel_row<Isa>,
      .rms_norm = rms_norm<Isa>,
      .rope = rope<Isa>,
      .attend_tile_rows = attend_tile_rows<Isa>(),
      .attend_scratch = attend_scratch<Isa>,
      .attend = attend<Isa>,
      .merge = merge<Isa>,
      .hadamard = hadamard<Isa>,
      .swiglu = swiglu<Isa>,
      .swiglu_clamped = swiglu_clamped<Isa>,
      .sigmoid_gate = sigmoid_gate<Isa>,
      .short_conv = short_conv<Isa>,
      .delta_rule = delta_rule<Isa>,
      .add = add<Isa>,
      .store = store<Isa>,
  };
}

}  // namespace
}  // namespace ogas
