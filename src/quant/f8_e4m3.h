// FP8 E4M3 (Micikevicius et al. 2022, "fn": no infinities): sign, 4 bits of exponent with bias 7, 3 of mantissa;
// S.1111.111 is NaN. In model files a matrix comes with factors for blocks of 128 x 128 values (DeepSeek-V3 technical
// report, 3.3).
#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/unpacked.h"

namespace ogas {

// Rows and columns that share a factor; the last block of an axis may be cut off.
inline constexpr size_t kF8Block = 128;

// Exact. The bits are moved to where a float has them, and the difference of the exponents' biases, 120, is made up for
// by a multiplication, which brings numbers below 2^-6 out right, too.
OGAS_INLINE float f8_e4m3_to_f32(uint8_t code) {
  const uint32_t magnitude = code & 0x7FU;
  const uint32_t bits = (code & 0x80U) << 24 | magnitude << 20;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return magnitude == 0x7F ? __builtin_nanf("") : value * 0x1p120F;
}

}  // namespace ogas
