// IQ1_S: 256 values in 8 groups of 32, each with a 3-bit scale and a shift of an eighth up or down. 1.5625 bits a
// value.
//
//   0   f16 d
//   2   32 bytes: the lower eight bits of entries of kIq1Grid, one for eight values
//   34  8 words of 16 bits, one a group: the upper three bits of four entries, the scale, and the sign of the shift
//   value = d * (2 * scale + 1) * (grid + shift), grid -1, 0 or 1
// In codes of an eighth: grid + shift = (8 grid + 1 or - 1) / 8, exactly.
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/iq_codes.h"

namespace ogas {

OGAS_INLINE void unpack_entry1(uint16_t entry, bool is_shifted_down, int8_t* codes) {
  const int shift = is_shifted_down ? -1 : 1;
  for (size_t l = 0; l < 8; ++l) codes[l] = static_cast<int8_t>(8 * ((entry >> 2 * l & 3) - 1) + shift);
}

struct IQ1_S {
  static constexpr Format format = Format::iq1_s;
  static constexpr std::string_view name = "IQ1_S";
  static constexpr uint32_t ggml_type = 19, values = 256, bytes = 50, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float*) {
    const float d = f16_to_f32(u16_at(block, 0));
    for (size_t g = 0; g < 8; ++g) {
      const uint32_t word = u16_at(block, 34 + 2 * g);
      scales[g] = d * static_cast<float>(2 * (word >> 12 & 7) + 1) * 0.125F;
      for (size_t e = 0; e < 4; ++e)
        unpack_entry1(kIq1Grid[byte_at(block, 2 + 4 * g + e) | (word >> 3 * e & 7) << 8], word >> 15 != 0,
                      codes + 32 * g + 8 * e);
    }
  }
};

}  // namespace ogas
