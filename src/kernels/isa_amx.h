// AMX-BF16 beside AVX-512 VNNI and BF16: one instruction multiplies 16 x 32 numbers with 32 x 16 (Sapphire Rapids 2023
// and later, Intel's server processors).
//
// In assembler, because GCC 12's functions for tiles do not say what memory they read, and it drops the stores before.
#pragma once

#include "kernels/isa_avx512.h"

namespace ogas {
namespace {

struct Amx : Avx512Bf16 {
  // Rows, and numbers of a row, of a tile of activations; a tile of weights is a panel's rows and as many numbers.
  static constexpr size_t kTileRows = 16, kTileInputs = 32, kTileNumbers = 512;
  using TileOfSums = float[kTileRows][kWidth];

  // Gives the tiles their shape, all the same, while it lives.
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

  // sums[g][p] += n_steps tiles of activations, from x[g] on, times as many of weights, from w[p] on.
  template <size_t kGroups, size_t kPanels>
  static OGAS_INLINE void multiply_tiles(const uint16_t* const (&x)[kGroups], const uint16_t* const (&w)[kPanels],
                                         size_t n_steps, TileOfSums* const (&sums)[kGroups]) {
    const auto load = [&]<int kTile>(const void* from) OGAS_LAMBDA_INLINE {
      asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(size_t{64}), "i"(kTile) : "memory");
    };
    const auto product = [&]<int kSum, int kX, int kW>() OGAS_LAMBDA_INLINE {
      asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kX), "i"(kW));
    };
    const auto save = [&]<int kTile>(void* to) OGAS_LAMBDA_INLINE {
      asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(size_t{64}), "i"(kTile) : "memory");
    };
    // Sums of group g and panel p are tile 2 g + p, activations 4 + g, weights 6 + p.
    load.template operator()<0>(sums[0][0]);
    if constexpr (kPanels == 2) load.template operator()<1>(sums[0][1]);
    if constexpr (kGroups == 2) load.template operator()<2>(sums[1][0]);
    if constexpr (kGroups == 2 && kPanels == 2) load.template operator()<3>(sums[1][1]);
    for (size_t at = 0; at < n_steps * kTileNumbers; at += kTileNumbers) {
      load.template operator()<6>(w[0] + at);
      load.template operator()<4>(x[0] + at);
      product.template operator()<0, 4, 6>();
      if constexpr (kPanels == 2) {
        load.template operator()<7>(w[1] + at);
        product.template operator()<1, 4, 7>();
      }
      if constexpr (kGroups == 2) {
        load.template operator()<5>(x[1] + at);
        product.template operator()<2, 5, 6>();
        if constexpr (kPanels == 2) product.template operator()<3, 5, 7>();
      }
    }
    save.template operator()<0>(sums[0][0]);
    if constexpr (kPanels == 2) save.template operator()<1>(sums[0][1]);
    if constexpr (kGroups == 2) save.template operator()<2>(sums[1][0]);
    if constexpr (kGroups == 2 && kPanels == 2) save.template operator()<3>(sums[1][1]);
  }

  // What codes of a panel become in a tile: two vectors of pairs, of a lane's first and last two codes.
  // scale * (256 + code) + offset; `offset` takes the 256 back. (A code is put into the mantissa of 256, so that no
  // conversion is needed; the product with 256 loses 2^-16 of the scale at most, BF16 2^-9 of the number.)
  static OGAS_INLINE void store_weights(uint16_t* out, Bytes codes, Floats scale, Floats offset) {
    const auto value_of = [&](__m512i placed) OGAS_LAMBDA_INLINE {
      const __m512i with_256 =  // (placed & mask) | exponent
          _mm512_ternarylogic_epi32(placed, _mm512_set1_epi32(0x007F8000), _mm512_set1_epi32(0x43800000), 0xEA);
      return _mm512_castps_si512(fma(_mm512_castsi512_ps(with_256), scale, offset));
    };
    // Lane by lane the first number, then the second.
    const auto pair_of = [](__m512i first_of, __m512i second_of) OGAS_LAMBDA_INLINE {
      alignas(64) static constexpr uint16_t kOrder[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                          8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
      const auto apart =
          reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(_mm512_castsi512_ps(second_of), _mm512_castsi512_ps(first_of)));
      return _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), apart);
    };
    const __m512i first = value_of(_mm512_slli_epi32(codes, 15)), second = value_of(_mm512_slli_epi32(codes, 7));
    const __m512i third = value_of(_mm512_srli_epi32(codes, 1)), fourth = value_of(_mm512_srli_epi32(codes, 9));
    _mm512_storeu_si512(out, pair_of(first, second));
    _mm512_storeu_si512(out + 2 * kWidth, pair_of(third, fourth));
  }
};

}  // namespace
}  // namespace ogas
