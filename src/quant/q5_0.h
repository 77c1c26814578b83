// Q5_0: 32 values share a scale. 5.5 bits a value.
//
//   0  f16 d
//   2  u32, little-endian: bit i is the fifth bit of value i
//   6  16 bytes: low nibbles are values 0..15, high nibbles 16..31
//   value = d * (nibble + 16 * fifth bit - 16)
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/unpacked.h"

namespace ogas {

// The 5-bit values of Q5_0 and Q5_1, 0..31.
OGAS_INLINE void unpack_five_bits(uint32_t fifth_bits, const std::byte* nibbles, int8_t* codes) {
  for (size_t i = 0; i < 16; ++i) {
    codes[i] = static_cast<int8_t>((byte_at(nibbles, i) & 15) | (fifth_bits >> i & 1) << 4);
    codes[i + 16] = static_cast<int8_t>((byte_at(nibbles, i) >> 4) | (fifth_bits >> (i + 16) & 1) << 4);
  }
}

struct Q5_0 {
  static constexpr Format format = Format::q5_0;
  static constexpr std::string_view name = "Q5_0";
  static constexpr uint32_t ggml_type = 6, values = 32, bytes = 22, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    scales[0] = f16_to_f32(u16_at(block, 0));
    unpack_five_bits(u32_at(block, 2), block + 6, codes);
    for (size_t i = 0; i < values; ++i) codes[i] = static_cast<int8_t>(codes[i] - 16);
  }
};

}  // namespace ogas
