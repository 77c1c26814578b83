// IQ1_M: 256 values in 16 groups of 16, each with a 3-bit scale; a shift of an eighth for every eight values. 1.75 bits
// a value.
//
//   0   32 bytes: the lower eight bits of entries of kIq1Grid, one for eight values
//   32  16 bytes, a nibble for eight values: the upper three bits of the entry, and the sign of the shift
//   48  4 words of 16 bits: four scales of 3 bits each, and in the upper nibbles, lowest first, an f16 d
//   value = d * (2 * scale + 1) * (grid + shift); see iq1_s.h
#pragma once

#include "quant/iq1_s.h"

namespace ogas {

struct IQ1_M {
  static constexpr Format format = Format::iq1_m;
  static constexpr std::string_view name = "IQ1_M";
  static constexpr uint32_t ggml_type = 29, values = 256, bytes = 56, group = 16;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float*) {
    uint32_t d_bits = 0;
    for (size_t word = 0; word < 4; ++word) d_bits |= (u16_at(block, 48 + 2 * word) >> 12 & 15U) << 4 * word;
    const float d = f16_to_f32(static_cast<uint16_t>(d_bits));
    for (size_t g = 0; g < 16; ++g) {
      const uint32_t scale = u16_at(block, 48 + 2 * (g / 4)) >> 3 * (g % 4) & 7U;
      scales[g] = d * static_cast<float>(2 * scale + 1) * 0.125F;
    }
    for (size_t e = 0; e < 32; ++e) {
      const uint32_t nibble = byte_at(block, 32 + e / 2) >> 4 * (e % 2) & 15U;
      unpack_entry1(kIq1Grid[byte_at(block, e) | (nibble & 7) << 8], nibble >> 3 != 0, codes + 8 * e);
    }
  }
};

}  // namespace ogas
