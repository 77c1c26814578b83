// IQ3_S: 256 values in 8 groups of 32, each with a 4-bit scale. 3.4375 bits a value.
//
//   0   f16 d
//   2   64 bytes: the lower eight bits of entries of kIq3SGrid, one for four values
//   66  8 bytes: the ninth bit of eight entries each
//   74  32 bytes of signs, one for eight values
//   106 4 bytes of scales: low nibble of byte s is group 2 s, high nibble group 2 s + 1
//   value = d * (1 + 2 * scale) * code
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/iq_codes.h"

namespace ogas {

struct IQ3_S {
  static constexpr Format format = Format::iq3_s;
  static constexpr std::string_view name = "IQ3_S";
  static constexpr uint32_t ggml_type = 21, values = 256, bytes = 110, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float*) {
    const float d = f16_to_f32(u16_at(block, 0));
    for (size_t g = 0; g < 8; ++g)
      scales[g] = d * static_cast<float>(1 + 2 * (byte_at(block, 106 + g / 2) >> 4 * (g % 2) & 15));
    for (size_t e = 0; e < 64; ++e) {
      const uint32_t ninth = byte_at(block, 66 + e / 8) >> e % 8 & 1U;
      unpack_entry3_s(kIq3SGrid[byte_at(block, 2 + e) | ninth << 8],
                      static_cast<uint8_t>(byte_at(block, 74 + e / 2) >> 4 * (e % 2)), codes + 4 * e);
    }
  }
};

}  // namespace ogas
