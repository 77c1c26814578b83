// IQ2_XS: 256 values in 16 groups of 16, each with a 4-bit scale. 2.3125 bits a value.
//
//   0   f16 d
//   2   32 words of 16 bits, one for eight values: 9 bits of kIq2XsGrid, 7 bits of signs
//   66  8 bytes of scales: low nibble of byte s is group 2 s, high nibble group 2 s + 1
//   value = d * (0.5 + scale) / 4 * code
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/iq_codes.h"

namespace ogas {

struct IQ2_XS {
  static constexpr Format format = Format::iq2_xs;
  static constexpr std::string_view name = "IQ2_XS";
  static constexpr uint32_t ggml_type = 17, values = 256, bytes = 74, group = 16;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float*) {
    const float d = f16_to_f32(u16_at(block, 0));
    for (size_t g = 0; g < 16; ++g)
      scales[g] = d * (0.5F + static_cast<float>(byte_at(block, 66 + g / 2) >> 4 * (g % 2) & 15)) * 0.25F;
    for (size_t e = 0; e < 32; ++e) {
      const uint32_t word = u16_at(block, 2 + 2 * e);
      unpack_entry2(kIq2XsGrid[word & 511], even_signs(word >> 9), codes + 8 * e);
    }
  }
};

}  // namespace ogas
