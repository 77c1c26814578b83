// Q2_K: 256 values in 16 groups of 16, each with a 4-bit scale and a 4-bit minimum. 2.625 bits a value.
//
//   0   16 bytes, one a group: low nibble scale, high nibble minimum
//   16  64 bytes: two halves of 32; bits 2s..2s+1 of byte l of half h are value 128 h + 32 s + l
//   80  f16 d
//   82  f16 dmin
//   value = d * scale * bits - dmin * minimum
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/lanes.h"

namespace ogas {

// 256 two-bit values as Q2_K and Q3_K lay them out.
OGAS_INLINE void unpack_two_bits(const std::byte* packed, int8_t* codes) {
  for (size_t half = 0; half < 2; ++half) {
    const auto bits = load_lanes<Lanes32>(packed + 32 * half);
    for (int s = 0; s < 4; ++s) store_codes(codes + 128 * half + 32 * s, bits >> 2 * s & 3);
  }
}

struct Q2_K {
  static constexpr Format format = Format::q2_k;
  static constexpr std::string_view name = "Q2_K";
  static constexpr uint32_t ggml_type = 10, values = 256, bytes = 84, group = 16;
  static constexpr bool has_offset = true;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* offsets) {
    const float d = f16_to_f32(u16_at(block, 80));
    const float dmin = f16_to_f32(u16_at(block, 82));
    for (size_t g = 0; g < 16; ++g) {
      scales[g] = d * static_cast<float>(byte_at(block, g) & 15);
      offsets[g] = -(dmin * static_cast<float>(byte_at(block, g) >> 4));
    }
    unpack_two_bits(block + 16, codes);
  }
};

}  // namespace ogas
