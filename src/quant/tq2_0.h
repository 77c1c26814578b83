// TQ2_0: 256 values of -1, 0 or 1 (or 2, which no file should have) with one scale. 2.0625 bits a value.
//
//   0   64 bytes, two bits a value, as in Q2_K
//   64  f16 d
//   value = d * (bits - 1)
#pragma once

#include "quant/q2_k.h"

namespace ogas {

struct TQ2_0 {
  static constexpr Format format = Format::tq2_0;
  static constexpr std::string_view name = "TQ2_0";
  static constexpr uint32_t ggml_type = 35, values = 256, bytes = 66, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float*) {
    const float d = f16_to_f32(u16_at(block, 64));
    for (size_t g = 0; g < 8; ++g) scales[g] = d;
    unpack_two_bits(block, codes);
    for (size_t i = 0; i < 256; ++i) codes[i] = static_cast<int8_t>(codes[i] - 1);
  }
};

}  // namespace ogas
