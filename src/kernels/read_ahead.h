// How far ahead kernels ask for what they read from memory.
//
// AMD's prefetchers are best if they are only kept from falling behind: asking a page ahead costs one token up to half
// of its pace (Zen 4). Intel's stop at the end of a page of 4 KiB and have to be led into the next, by the second-level
// cache, which has more requests under way than the first: 88% instead of 70% of the pace of memory (Granite Rapids,
// Llama-3.1-8B in Q4_K; `ogas bench`, since bench/matmul_bench's weights may lie in a third-level cache).
#pragma once

#include <cstddef>

#include "quant/unpacked.h"

namespace ogas {

inline constexpr size_t kCacheLine = 64;

// In bytes. One token reads at the pace of memory: into the first level, and before into the second. Several compute
// longer than they read: into the second.
struct ReadAhead {
  size_t to_l1, to_l2, of_several;
};
// Of this processor.
extern const ReadAhead kReadAhead;

namespace {

template <class Isa, bool kIsOneToken>
OGAS_INLINE void ask_ahead(const std::byte* p) {
  if constexpr (kIsOneToken) {
    Isa::prefetch(p + kReadAhead.to_l1);
#if defined(__x86_64__)
    Isa::prefetch_to_l2(p + kReadAhead.to_l2);
#endif
  } else {
    Isa::prefetch_to_l2(p + kReadAhead.of_several);
  }
}

}  // namespace
}  // namespace ogas
