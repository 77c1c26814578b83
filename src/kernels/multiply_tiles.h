// Panels (panels.h) times activations in BF16 by tiles; included by generic.h and by nothing else.
//
// Weights are decoded to BF16 once for a block of tokens: a tile adds up products in F32 over all inputs, where sums of
// 8-bit products end with every group that has a scale of its own. (Granite Rapids, for 16 tokens, 16 rows and 32
// inputs: the product 4.4 ns in either form; but storing sums of bytes takes 4.3 and scaling them 7 to 10, one after
// the other since they share a port. Vectors take 9.2 at their peak.) Without matrix instructions BF16 is the slower
// form and the closer one (Ops::tiles_are_quicker).
//
// Sums join in the order of inputs, whatever else is computed with them.
#pragma once

#include "kernels/multiply_panels.h"

namespace ogas {
namespace {

template <class Isa>
concept HasMatrixTiles = requires { typename Isa::Tiles; };

// Inputs that are decoded at a time, of two panels, whose tiles stay in the first-level cache until all tokens of a
// block have met them. In the second stay these inputs of the block's tokens, until a few pairs of panels have met
// them, and the sums of all.
constexpr size_t kDecodedInputs = 256, kTileTokens = 512, kTilePanels = 16;
static_assert(kDecodedInputs % kSection == 0);

template <class Isa>
struct DecodedPanel {
  alignas(kPanelAlignment) uint16_t tiles[kDecodedInputs / Isa::kTileInputs][Isa::kTileInputs * Isa::kWidth];
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
        for (size_t line = 0; line < kCodeBytes<Isa, Block>; line += kCacheLine) ask_ahead<Isa, false>(codes + line);
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

// sums[group][p] += n inputs of kPanels panels from `panel` on, from input i on, times all groups of tokens. x: the
// tiles of these inputs and the first group.
template <class Isa, class Block, size_t kPanels>
OGAS_INLINE void multiply_piece(const MatmulArgs& args, size_t panel, size_t i, size_t n, const uint16_t* x,
                                size_t n_groups, typename Isa::TileOfSums (*sums)[2]) {
  DecodedPanel<Isa> decoded[kPanels];
  const uint16_t* w[kPanels];
  for (size_t p = 0; p < kPanels; ++p) {
    decode_panel<Isa, Block>(args.panels + (panel + p) * panel_bytes_of<Isa, Block>(args.n_in), args.n_in, i, n,
                             decoded[p]);
    w[p] = decoded[p].tiles[0];
  }
  const size_t stride = Isa::kTileRows * args.n_in, n_steps = n / Isa::kTileInputs;
  size_t group = 0;
  for (; group + 2 <= n_groups; group += 2) {
    const uint16_t* const both[2] = {x + group * stride, x + (group + 1) * stride};
    Isa::template multiply_tiles<2, kPanels>(both, w, n_steps, {sums[group], sums[group + 1]});
  }
  if (group < n_groups) {
    const uint16_t* const last[1] = {x + group * stride};
    Isa::template multiply_tiles<1, kPanels>(last, w, n_steps, {sums[group]});
  }
}

// Up to kTilePanels panels from `panel` on times the tokens that groups first_group..end_group have.
template <class Isa, class Block>
void multiply_block_by_tiles(const MatmulArgs& args, size_t panel, size_t n_panels, size_t first_group,
                             size_t end_group) {
  constexpr size_t kRows = Isa::kTileRows;
  const size_t n_groups = end_group - first_group, n_pairs = (n_panels + 1) / 2;
  alignas(kPanelAlignment) typename Isa::TileOfSums sums[kTilePanels / 2][kTileTokens / kRows][2];
  for (size_t pair = 0; pair < n_pairs; ++pair) __builtin_memset(sums[pair], 0, n_groups * sizeof sums[0][0]);
  for (size_t i = 0; i < args.n_in; i += kDecodedInputs) {
    const size_t n = args.n_in - i < kDecodedInputs ? args.n_in - i : kDecodedInputs;
    const uint16_t* x = args.bf16 + (first_group * args.n_in + i) * kRows;
    for (size_t pair = 0; pair < n_pairs; ++pair) {
      if (2 * pair + 2 <= n_panels)
        multiply_piece<Isa, Block, 2>(args, panel + 2 * pair, i, n, x, n_groups, sums[pair]);
      else
        multiply_piece<Isa, Block, 1>(args, panel + 2 * pair, i, n, x, n_groups, sums[pair]);
    }
  }
  const size_t begin = first_group * kRows, end = end_group * kRows;
  for (size_t row = begin; row < end; ++row) {
    if (row < args.bf16_skip || row - args.bf16_skip >= args.n_tokens) continue;
    const size_t in_block = row - begin;
    for (size_t p = 0; p < n_panels; ++p)
      store_panel<Isa>(args, Isa::load(sums[p / 2][in_block / kRows][p % 2][in_block % kRows]),
                       (panel + p) * Isa::kWidth, row - args.bf16_skip);
  }
}

template <class Isa, class Block>
void matmul_tiles(const MatmulArgs& args) {
  constexpr size_t kGroups = kTileTokens / Isa::kTileRows;
  const size_t first = (args.panel_row + args.o_begin) / Isa::kWidth;
  const size_t end = (args.panel_row + args.o_end + Isa::kWidth - 1) / Isa::kWidth;
  const size_t n_groups = (args.bf16_skip + args.n_tokens + Isa::kTileRows - 1) / Isa::kTileRows;
  [[maybe_unused]] const typename Isa::Tiles tiles;
  for (size_t group = 0; group < n_groups; group += kGroups)
    for (size_t panel = first; panel < end; panel += kTilePanels)
      multiply_block_by_tiles<Isa, Block>(args, panel, end - panel < kTilePanels ? end - panel : kTilePanels, group,
                                          group + kGroups < n_groups ? group + kGroups : n_groups);
}

}  // namespace
}  // namespace ogas
