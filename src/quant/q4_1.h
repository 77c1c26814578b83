// Q4_1: 32 values share a scale and a minimum. 5 bits a value.
//
//   0  f16 d
//   2  f16 m
//   4  16 bytes: low nibbles are values 0..15, high nibbles 16..31
//   value = d * nibble + m
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/lanes.h"

namespace ogas {

struct Q4_1 {
  static constexpr Format format = Format::q4_1;
  static constexpr std::string_view name = "Q4_1";
  static constexpr uint32_t ggml_type = 3, values = 32, bytes = 20, group = 32;
  static constexpr bool has_offset = true;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* offsets) {
    scales[0] = f16_to_f32(u16_at(block, 0));
    offsets[0] = f16_to_f32(u16_at(block, 2));
    unpack_nibble_halves(block + 4, 0, codes);
  }
};

}  // namespace ogas
