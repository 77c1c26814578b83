// Rows of block formats, as stored in the file, times quantized activations; included by generic.h only.
//
// A tile of a row is unpacked to codes, scales and offsets, after which all formats with the same group size are alike.
// So formats are compiled once per vector width, and products once per kind of group and dot product.
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/dot_plain.h"
#include "quant/formats.h"

namespace ogas {
namespace {

// What products need to know of a block format.
struct BlockShape {
  size_t values, bytes, group;
  bool has_offset, has_scales_apart;
};

OGAS_INLINE BlockShape shape_of(Format format) {
  BlockShape shape{};
  with_block(format, [&]<class Block>() OGAS_LAMBDA_INLINE {
    shape = {Block::values, Block::bytes, Block::group, Block::has_offset, kHasScalesApart<Block>};
  });
  return shape;
}

// Where row o of W is stored.
OGAS_INLINE size_t stored_row(const MatmulArgs& args, size_t o) { return args.first_row + o * args.row_step; }

// The blocks of row o of W from input i on, and their scales if the format stores them separately.
struct StoredRow {
  OGAS_INLINE StoredRow(const MatmulArgs& args, const BlockShape& shape, size_t o, size_t i)
      : blocks(args.weights + (stored_row(args, o) * args.n_in + i) / shape.values * shape.bytes),
        scales(shape.has_scales_apart ? args.scales + (stored_row(args, o) * args.n_in + i) / shape.values : nullptr) {}

  const std::byte *blocks, *scales;
};

// (A separate function for each format: all in one take GCC 12 twice as long and become slower.)
template <class Block>
__attribute__((noinline)) void unpack_blocks(const std::byte* __restrict blocks,
                                             [[maybe_unused]] const std::byte* __restrict apart, size_t n,
                                             UnpackedTile& __restrict tile) {
  for (size_t i = 0, b = 0; i < n; i += Block::values, ++b) {
    float offsets[Block::values / Block::group];
    float* scales = tile.scales + i / Block::group;
    Block::unpack(blocks + b * Block::bytes, tile.codes + i, scales, offsets);
    if constexpr (kHasScalesApart<Block>)
      if (apart) scales[0] = Block::scale_of(byte_at(apart, b));
    if constexpr (Block::has_offset) {
      constexpr size_t kSpread = Block::group / kSumGroup;
      for (size_t g = 0; g < Block::values / kSumGroup; ++g) tile.offsets[i / kSumGroup + g] = offsets[g / kSpread];
    }
  }
}

// An UnpackTile.
template <class Isa>
void unpack_tile(Format format, const std::byte* blocks, const std::byte* scales, size_t n, UnpackedTile& tile) {
  with_block(format, [&]<class Block>() { unpack_blocks<Block>(blocks, scales, n, tile); });
}

// sums[r][t] = kRows tiles times kTokens activations, n inputs from i_begin on.
template <class Isa, size_t kGroup, bool kHasOffset, size_t kRows, size_t kTokens>
OGAS_INLINE void dot_tile(const UnpackedTile* rows, const QuantizedRow* x, size_t i_begin, size_t n,
                          float (&sums)[kRows][kTokens]) {
  typename Isa::Floats total[kRows][kTokens];
  for (auto& row : total)
    for (auto& lane : row) lane = Isa::zero();
  for (size_t i = 0; i < n; i += kActivationBlock) {
    for (size_t r = 0; r < kRows; ++r) {
      const auto codes = Isa::load_codes(rows[r].codes + i);
      const float* scales = rows[r].scales + i / kGroup;
      for (size_t t = 0; t < kTokens; ++t) {
        const auto products = Isa::to_floats(Isa::dot32(codes, x[t].codes + i_begin + i));
        const float x_scale = x[t].scales[(i_begin + i) / kActivationBlock];
        const auto scale = kGroup == 32 ? Isa::set1(scales[0] * x_scale)
                                        : Isa::halves(scales[0] * x_scale, scales[kGroup == 32 ? 0 : 1] * x_scale);
        total[r][t] = Isa::fma(products, scale, total[r][t]);
      }
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t t = 0; t < kTokens; ++t) {
      float offset_part[1] = {0};
      if constexpr (kHasOffset)
        dot_plain<Isa, Plain<Isa, Format::f32>, 1>(rows[r].offsets, x[t].sums16 + i_begin / kSumGroup, 0, n / kSumGroup,
                                                   offset_part);
      sums[r][t] = Isa::sum(total[r][t]) + offset_part[0];
    }
  }
}

// All tokens against kRows rows from o on.
template <class Isa, size_t kGroup, bool kHasOffset, size_t kRows>
OGAS_INLINE void multiply_rows(const MatmulArgs& args, UnpackTile unpack, const BlockShape& shape, size_t o) {
  UnpackedTile tiles[kRows];
  for (size_t i = 0; i < args.n_in; i += kRowTile) {
    const size_t n = args.n_in - i < kRowTile ? args.n_in - i : kRowTile;
    for (size_t r = 0; r < kRows; ++r) {
      const StoredRow stored(args, shape, o + r, i);
      unpack(args.format, stored.blocks, stored.scales, n, tiles[r]);
    }
    const auto run = [&]<size_t kTokens>(size_t t) {
      float sums[kRows][kTokens];
      dot_tile<Isa, kGroup, kHasOffset, kRows, kTokens>(tiles, args.quantized + t, i, n, sums);
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

template <class Isa, size_t kGroup, bool kHasOffset>
void multiply_all_rows(const MatmulArgs& args, UnpackTile unpack, const BlockShape& shape) {
  size_t o = args.o_begin;
  for (; o + 2 <= args.o_end; o += 2) multiply_rows<Isa, kGroup, kHasOffset, 2>(args, unpack, shape, o);
  for (; o < args.o_end; ++o) multiply_rows<Isa, kGroup, kHasOffset, 1>(args, unpack, shape, o);
}

template <class Isa>
void matmul_rows(const MatmulArgs& args, UnpackTile unpack) {
  const BlockShape shape = shape_of(args.format);
  if (shape.group == 16)
    return shape.has_offset ? multiply_all_rows<Isa, 16, true>(args, unpack, shape)
                            : multiply_all_rows<Isa, 16, false>(args, unpack, shape);
  shape.has_offset ? multiply_all_rows<Isa, 32, true>(args, unpack, shape)
                   : multiply_all_rows<Isa, 32, false>(args, unpack, shape);
}

}  // namespace
}  // namespace ogas
