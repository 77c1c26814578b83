// IQ4_XS: 256 values in 8 groups of 32, each with a 6-bit scale; nibbles index the levels of IQ4_NL. 4.25 bits a value.
//
//   0  f16 d
//   2  u16, little-endian: bits 2g..2g+1 are the upper bits of scale g
//   4  4 bytes: nibble g % 2 of byte g / 2 holds the lower bits of scale g
//   8  128 bytes: eight runs of 16; low nibbles of run g are values 32 g + l, high nibbles 32 g + 16 + l
//   value = d * (scale - 32) * level[nibble]
#pragma once

#include "quant/iq4_nl.h"

namespace ogas {

struct IQ4_XS {
  static constexpr Format format = Format::iq4_xs;
  static constexpr std::string_view name = "IQ4_XS";
  static constexpr uint32_t ggml_type = 23, values = 256, bytes = 136, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    const float d = f16_to_f32(u16_at(block, 0));
    const int high = u16_at(block, 2);
    for (size_t g = 0; g < 8; ++g) {
      const int low = byte_at(block, 4 + g / 2) >> 4 * (g % 2) & 15;
      scales[g] = d * static_cast<float>((low | (high >> 2 * g & 3) << 4) - 32);
      for (size_t l = 0; l < 16; ++l) {
        codes[32 * g + l] = kIq4Levels[byte_at(block, 8 + 16 * g + l) & 15];
        codes[32 * g + 16 + l] = kIq4Levels[byte_at(block, 8 + 16 * g + l) >> 4];
      }
    }
  }
};

}  // namespace ogas
