// Q4_0: 32 values share a scale. 4 bits a value and 0.5 for the scale.
//
//   0  f16 d
//   2  16 bytes: low nibbles are values 0..15, high nibbles 16..31
//   value = d * (nibble - 8)
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/unpacked.h"

namespace ogas {

struct Q4_0 {
  static constexpr Format format = Format::q4_0;
  static constexpr std::string_view name = "Q4_0";
  static constexpr uint32_t ggml_type = 2, values = 32, bytes = 18, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    scales[0] = f16_to_f32(u16_at(block, 0));
    for (size_t i = 0; i < 16; ++i) {
      codes[i] = static_cast<int8_t>((byte_at(block, 2 + i) & 15) - 8);
      codes[i + 16] = static_cast<int8_t>((byte_at(block, 2 + i) >> 4) - 8);
    }
  }
};

}  // namespace ogas
