// Tuning that depends on the CPU vendor and not only on the instruction set. Measured; no result depends on it.
//
// Reading: AMD's prefetchers work best with a short prefetch distance: a page ahead costs a single token up to half of
// its speed (Zen 4). Intel's stop at the end of a 4 KiB page and have to be led into the next, through the L2 cache,
// which has more requests in flight than the L1: 88% instead of 70% of the memory bandwidth (Granite Rapids,
// Llama-3.1-8B in Q4_K; `ogas bench`, since bench/matmul_bench's weights may fit an L3 cache).
#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/unpacked.h"

namespace ogas {

inline constexpr size_t kCacheLine = 64;

struct Tuning {
  // The prefetch distance in bytes. A single token is memory-bound: into L1, and further ahead into L2. Several tokens
  // compute longer than they read: into L2.
  size_t one_to_l1, one_to_l2, several_to_l2;
  // The maximum number of tokens for which codes are unpacked again for every few (multiply_panels.h), unless the
  // instruction set has a lower bound; for sets with a dot product of bytes. Intel's units that unpack are those that
  // multiply; AMD has separate ones.
  size_t max_directly;
};

// Of this processor.
extern const Tuning kTuning;

namespace {

template <class Isa, bool kIsOneToken>
OGAS_INLINE void prefetch(const std::byte* p) {
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
