// What every block format becomes before an integer dot product: 8-bit codes with a scale and an offset per group.
//
//   value[i] = scale[i / group] * code[i] + offset[i / group]
//
// Each format's file offers, beside decode():
//   static constexpr uint32_t values   values in a block
//   static constexpr uint32_t group    values that share a scale: 16 or 32
//   static constexpr bool has_offset   false: every offset is 0 and `offsets` is not written
//   static void unpack(const std::byte* block, int8_t* codes, float* scales, float* offsets)
// so that kernels written against (codes, scales, offsets) serve all formats. The products are exact in int32; codes are
// at least -128, and scale * code + offset differs from decode() by float rounding only.
//
// Marked OGAS_INLINE because kernels/ compiles these functions once per instruction set: an out-of-line copy with
// AVX-512 in it must never be the one the linker keeps for everybody.
#pragma once

#define OGAS_INLINE inline __attribute__((always_inline))
