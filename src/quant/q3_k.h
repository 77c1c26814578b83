// Q3_K: 256 values in 16 groups of 16, each with a 6-bit scale. 3.4375 bits a value.
//
//   0    32 bytes: bit b of byte l is the third bit of value 32 b + l; clear means minus 4
//   32   64 bytes: the two lower bits, laid out as in Q2_K
//   96   12 bytes: scales. Scale k has its four lower bits in nibble k / 8 of byte k % 8, and its two upper bits in
//   bits
//        2 (k / 4).. of byte 8 + k % 4
//   108  f16 d
//   value = d * (scale - 32) * (bits - 4 where the third is clear)
#pragma once

#include "quant/q2_k.h"

namespace ogas {

struct Q3_K {
  static constexpr Format format = Format::q3_k;
  static constexpr std::string_view name = "Q3_K";
  static constexpr uint32_t ggml_type = 11, values = 256, bytes = 110, group = 16;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    const float d = f16_to_f32(u16_at(block, 108));
    const std::byte* packed = block + 96;
    for (size_t k = 0; k < 16; ++k) {
      const int low = byte_at(packed, k % 8) >> 4 * (k / 8) & 15;
      const int high = byte_at(packed, 8 + k % 4) >> 2 * (k / 4) & 3;
      scales[k] = d * static_cast<float>((low | high << 4) - 32);
    }
    unpack_two_bits(block + 32, codes);
    const auto third_bits = load_lanes<Lanes32>(block);
    for (int b = 0; b < 8; ++b) {
      Lanes32 lanes;
      __builtin_memcpy(&lanes, codes + 32 * b, sizeof lanes);
      store_codes(codes + 32 * b, lanes + (third_bits >> b & 1) * 4 - 4);
    }
  }
};

}  // namespace ogas
