// Q4_0: 32 values share a scale. 4 bits a value and 0.5 for the scale.
//
//   0  f16 d
//   2  16 bytes: low nibbles are values 0..15, high nibbles 16..31
//   value = d * (nibble - 8)
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/lanes.h"

namespace ogas {

struct Q4_0 {
  static constexpr Format format = Format::q4_0;
  static constexpr std::string_view name = "Q4_0";
  static constexpr uint32_t ggml_type = 2, values = 32, bytes = 18, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    scales[0] = f16_to_f32(u16_at(block, 0));
    unpack_nibble_halves(block + 2, 8, codes);
  }
};

}  // namespace ogas
