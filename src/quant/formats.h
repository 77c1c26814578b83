// The list of block formats, for code that is compiled once for each of them.
#pragma once

#include "quant/iq1_m.h"
#include "quant/iq1_s.h"
#include "quant/iq2_s.h"
#include "quant/iq2_xs.h"
#include "quant/iq2_xxs.h"
#include "quant/iq3_s.h"
#include "quant/iq3_xxs.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/mxfp4.h"
#include "quant/mxfp4_split.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "quant/tq1_0.h"
#include "quant/tq2_0.h"

namespace ogas {

template <class... Blocks>
struct FormatList {};

// In the order of Format, after the plain ones.
using BlockFormats = FormatList<Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, MXFP4,
                                IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, TQ1_0, TQ2_0, MXFP4_SPLIT>;

// Calls run<Block>() for the one of this format.
template <class Run, class... Blocks>
OGAS_INLINE void with_block_among(Format format, const Run& run, FormatList<Blocks...>) {
  const auto look_at = [&]<class Block>() OGAS_LAMBDA_INLINE {
    if (format == Block::format) run.template operator()<Block>();
  };
  (look_at.template operator()<Blocks>(), ...);
}
template <class Run>
OGAS_INLINE void with_block(Format format, const Run& run) {
  with_block_among(format, run, BlockFormats{});
}

// Whether scales are in another tensor, a byte for each block.
template <class Block>
inline constexpr bool kHasScalesApart = requires { Block::scale_of(uint8_t{}); };

// n_blocks blocks as floats. apart: a scale for each block, for formats with scales in another tensor; null: all are 1.
template <class Block>
OGAS_INLINE void decode_blocks(const std::byte* blocks, float* values, size_t n_blocks,
                               [[maybe_unused]] const std::byte* apart = nullptr) {
  for (size_t b = 0; b < n_blocks; ++b) {
    int8_t codes[Block::values];
    float scales[Block::values / Block::group], offsets[Block::values / Block::group];
    Block::unpack(blocks + b * Block::bytes, codes, scales, offsets);
    if constexpr (kHasScalesApart<Block>)
      if (apart) scales[0] = Block::scale_of(byte_at(apart, b));
    for (size_t i = 0; i < Block::values; ++i) {
      const float product = scales[i / Block::group] * static_cast<float>(codes[i]);
      // No zero is added where there is no offset: it would lose the sign of a negative zero.
      if constexpr (Block::has_offset)
        values[b * Block::values + i] = product + offsets[i / Block::group];
      else
        values[b * Block::values + i] = product;
    }
  }
}

// Floats as n_blocks blocks, of formats that can be written.
template <class Block>
OGAS_INLINE void encode_blocks(const float* values, std::byte* blocks, size_t n_blocks) {
  for (size_t b = 0; b < n_blocks; ++b) Block::pack(values + b * Block::values, blocks + b * Block::bytes);
}

}  // namespace ogas
