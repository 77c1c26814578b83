// AMX-BF16 in addition to AVX-512 VNNI and BF16: one instruction multiplies 16 x 32 numbers with 32 x 16 (Sapphire
// Rapids 2023 and later, Intel's server processors).
//
// In assembler, because GCC 12's tile intrinsics do not declare the memory they read, and it drops preceding stores.
#pragma once

#include "kernels/isa_avx512.h"

namespace ogas {
namespace {

struct Amx : Avx512Bf16 {
  static constexpr bool kTilesAreQuicker = true;

  // Configures the tiles, all with the same shape, for its lifetime.
  struct Tiles {
    Tiles() {
      struct alignas(64) Config {
        uint8_t palette = 1, start_row = 0, reserved[14] = {};
        uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        uint8_t n_rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
      };
      const Config config;
      asm volatile("ldtilecfg %0" : : "m"(config));
    }
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;
    ~Tiles() { asm volatile("tilerelease"); }
  };

  // Of tile kTile, rows `stride` bytes apart.
  template <int kTile>
  static OGAS_INLINE void load_tile(const void* from, size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static OGAS_INLINE void save_tile(void* to, size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static OGAS_INLINE void clear_tile() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kSum, int kA, int kB>
  static OGAS_INLINE void add_product() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
  }

  // after[g] = before[g], or zeros, + n_steps tiles of activations, from x[g] on, times as many of weights, from w[p]
  // on.
  template <size_t kGroups, size_t kPanels, class Sums>
  static OGAS_INLINE void multiply_tiles(const uint16_t* const (&x)[kGroups], const uint16_t* const (&w)[kPanels],
                                         size_t n_steps, const Sums* before, const Sums (&after)[kGroups]) {
    // Sums of group g and panel p are tile 2 g + p, activations 4 + g, weights 6 + p.
    const auto for_sums = [&](const auto& run) OGAS_LAMBDA_INLINE {
      run.template operator()<0, 0>();
      if constexpr (kPanels == 2) run.template operator()<0, 1>();
      if constexpr (kGroups == 2) run.template operator()<1, 0>();
      if constexpr (kGroups == 2 && kPanels == 2) run.template operator()<1, 1>();
    };
    if (before)
      for_sums([&]<int kGroup, int kPanel>() OGAS_LAMBDA_INLINE {
        load_tile<2 * kGroup + kPanel>(before[kGroup].at + kPanel * kWidth, before[kGroup].stride * sizeof(float));
      });
    else
      for_sums([&]<int kGroup, int kPanel>() OGAS_LAMBDA_INLINE { clear_tile<2 * kGroup + kPanel>(); });
    for (size_t at = 0; at < n_steps * kTileNumbers; at += kTileNumbers) {
      load_tile<6>(w[0] + at, 64);
      load_tile<4>(x[0] + at, 64);
      add_product<0, 4, 6>();
      if constexpr (kPanels == 2) {
        load_tile<7>(w[1] + at, 64);
        add_product<1, 4, 7>();
      }
      if constexpr (kGroups == 2) {
        load_tile<5>(x[1] + at, 64);
        add_product<2, 5, 6>();
        if constexpr (kPanels == 2) add_product<3, 5, 7>();
      }
    }
    for_sums([&]<int kGroup, int kPanel>() OGAS_LAMBDA_INLINE {
      save_tile<2 * kGroup + kPanel>(after[kGroup].at + kPanel * kWidth, after[kGroup].stride * sizeof(float));
    });
  }

  // 32 numbers, `first` and `second` interleaved, as sums of two in BF16.
  static OGAS_INLINE void store_split(uint16_t* high, uint16_t* low, Floats first, Floats second) {
    const __m512i pairs = pairs_of(first, second);
    _mm512_storeu_si512(high, pairs);
    const Floats first_rest = sub(first, _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)));
    const Floats second_rest =
        sub(second, _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xFFFF0000)))));
    _mm512_storeu_si512(low, pairs_of(first_rest, second_rest));
  }

  // Transposes a tile's 16 x 16 pairs.
  static OGAS_INLINE void transpose_pairs(uint16_t* tile) {
    __m512i a[16], b[16];
#pragma GCC unroll 16
    for (size_t row = 0; row < 16; ++row) a[row] = _mm512_loadu_si512(tile + row * kTileInputs);
#pragma GCC unroll 8
    for (size_t row = 0; row < 16; row += 2) {
      b[row] = _mm512_unpacklo_epi32(a[row], a[row + 1]);
      b[row + 1] = _mm512_unpackhi_epi32(a[row], a[row + 1]);
    }
    // Now a[4 r + c]: of each quarter column c, of rows 4 r to 4 r + 3.
#pragma GCC unroll 4
    for (size_t row = 0; row < 16; row += 4) {
      a[row] = _mm512_unpacklo_epi64(b[row], b[row + 2]);
      a[row + 1] = _mm512_unpackhi_epi64(b[row], b[row + 2]);
      a[row + 2] = _mm512_unpacklo_epi64(b[row + 1], b[row + 3]);
      a[row + 3] = _mm512_unpackhi_epi64(b[row + 1], b[row + 3]);
    }
#pragma GCC unroll 4
    for (size_t c = 0; c < 4; ++c) {
      const __m512i low_02 = _mm512_shuffle_i32x4(a[c], a[4 + c], 0x88);
      const __m512i low_13 = _mm512_shuffle_i32x4(a[c], a[4 + c], 0xDD);
      const __m512i high_02 = _mm512_shuffle_i32x4(a[8 + c], a[12 + c], 0x88);
      const __m512i high_13 = _mm512_shuffle_i32x4(a[8 + c], a[12 + c], 0xDD);
      _mm512_storeu_si512(tile + c * kTileInputs, _mm512_shuffle_i32x4(low_02, high_02, 0x88));
      _mm512_storeu_si512(tile + (4 + c) * kTileInputs, _mm512_shuffle_i32x4(low_13, high_13, 0x88));
      _mm512_storeu_si512(tile + (8 + c) * kTileInputs, _mm512_shuffle_i32x4(low_02, high_02, 0xDD));
      _mm512_storeu_si512(tile + (12 + c) * kTileInputs, _mm512_shuffle_i32x4(low_13, high_13, 0xDD));
    }
  }

  // Tile n < kTiles of the sums, 16 columns from sums + 16 n on: zeros, or what is there, + the products of n_steps
  // tiles of `a` with as many of b: tile n and step s at b + n * b_tile + s * b_step.
  template <size_t kTiles, class Tile>
  static OGAS_INLINE void multiply_split(const Tile* a, const Tile* b, size_t b_step, size_t b_tile, size_t n_steps,
                                         float* sums, size_t stride, bool adds) {
    const auto for_tiles = [](const auto& run) OGAS_LAMBDA_INLINE {
      run.template operator()<0>();
      if constexpr (kTiles > 1) run.template operator()<1>();
      if constexpr (kTiles > 2) run.template operator()<2>();
      if constexpr (kTiles > 3) run.template operator()<3>();
    };
    const size_t stride_bytes = stride * sizeof(float);
    if (adds)
      for_tiles([&]<int kTile>() OGAS_LAMBDA_INLINE { load_tile<kTile>(sums + kTile * kWidth, stride_bytes); });
    else
      for_tiles([&]<int kTile>() OGAS_LAMBDA_INLINE { clear_tile<kTile>(); });
    for (size_t step = 0; step < n_steps; ++step) {
      load_tile<4>(a[step].high, 64);
      load_tile<5>(a[step].low, 64);
      for_tiles([&]<int kTile>() OGAS_LAMBDA_INLINE {
        const Tile& factor = b[kTile * b_tile + step * b_step];
        load_tile<6>(factor.high, 64);
        add_product<kTile, 4, 6>();
        load_tile<7>(factor.low, 64);
        add_product<kTile, 5, 6>();
        add_product<kTile, 4, 7>();
      });
    }
    for_tiles([&]<int kTile>() OGAS_LAMBDA_INLINE { save_tile<kTile>(sums + kTile * kWidth, stride_bytes); });
  }
};

}  // namespace
}  // namespace ogas
