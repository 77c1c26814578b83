// Q4_0: 32 values share a scale. 4 bits a value and 0.5 for the scale.
//
//   0  f16 d
//   2  16 bytes: low nibbles are values 0..15, high nibbles 16..31
//   value = d * (nibble - 8)
#pragma once

#include "quant/format.h"
#include "quant/half.h"
#include "quant/lanes.h"

namespace ogas {

struct Q4_0 {
  static constexpr Format format = Format::q4_0;
  static constexpr std::string_view name = "Q4_0";
  static constexpr uint32_t ggml_type = 2, values = 32, bytes = 18, group = 32;
  static constexpr bool has_offset = false;

  static OGAS_INLINE void unpack(const std::byte* block, int8_t* codes, float* scales, float* /*offsets*/) {
    scales[0] = f16_to_f32(u16_at(block, 0));
    unpack_nibble_halves(block + 2, 8, codes);
  }
  // d = the value farthest from zero / -8, nibbles by round to nearest: bit for bit gguf.quants.
  static OGAS_INLINE void pack(const float* x, std::byte* block) {
    float largest = 0;
    for (size_t i = 0; i < values; ++i) largest = __builtin_fabsf(x[i]) > __builtin_fabsf(largest) ? x[i] : largest;
    const float d = largest / -8, inverse = d == 0 ? 0 : 1 / d;
    const uint16_t half = f32_to_f16(d);
    __builtin_memcpy(block, &half, sizeof half);
    const auto nibble = [&](size_t i) {
      const int code = static_cast<int>(static_cast<double>(x[i]) * static_cast<double>(inverse) + 8.5);
      return static_cast<unsigned>(code < 0 ? 0 : code > 15 ? 15 : code);
    };
    for (size_t i = 0; i < values / 2; ++i)
      block[2 + i] = static_cast<std::byte>(nibble(i) | nibble(i + values / 2) << 4);
  }
};

}  // namespace ogas
