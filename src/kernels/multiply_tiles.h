// Panels (panels.h) times activations in BF16 by tiles; included by generic.h only.
//
// Weights are decoded to BF16 once for a block of tokens: a tile adds up products in F32 over all inputs, where sums of
// 8-bit products end with every group that has a scale of its own. (Granite Rapids, for 16 tokens, 16 rows and 32
// inputs: the product takes 4.4 ns in either form; but storing sums of bytes takes 4.3 and scaling them 7 to 10,
// sequentially since they share a port. Vectors take 9.2 at their peak.) Without matrix instructions BF16 is the slower
// and the more accurate form (CpuKernels::tiles_are_quicker).
//
// Sums are added in the order of inputs, independently of the batch.
#pragma once

#include "kernels/multiply_panels.h"

namespace ogas {
namespace {

// Inputs of two panels that are decoded at a time; their tiles stay in the L1 cache until they are multiplied with all
// tokens of a block. Either all inputs, or as many as let these inputs of the block's tokens stay in the L2 cache for a
// few pairs of panels, together with all sums.
constexpr size_t kDecodedInputs = 768, kPieceInputs = 256, kTileTokens = 512, kTilePanels = 16;
static_assert(kDecodedInputs % kSection == 0);

template <class Isa>
struct DecodedPanel {
  alignas(kPanelAlignment) uint16_t tiles[kDecodedInputs / Isa::kTileInputs][Isa::kTileInputs * Isa::kWidth];
};

// Sums of tile_rows tokens and two panels, side by side: their address, and the stride from one token to the next.
struct TileSums {
  float* at;
  size_t stride;
};

// n inputs of a panel, from i on.
template <class Isa, class Block>
OGAS_INLINE void decode_panel(const std::byte* panel, size_t n_in, size_t i, size_t n, DecodedPanel<Isa>& decoded) {
  using Panel = PanelOf<Isa, Block>;
  for (size_t begin = 0; begin < n; begin += kSection) {
    const Section<Isa, Block, const std::byte> section(panel, n_in, i + begin);
    for (size_t block = 0; block < section.n; block += Block::values) {
      const typename Panel::Scales scales(section.scales_of(block));
      for (size_t at = block; at < block + Block::values; at += 32) {
        const std::byte* codes = section.codes_of(at);
        for (size_t line = 0; line < kCodeBytes<Isa, Block>; line += kCacheLine) prefetch<Isa, false>(codes + line);
        typename Isa::Bytes w[8];
        unpack_panel<Isa, Panel::kBits>(codes, w);
        uint16_t* tile = decoded.tiles[(begin + at) / Isa::kTileInputs];
#pragma GCC unroll 2
        for (size_t half = 0; half < 32 / Block::group; ++half) {
          const size_t group = (at - block) / Block::group + half;
          const auto scale = scales.scale(group);
          auto offset = Isa::mul(scale, Isa::set1(-256.0F - Panel::kBias));
          if constexpr (Block::has_offset) offset = Isa::add(offset, scales.offset(group));
          constexpr size_t kVectors = Block::group / 4;
#pragma GCC unroll 8
          for (size_t k = half * kVectors; k < (half + 1) * kVectors; ++k)
            Isa::store_weights(tile + k * 4 * Isa::kWidth, w[k], scale, offset);
        }
      }
    }
  }
}

// A part of a product: inputs i..i + n of panels from `panel` on and groups of tokens from first_group on.
struct TilePiece {
  size_t panel, first_group, n_groups, i, n;
  float* sums;  // [n_groups][tile_rows][2 * kWidth], if there are inputs before or after these
};

// Whether the sums of a whole tile of tokens and kPanels panels are stored to y directly.
template <class Isa, size_t kPanels>
OGAS_INLINE bool all_belong_to_y(const MatmulArgs& args, size_t panel, size_t group) {
  const size_t row = panel * Isa::kWidth, t = group * Isa::kTileRows;
  return row >= args.panel_row + args.o_begin && row + kPanels * Isa::kWidth <= args.panel_row + args.o_end &&
         t >= args.bf16_skip && t + Isa::kTileRows <= args.bf16_skip + args.n_tokens;
}

template <class Isa, size_t kPanels>
OGAS_INLINE void store_tile(const MatmulArgs& args, size_t panel, size_t group, const TileSums& sums) {
  for (size_t in_group = 0; in_group < Isa::kTileRows; ++in_group) {
    const size_t t = group * Isa::kTileRows + in_group;
    if (t < args.bf16_skip || t - args.bf16_skip >= args.n_tokens) continue;
    for (size_t p = 0; p < kPanels; ++p)
      store_panel<Isa>(args, Isa::load(sums.at + in_group * sums.stride + p * Isa::kWidth), (panel + p) * Isa::kWidth,
                       t - args.bf16_skip);
  }
}

// kGroups groups from `group` on of a piece. x: their tiles of the first input. w: those of the panels.
template <class Isa, size_t kGroups, size_t kPanels>
OGAS_INLINE void multiply_groups(const MatmulArgs& args, const TilePiece& piece, size_t group, const uint16_t* x,
                                 const uint16_t* const (&w)[kPanels]) {
  constexpr size_t kStride = 2 * Isa::kWidth, kFloats = Isa::kTileRows * kStride;
  const bool is_first = piece.i == 0, is_last = piece.i + piece.n == args.n_in;
  alignas(kPanelAlignment) float kept[kGroups][kFloats];
  const uint16_t* tiles[kGroups];
  TileSums before[kGroups], after[kGroups];
  bool goes_to_y[kGroups];
  for (size_t g = 0; g < kGroups; ++g) {
    const size_t in_piece = group - piece.first_group + g;
    tiles[g] = x + in_piece * Isa::kTileRows * args.n_in;
    before[g] = {piece.sums + in_piece * kFloats, kStride};
    goes_to_y[g] = is_last && all_belong_to_y<Isa, kPanels>(args, piece.panel, group + g);
    if (goes_to_y[g])
      after[g] = {args.y + ((group + g) * Isa::kTileRows - args.bf16_skip) * args.y_stride + piece.panel * Isa::kWidth -
                      args.panel_row - args.o_begin,
                  args.y_stride};
    else
      after[g] = is_last ? TileSums{kept[g], kStride} : before[g];
  }
  Isa::template multiply_tiles<kGroups, kPanels>(tiles, w, piece.n / Isa::kTileInputs, is_first ? nullptr : before,
                                                 after);
  for (size_t g = 0; g < kGroups; ++g)
    if (is_last && !goes_to_y[g]) store_tile<Isa, kPanels>(args, piece.panel, group + g, after[g]);
}

template <class Isa, class Block, size_t kPanels>
OGAS_INLINE void multiply_piece(const MatmulArgs& args, const TilePiece& piece) {
  DecodedPanel<Isa> decoded[kPanels];
  const uint16_t* w[kPanels];
  for (size_t p = 0; p < kPanels; ++p) {
    decode_panel<Isa, Block>(args.panels + (piece.panel + p) * panel_bytes_of<Isa, Block>(args.n_in), args.n_in,
                             piece.i, piece.n, decoded[p]);
    w[p] = decoded[p].tiles[0];
  }
  const uint16_t* x = args.bf16 + (piece.first_group * args.n_in + piece.i) * Isa::kTileRows;
  const size_t end = piece.first_group + piece.n_groups;
  size_t group = piece.first_group;
  for (; group + 2 <= end; group += 2) multiply_groups<Isa, 2, kPanels>(args, piece, group, x, w);
  if (group < end) multiply_groups<Isa, 1, kPanels>(args, piece, group, x, w);
}

// Up to kTilePanels panels from `panel` on times the tokens of some groups.
template <class Isa, class Block>
void multiply_block_by_tiles(const MatmulArgs& args, size_t panel, size_t n_panels, size_t first_group,
                             size_t n_groups) {
  alignas(kPanelAlignment) float sums[kTilePanels / 2][kTileTokens][2 * Isa::kWidth];
  const size_t max = args.n_in <= kDecodedInputs ? kDecodedInputs : kPieceInputs;
  for (size_t i = 0; i < args.n_in; i += max) {
    const size_t n = args.n_in - i < max ? args.n_in - i : max;
    for (size_t p = 0; p < n_panels; p += 2) {
      const TilePiece piece{panel + p, first_group, n_groups, i, n, sums[p / 2][0]};
      p + 2 <= n_panels ? multiply_piece<Isa, Block, 2>(args, piece) : multiply_piece<Isa, Block, 1>(args, piece);
    }
  }
}

template <class Isa, class Block>
void matmul_tiles_of(const MatmulArgs& args) {
  constexpr size_t kGroups = kTileTokens / Isa::kTileRows;
  const size_t first = (args.panel_row + args.o_begin) / Isa::kWidth;
  const size_t end = (args.panel_row + args.o_end + Isa::kWidth - 1) / Isa::kWidth;
  const size_t n_groups = (args.bf16_skip + args.n_tokens + Isa::kTileRows - 1) / Isa::kTileRows;
  [[maybe_unused]] const typename Isa::Tiles tiles;
  for (size_t group = 0; group < n_groups; group += kGroups)
    for (size_t panel = first; panel < end; panel += kTilePanels)
      multiply_block_by_tiles<Isa, Block>(args, panel, end - panel < kTilePanels ? end - panel : kTilePanels, group,
                                          n_groups - group < kGroups ? n_groups - group : kGroups);
}

template <class Isa>
void matmul_tiles(const MatmulArgs& args) {
  with_panel_block<Isa>(args.format, [&]<class Block>() { matmul_tiles_of<Isa, Block>(args); });
}

}  // namespace
}  // namespace ogas
