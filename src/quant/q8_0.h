// Q8_0: 32 values share a scale. 8.5 bits a value.
//
//   0  f16 d
//   2  32 signed bytes
//   value = d * byte
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/unpacked.h"

namespace ogas {

struct Q8_0 {
  static constexpr Format format = Format::q8_0;
  static constexpr std::string_view name = "Q8_0";
  static constexpr uint32_t ggml_type = 8, values = 32, bytes = 34, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    scales[0] = f16_to_f32(u16_at(block, 0));
    __builtin_memcpy(codes, block + 2, values);
  }
  // d = max|x| / 127, bytes by round to nearest, halves away from zero: bit for bit gguf.quants.
  static OGAS_INLINE void pack(const float* x, std::byte* block) {
    float largest = 0;
    for (size_t i = 0; i < values; ++i) largest = __builtin_fabsf(x[i]) > largest ? __builtin_fabsf(x[i]) : largest;
    const float d = largest / 127, inverse = d == 0 ? 0 : 1 / d;
    const uint16_t half = f32_to_f16(d);
    __builtin_memcpy(block, &half, sizeof half);
    for (size_t i = 0; i < values; ++i) {
      const float code = x[i] * inverse;
      block[2 + i] = static_cast<std::byte>(static_cast<int>(code + __builtin_copysignf(0.5F, code)));
    }
  }
};

}  // namespace ogas
