// IQ2_XXS: 256 values in 8 groups of 32, each with a 4-bit scale. 2.0625 bits a value.
//
//   0   f16 d
//   2   8 groups of 8 bytes: four entries of kIq2XxsGrid, one a byte; then 32 bits: four times 7 bits of signs, and the
//   scale value = d * (0.5 + scale) / 4 * code
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/iq_codes.h"

namespace ogas {

struct IQ2_XXS {
  static constexpr Format format = Format::iq2_xxs;
  static constexpr std::string_view name = "IQ2_XXS";
  static constexpr uint32_t ggml_type = 16, values = 256, bytes = 66, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float*) {
    const float d = f16_to_f32(u16_at(block, 0));
    for (size_t g = 0; g < 8; ++g) {
      const std::byte* packed = block + 2 + 8 * g;
      const uint32_t signs = u32_at(packed, 4);
      scales[g] = d * (0.5F + static_cast<float>(signs >> 28)) * 0.25F;
      for (size_t e = 0; e < 4; ++e)
        unpack_entry2(kIq2XxsGrid[byte_at(packed, e)], even_signs(signs >> 7 * e & 127), codes + 32 * g + 8 * e);
    }
  }
};

}  // namespace ogas
