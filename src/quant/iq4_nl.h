// IQ4_NL: 32 values share a scale; nibbles index 16 levels that lie closer together near zero. 4.5 bits a value.
//
//   0  f16 d
//   2  16 bytes: low nibbles are values 0..15, high nibbles 16..31
//   value = d * level[nibble]
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/unpacked.h"

namespace ogas {

// The levels of IQ4_NL and IQ4_XS (llama.cpp, kvalues_iq4nl).
constexpr int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

struct IQ4_NL {
  static constexpr Format format = Format::iq4_nl;
  static constexpr std::string_view name = "IQ4_NL";
  static constexpr uint32_t ggml_type = 20, values = 32, bytes = 18, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    scales[0] = f16_to_f32(u16_at(block, 0));
    for (size_t i = 0; i < 16; ++i) {
      codes[i] = kIq4Levels[byte_at(block, 2 + i) & 15];
      codes[i + 16] = kIq4Levels[byte_at(block, 2 + i) >> 4];
    }
  }
};

}  // namespace ogas
