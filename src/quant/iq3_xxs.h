// IQ3_XXS: 256 values in 8 groups of 32, each with a 4-bit scale. 3.0625 bits a value.
//
//   0   f16 d
//   2   64 bytes: entries of kIq3XxsGrid, one for four values
//   66  8 words of 32 bits, one a group: four times 7 bits of signs, each for eight values, and the scale
//   value = d * (0.5 + scale) / 2 * code
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/iq_codes.h"

namespace ogas {

struct IQ3_XXS {
  static constexpr Format format = Format::iq3_xxs;
  static constexpr std::string_view name = "IQ3_XXS";
  static constexpr uint32_t ggml_type = 18, values = 256, bytes = 98, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float*) {
    const float d = f16_to_f32(u16_at(block, 0));
    for (size_t g = 0; g < 8; ++g) {
      const uint32_t packed = u32_at(block, 66 + 4 * g);
      scales[g] = d * (0.5F + static_cast<float>(packed >> 28)) * 0.5F;
      for (size_t e = 0; e < 8; ++e) {
        const uint8_t signs = even_signs(packed >> 7 * (e / 2) & 127);
        unpack_entry3_xxs(kIq3XxsGrid[byte_at(block, 2 + 8 * g + e)], static_cast<uint8_t>(signs >> 4 * (e % 2)),
                          codes + 32 * g + 4 * e);
      }
    }
  }
};

}  // namespace ogas
