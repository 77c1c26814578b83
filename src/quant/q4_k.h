// Q4_K: 256 values in 8 groups of 32, each with a 6-bit scale and a 6-bit minimum. 4.5 bits a value.
//
//   0   f16 d
//   2   f16 dmin
//   4   12 bytes: scales and minimums, see unpack_scales()
//   16  128 bytes: four runs of 32; low nibbles of run r are values 64 r + l, high nibbles 64 r + 32 + l
//   value = d * scale * nibble - dmin * minimum
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/lanes.h"

namespace ogas {

// The header that Q4_K and Q5_K share: d, dmin, and 8 pairs of 6 bits in 12 bytes. Groups 0..3 have their scale in the
// lower six bits of byte g and their minimum in those of byte 4 + g. Groups 4..7 have the lower four bits of both in
// the nibbles of byte 4 + g, and the upper two bits in the top of bytes g - 4 (scale) and g (minimum).
OGAS_INLINE void unpack_scales(const std::byte* block, float* scales, float* offsets) {
  const float d = f16_to_f32(u16_at(block, 0));
  const float dmin = f16_to_f32(u16_at(block, 2));
  const std::byte* packed = block + 4;
  for (size_t g = 0; g < 4; ++g) {
    const int a = byte_at(packed, g), b = byte_at(packed, 4 + g), c = byte_at(packed, 8 + g);
    scales[g] = d * static_cast<float>(a & 63);
    offsets[g] = -(dmin * static_cast<float>(b & 63));
    scales[4 + g] = d * static_cast<float>((c & 15) | (a >> 6) << 4);
    offsets[4 + g] = -(dmin * static_cast<float>(c >> 4 | (b >> 6) << 4));
  }
}

// 256 nibbles as Q4_K and Q5_K lay them out.
OGAS_INLINE void unpack_nibbles(const std::byte* packed, int8_t* codes) {
  for (size_t run = 0; run < 4; ++run) {
    const auto nibbles = load_lanes<Lanes32>(packed + 32 * run);
    store_codes(codes + 64 * run, nibbles & 15);
    store_codes(codes + 64 * run + 32, nibbles >> 4);
  }
}

struct Q4_K {
  static constexpr Format format = Format::q4_k;
  static constexpr std::string_view name = "Q4_K";
  static constexpr uint32_t ggml_type = 12, values = 256, bytes = 144, group = 32;
  static constexpr bool has_offset = true;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* offsets) {
    unpack_scales(block, scales, offsets);
    unpack_nibbles(block + 16, codes);
  }
};

}  // namespace ogas
