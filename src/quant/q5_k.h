// Q5_K: 256 values in 8 groups of 32, each with a 6-bit scale and a 6-bit minimum. 5.5 bits a value.
//
//   0   f16 d, f16 dmin, 12 bytes of scales and minimums, as in Q4_K
//   16  32 bytes: bit b of byte l is the fifth bit of value 32 b + l
//   48  128 bytes of nibbles, as in Q4_K
//   value = d * scale * (nibble + 16 * fifth bit) - dmin * minimum
#pragma once

#include "quant/q4_k.h"

namespace ogas {

struct Q5_K {
  static constexpr Format format = Format::q5_k;
  static constexpr std::string_view name = "Q5_K";
  static constexpr uint32_t ggml_type = 13, values = 256, bytes = 176, group = 32;
  static constexpr bool has_offset = true;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* offsets) {
    unpack_scales(block, scales, offsets);
    unpack_nibbles(block + 48, codes);
    const auto fifth_bits = load_lanes<Lanes32>(block + 16);
    for (int b = 0; b < 8; ++b) {
      Lanes32 lanes;
      __builtin_memcpy(&lanes, codes + 32 * b, sizeof lanes);
      store_codes(codes + 32 * b, lanes | (fifth_bits >> b & 1) << 4);
    }
  }
};

}  // namespace ogas
