// MXFP4: 32 four-bit floats (E2M1) share a power of two (E8M0). 4.25 bits a value. (OCP Microscaling Formats 1.0)
//
//   0  u8 e: the scale is 2^(e - 127)
//   1  16 bytes: low nibbles are values 0..15, high nibbles 16..31
//   value = 2^(e - 128) * (twice the E2M1 number, so that codes are whole)
#pragma once

#include "quant/format.h"
#include "quant/unpacked.h"

namespace ogas {

// Twice the numbers that E2M1 can write, by their bits.
constexpr int8_t kE2m1Doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// 2^(e - 128) as a float; the two smallest are subnormal.
OGAS_INLINE float half_of_e8m0(uint8_t e) {
  const uint32_t bits = e < 2 ? uint32_t{0x00200000} << e : uint32_t(e - 1) << 23;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

struct MXFP4 {
  static constexpr Format format = Format::mxfp4;
  static constexpr std::string_view name = "MXFP4";
  static constexpr uint32_t ggml_type = 39, values = 32, bytes = 17, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    scales[0] = half_of_e8m0(byte_at(block, 0));
    for (size_t i = 0; i < 16; ++i) {
      codes[i] = kE2m1Doubled[byte_at(block, 1 + i) & 15];
      codes[i + 16] = kE2m1Doubled[byte_at(block, 1 + i) >> 4];
    }
  }
};

}  // namespace ogas
