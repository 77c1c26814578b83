// TQ1_0: 256 values of -1, 0 or 1 with one scale (BitNet). 1.6875 bits a value.
//
// A byte holds five digits to base 3 as a fraction: the first is floor(3 byte / 256), the next follows when the byte
// has been multiplied by 3 modulo 256.
//   0   32 bytes: byte l has values l, 32 + l, ... 128 + l
//   32  16 bytes: byte l has values 160 + l, 176 + l, ... 224 + l
//   48  4 bytes: byte l has values 240 + l, 244 + l, 248 + l, 252 + l
//   52  f16 d
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/unpacked.h"

namespace ogas {

// n_digits runs of n values from n bytes.
OGAS_INLINE void unpack_ternary(const std::byte* packed, size_t n, size_t n_digits, int8_t* codes) {
  for (size_t l = 0; l < n; ++l) {
    uint32_t fraction = byte_at(packed, l);
    for (size_t digit = 0; digit < n_digits; ++digit) {
      codes[n * digit + l] = static_cast<int8_t>(static_cast<int>(fraction * 3 >> 8) - 1);
      fraction = fraction * 3 & 255;
    }
  }
}

struct TQ1_0 {
  static constexpr Format format = Format::tq1_0;
  static constexpr std::string_view name = "TQ1_0";
  static constexpr uint32_t ggml_type = 34, values = 256, bytes = 54, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float*) {
    const float d = f16_to_f32(u16_at(block, 52));
    for (size_t g = 0; g < 8; ++g) scales[g] = d;
    unpack_ternary(block, 32, 5, codes);
    unpack_ternary(block + 32, 16, 5, codes + 160);
    unpack_ternary(block + 48, 4, 4, codes + 240);
  }
};

}  // namespace ogas
