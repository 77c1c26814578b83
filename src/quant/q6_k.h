// Q6_K: 256 values in 16 groups of 16, each with an 8-bit scale. 6.5625 bits a value.
//
//   0    128 bytes: two halves of 64; low nibbles of byte l of half h are values 128 h + l, high nibbles 128 h + 64 + l
//   128  64 bytes: two halves of 32; bits 2s..2s+1 of byte l of half h are the upper bits of value 128 h + 32 s + l
//   192  16 signed bytes: scales
//   208  f16 d
//   value = d * scale * (nibble + 16 * upper bits - 32)
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/lanes.h"

namespace ogas {

struct Q6_K {
  static constexpr Format format = Format::q6_k;
  static constexpr std::string_view name = "Q6_K";
  static constexpr uint32_t ggml_type = 14, values = 256, bytes = 210, group = 16;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    const float d = f16_to_f32(u16_at(block, 208));
    for (size_t g = 0; g < 16; ++g) scales[g] = d * static_cast<float>(static_cast<int8_t>(byte_at(block, 192 + g)));
    for (size_t half = 0; half < 2; ++half) {
      const std::byte* low = block + 64 * half;
      const std::byte* high = block + 128 + 32 * half;
      int8_t* out = codes + 128 * half;
      const auto first = load_lanes<Lanes32>(low), second = load_lanes<Lanes32>(low + 32);
      const auto upper = load_lanes<Lanes32>(high);
      store_codes(out, ((first & 15) | (upper & 3) << 4) - 32);
      store_codes(out + 32, ((second & 15) | (upper >> 2 & 3) << 4) - 32);
      store_codes(out + 64, (first >> 4 | (upper >> 4 & 3) << 4) - 32);
      store_codes(out + 96, (second >> 4 | upper >> 6 << 4) - 32);
    }
  }
};

}  // namespace ogas
