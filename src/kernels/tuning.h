// What is best for the processor at hand and not only for its instruction set: measured, and no result hangs on it.
//
// Reading: AMD's prefetchers are best if they are only kept from falling behind: asking a page ahead costs one token up
// to half of its pace (Zen 4). Intel's stop at the end of a page of 4 KiB and have to be led into the next, by the
// second-level cache, which has more requests under way than the first: 88% instead of 70% of the pace of memory
// (Granite Rapids, Llama-3.1-8B in Q4_K; `ogas bench`, since bench/matmul_bench's weights may lie in a third-level
// cache).
#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/unpacked.h"

namespace ogas {

inline constexpr size_t kCacheLine = 64;

struct Tuning {
  // How many bytes ahead lines are asked for. One token reads at the pace of memory: into the first level, and before
  // into the second. Several compute longer than they read: into the second.
  size_t one_to_l1, one_to_l2, several_to_l2;
  // Up to how many tokens codes are unpacked anew for every few (multiply_panels.h), if the instruction set has no
  // lower bound; for those with a dot product of bytes. Intel's units that unpack are those that multiply, AMD has
  // others.
  size_t most_directly;
};

// Of this processor.
extern const Tuning kTuning;

namespace {

template <class Isa, bool kIsOneToken>
OGAS_INLINE void ask_ahead(const std::byte* p) {
  if constexpr (kIsOneToken) {
    Isa::prefetch(p + kTuning.one_to_l1);
#if defined(__x86_64__)
    Isa::prefetch_to_l2(p + kTuning.one_to_l2);
#endif
  } else {
    Isa::prefetch_to_l2(p + kTuning.several_to_l2);
  }
}

}  // namespace
}  // namespace ogas
