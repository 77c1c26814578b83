// AMX-BF16 beside AVX-512 VNNI and BF16: one instruction multiplies 16 x 32 numbers with 32 x 16 (Sapphire Rapids 2023
// and later, Intel's server processors).
//
// In assembler, because GCC 12's functions for tiles do not say what memory they read, and it drops the stores before.
#pragma once

#include "kernels/isa_avx512.h"

namespace ogas {
namespace {

struct Amx : Avx512Bf16 {
  static constexpr bool kTilesAreQuicker = true;

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
};

}  // namespace
}  // namespace ogas
