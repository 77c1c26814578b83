// MXFP4 in two tensors, as gpt-oss is published on Hugging Face: 32 four-bit floats (E2M1) a block, and in a second
// tensor a byte per block with their shared power of two (E8M0). 4.25 bits a value. (OCP Microscaling Formats 1.0)
//
//   0  16 bytes: the low nibble of byte i is value 2i, the high one 2i + 1
//   in the other tensor: u8 e, the scale is 2^(e - 127)
//   value = 2^(e - 128) * (twice the E2M1 number, so that codes are whole)
#pragma once

#include "quant/mxfp4.h"

namespace ogas {

struct MXFP4_SPLIT {
  static constexpr Format format = Format::mxfp4_split;
  static constexpr std::string_view name = "MXFP4_SPLIT";
  static constexpr uint32_t ggml_type = kNoGgmlType, values = 32, bytes = 16, group = 32;
  static constexpr bool has_offset = false;

  // As if the scale were 1.
  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    scales[0] = 0.5F;
    for (size_t i = 0; i < 16; ++i) {
      codes[2 * i] = kE2m1Doubled[byte_at(block, i) & 15];
      codes[2 * i + 1] = kE2m1Doubled[byte_at(block, i) >> 4];
    }
  }
  // What scales[0] is for a byte of the other tensor.
  static OGAS_INLINE float scale_of(uint8_t e) { return half_of_e8m0(e); }
};

}  // namespace ogas
