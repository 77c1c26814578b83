// Q5_1: 32 values share a scale and a minimum. 6 bits a value.
//
//   0  f16 d
//   2  f16 m
//   4  u32, little-endian: bit i is the fifth bit of value i
//   8  16 bytes: low nibbles are values 0..15, high nibbles 16..31
//   value = d * (nibble + 16 * fifth bit) + m
#pragma once

#include "quant/q5_0.h"

namespace ogas {

struct Q5_1 {
  static constexpr Format format = Format::q5_1;
  static constexpr std::string_view name = "Q5_1";
  static constexpr uint32_t ggml_type = 7, values = 32, bytes = 24, group = 32;
  static constexpr bool has_offset = true;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* offsets) {
    scales[0] = f16_to_f32(u16_at(block, 0));
    offsets[0] = f16_to_f32(u16_at(block, 2));
    unpack_five_bits(u32_at(block, 4), block + 8, 0, codes);
  }
};

}  // namespace ogas
