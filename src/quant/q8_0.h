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
};

}  // namespace ogas
