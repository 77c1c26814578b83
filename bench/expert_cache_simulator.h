// Hit rates of ExpertCache on a trace, and of two policies to compare it with.
#pragma once

#include <cstddef>
#include <cstdint>

#include "routing_trace.h"

namespace ogas {

// The state in which a cache begins, and from which token of its trace uses are counted.
enum class CacheStart : uint8_t {
  empty,    // counted from the first token on
  filled,   // counted from the second quarter on
  learned,  // the program was started again before the second half, which is counted, with the most used experts of the
            // first
};

struct CacheHits {
  uint64_t n = 0, n_hits = 0;
  double share() const { return n > 0 ? static_cast<double>(n_hits) / static_cast<double>(n) : 0; }
  CacheHits& operator+=(const CacheHits& other);
};

// Of one layer, with n_slots slots.
CacheHits hits_of_ours(const LayerTrace& trace, uint32_t n_expert, uint32_t n_slots, CacheStart start);
// LRU. It is never started again.
CacheHits hits_of_last_used(const LayerTrace& trace, uint32_t n_expert, uint32_t n_slots, CacheStart start);
// The optimal policy (Belady 1966): it knows the future, and does not keep what is used later than all it has.
CacheHits hits_of_best(const LayerTrace& trace, uint32_t n_expert, uint32_t n_slots, CacheStart start);

// How a trace uses its experts.
struct Skew {
  double top_tenth, top_30;  // share of uses by the 10% and 30% of experts that are used most
  double top_30_of_text;     // the same if each text has its own
  double repeated;           // share of uses whose expert the token before used, too
};
Skew skew_of(const RoutingTrace& trace);

}  // namespace ogas
