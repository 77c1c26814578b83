// The operations written once over an instruction set's vectors; included by each isa_<name>.cc only.
//
// Everything is in an unnamed namespace and nothing of the standard library is instantiated, so that code compiled with
// one set's flags cannot become the copy the linker keeps for all. A sum's order depends on n_in alone, never on the
// number of tokens or the split of rows: results are bitwise independent of the batch.
#pragma once

#include "kernels/attend.h"
#include "kernels/attend_tiles.h"
#include "kernels/implementations.h"
#include "kernels/multiply_bf16.h"
#include "kernels/multiply_panels.h"
#include "kernels/multiply_rows.h"
#include "kernels/multiply_tiles.h"
#include "quant/f8_e4m3.h"
#include "quant/formats.h"
#include "quant/half.h"

namespace ogas {
namespace {

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

// Tokens are taken in blocks that stay in the L2 cache until all rows are multiplied with them. A single token is
// memory-bound, so its rows are read in order.
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

// Block formats against unquantized activations: unpacked, then as plain floats.
template <class Isa>
OGAS_INLINE void matmul_decoded(const MatmulArgs& args) {
  const BlockShape shape = shape_of(args.format);
  UnpackedTile tile;
  float row[kRowTile];
  for (size_t o = args.o_begin; o < args.o_end; ++o) {
    for (size_t i = 0; i < args.n_in; i += kRowTile) {
      const size_t n = args.n_in - i < kRowTile ? args.n_in - i : kRowTile;
      const StoredRow stored(args, shape, o, i);
      unpack_tile<Isa>(args.format, stored.blocks, stored.scales, n, tile);
      for (size_t j = 0; j < n; ++j) row[j] = tile.scales[j / shape.group] * static_cast<float>(tile.codes[j]);
      // No zero is added where there is no offset: it would lose the sign of a negative zero.
      if (shape.has_offset)
        for (size_t j = 0; j < n; ++j) row[j] += tile.offsets[j / kSumGroup];
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
  float row[kRowTile];
  for (size_t o = args.o_begin; o < args.o_end; ++o) {
    const size_t row_idx = stored_row(args, o);
    const float* scales = args.block_scales + row_idx / kF8Block * n_scales;
    for (size_t i = 0; i < args.n_in; i += kRowTile) {
      const size_t n = args.n_in - i < kRowTile ? args.n_in - i : kRowTile;
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

template <class Isa, Format kFormat>
OGAS_INLINE void matmul_plain_or_transposed(const MatmulArgs& args) {
  args.n_columns > 0 ? matmul_transposed<Isa, kFormat>(args) : matmul_plain<Isa, kFormat>(args);
}

template <class Isa>
void matmul_floats(const MatmulArgs& args) {
  switch (args.format) {
    case Format::f32: return matmul_plain_or_transposed<Isa, Format::f32>(args);
    case Format::f16: return matmul_plain_or_transposed<Isa, Format::f16>(args);
    case Format::bf16: return matmul_plain_or_transposed<Isa, Format::bf16>(args);
    case Format::f8_e4m3: return matmul_f8<Isa>(args);
    default: return matmul_decoded<Isa>(args);
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

// (1 + tanh z) / 2 is sigmoid(2 z), which loses nothing where tanh z is near -1.
template <class Isa>
void geglu(float* gate, const float* up, size_t n) {
  constexpr float kLinear = 1.5957691216F, kCubic = 0.044715F * kLinear;  // 2 sqrt(2 / pi)
  size_t i = 0;
  for (; i + Isa::kWidth <= n; i += Isa::kWidth) {
    const auto x = Isa::load(gate + i);
    const auto z = Isa::mul(x, Isa::fma(Isa::mul(x, x), Isa::set1(kCubic), Isa::set1(kLinear)));
    Isa::store(gate + i, Isa::mul(gated<Isa>(x, z), Isa::load(up + i)));
  }
  for (; i < n; ++i) {
    const float x = gate[i], z = x * __builtin_fmaf(x * x, kCubic, kLinear);
    gate[i] = x / (1 + exp1<Isa>(-z)) * up[i];
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

// A row of the state, which belongs to one output, is read twice while it is in the L1 cache, and from memory once.
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

// Rotation needs no intrinsics: a few thousand multiplications a token, in plain loops that compilers vectorize.
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

// The parts that an isa_<name>.cc combines. All but products of integers:
template <class Isa>
void set_float_ops(CpuKernels& kernels) {
  kernels.quantizes_activations = true;
  kernels.quantize = quantize<Isa>;
  kernels.matmul_floats = matmul_floats<Isa>;
  kernels.unpack_tile = unpack_tile<Isa>;
  kernels.rms_norm = rms_norm<Isa>;
  kernels.rope = rope<Isa>;
  kernels.attend_rows_scratch = attend_rows_scratch<Isa>;
  kernels.attend_rows = attend_rows<Isa>;
  kernels.merge = merge<Isa>;
  kernels.hadamard = hadamard<Isa>;
  kernels.swiglu = swiglu<Isa>;
  kernels.swiglu_clamped = swiglu_clamped<Isa>;
  kernels.geglu = geglu<Isa>;
  kernels.soft_cap = soft_cap<Isa>;
  kernels.sigmoid_gate = sigmoid_gate<Isa>;
  kernels.short_conv = short_conv<Isa>;
  kernels.delta_rule = delta_rule<Isa>;
  kernels.add = add<Isa>;
  kernels.store = store<Isa>;
}

// Products of integers, and the panels they read.
template <class Isa>
void set_integer_products(CpuKernels& kernels) {
  kernels.matmul_rows = matmul_rows<Isa>;
  kernels.matmul_panels = matmul_panels<Isa>;
  kernels.panel_rows = Isa::kWidth;
  kernels.panel_bytes = panel_bytes<Isa>;
  kernels.pack_panel = pack_panel<Isa>;
  kernels.read_panel_row = read_panel_row<Isa>;
}

template <class Isa>
void set_all_kernels(CpuKernels& kernels) {
  set_float_ops<Isa>(kernels);
  set_integer_products<Isa>(kernels);
}

// Products of BF16, of rows and of tiles.
template <class Isa>
void set_bf16_products(CpuKernels& kernels) {
  kernels.rounds_to_bf16 = true;
  kernels.matmul_bf16 = matmul_bf16<Isa>;
  kernels.round_to_tile = round_to_tile<Isa>;
}

template <class Isa>
void set_tile_products(CpuKernels& kernels) {
  kernels.tile_rows = Isa::kTileRows;
  kernels.tiles_are_quicker = Isa::kTilesAreQuicker;
  kernels.matmul_tiles = matmul_tiles<Isa>;
}

template <class Isa>
void set_tile_attention(CpuKernels& kernels) {
  kernels.attend_tile_rows = kTileAttendRows;
  kernels.attend_tiles_scratch = attend_tiles_scratch<Isa>;
  kernels.attend_tiles = attend_tiles<Isa>;
}

}  // namespace
}  // namespace ogas
