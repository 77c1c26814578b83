// What every block format becomes before an integer dot product: 8-bit codes with a scale and an offset per group.
//
//   value[i] = scale[i / group] * code[i] + offset[i / group]
//
// Each format's file offers a struct with
//   format, name, ggml_type            its names (format.h)
//   values, bytes                      numbers in a block, and the bytes they take
//   group                              values that share a scale: 16 or 32
//   has_offset                         false: there are no offsets and `offsets` is not written
//   unpack(block, codes, scales, offsets)
//   scale_of(byte)                     only if scales are in another tensor (mxfp4_split.h)
// so that kernels written against (codes, scales, offsets) serve all formats. Codes are at least -128. The formula
// above, in float and in that order, is bit for bit what PyPI's gguf.quants computes: decoding is unpacking (decode.h).
//
// OGAS_INLINE, because kernels/ compiles these functions once per instruction set: an out-of-line copy with AVX-512 in
// it must never be the one the linker keeps for all. For the same reason nothing here calls the standard library.
#pragma once

#include <cstddef>
#include <cstdint>

#define OGAS_INLINE inline __attribute__((always_inline))
#define OGAS_LAMBDA_INLINE __attribute__((always_inline))

namespace ogas {

OGAS_INLINE uint8_t byte_at(const std::byte* p, size_t idx) { return static_cast<uint8_t>(p[idx]); }

OGAS_INLINE uint16_t u16_at(const std::byte* p, size_t idx) {
  uint16_t value;
  __builtin_memcpy(&value, p + idx, sizeof value);
  return value;
}

OGAS_INLINE uint32_t u32_at(const std::byte* p, size_t idx) {
  uint32_t value;
  __builtin_memcpy(&value, p + idx, sizeof value);
  return value;
}

}  // namespace ogas
