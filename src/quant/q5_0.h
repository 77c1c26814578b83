// Q5_0: 32 values share a scale. 5.5 bits a value.
//
//   0  f16 d
//   2  u32, little-endian: bit i is the fifth bit of value i
//   6  16 bytes: low nibbles are values 0..15, high nibbles 16..31
//   value = d * (nibble + 16 * fifth bit - 16)
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/lanes.h"

namespace ogas {

// The 5-bit values of Q5_0 and Q5_1, 0..31, less `bias`.
OGAS_INLINE void unpack_five_bits(uint32_t fifth_bits, const std::byte* nibbles, uint8_t bias, int8_t* codes) {
  unpack_nibble_halves(nibbles, 0, codes);
  Lanes32 lanes;
  __builtin_memcpy(&lanes, codes, sizeof lanes);
  store_codes(codes, (lanes | (mask_from_bits(fifth_bits) & 16)) - bias);
}

struct Q5_0 {
  static constexpr Format format = Format::q5_0;
  static constexpr std::string_view name = "Q5_0";
  static constexpr uint32_t ggml_type = 6, values = 32, bytes = 22, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    scales[0] = f16_to_f32(u16_at(block, 0));
    unpack_five_bits(u32_at(block, 2), block + 6, 16, codes);
  }
};

}  // namespace ogas
