// Hashes for tables in memory. They are not kept and not sent anywhere.
#pragma once

#include <cstdint>

namespace ogas::grammar {

inline uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

}  // namespace ogas::grammar
