// 16-bit floats to 32 bits and back. Compilers turn Half into one instruction where the target has it.
#pragma once

#include <cstdint>

#include "quant/unpacked.h"

namespace ogas {

// IEEE 754 binary16, by the name that C++ has for it: GCC 12 knows _Float16 on x86 only, Clang and GCC __fp16 on ARM.
#if defined(__aarch64__)
using Half = __fp16;
#else
using Half = _Float16;
#endif

// Exact.
OGAS_INLINE float f16_to_f32(uint16_t bits) {
  Half half;
  __builtin_memcpy(&half, &bits, sizeof half);
  return static_cast<float>(half);
}

// Round to nearest, ties to even; beyond 65504 to infinity.
OGAS_INLINE uint16_t f32_to_f16(float value) {
  const auto half = static_cast<Half>(value);
  uint16_t bits;
  __builtin_memcpy(&bits, &half, sizeof half);
  return bits;
}

// bfloat16: the upper half of a float; exact.
OGAS_INLINE float bf16_to_f32(uint16_t bits) {
  const uint32_t wide = uint32_t{bits} << 16;
  float value;
  __builtin_memcpy(&value, &wide, sizeof value);
  return value;
}

// Round to nearest, ties to even; a NaN stays a NaN.
OGAS_INLINE uint16_t f32_to_bf16(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  if (value != value) return static_cast<uint16_t>(bits >> 16 | 64);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace ogas
