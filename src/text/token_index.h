// From a token's bytes to its id: a hash table over bytes that lie elsewhere.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "text/string_list.h"
#include "text/vocab.h"

namespace ogas {

class TokenIndex {
 public:
  // Reserves memory for n tokens; to be called before the first insert().
  void reserve(size_t n) { slots_.assign(std::bit_ceil(n < 8 ? size_t{16} : 2 * n), Slot{}); }
  // spelling[id] is what find() compares with. The first of several tokens with the same bytes counts.
  void insert(const StringList& spelling, TokenId id) {
    const std::string_view bytes = spelling[static_cast<size_t>(id)];
    const uint64_t hash = hash_of(bytes);
    for (size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
      if (slots_[slot].id < 0) {
        slots_[slot] = {static_cast<uint32_t>(hash >> 32), id};
        return;
      }
      if (matches(slots_[slot], hash, spelling, bytes)) return;
    }
  }
  // -1 where there is none.
  TokenId find(const StringList& spelling, std::string_view bytes) const {
    const uint64_t hash = hash_of(bytes);
    size_t slot = hash & (slots_.size() - 1);
    for (; slots_[slot].id >= 0; slot = (slot + 1) & (slots_.size() - 1))
      if (matches(slots_[slot], hash, spelling, bytes)) return slots_[slot].id;
    return -1;
  }

 private:
  struct Slot {
    uint32_t tag = 0;  // more bits of the hash: most lookups that miss need not compare bytes
    TokenId id = -1;
  };

  static bool matches(const Slot& slot, uint64_t hash, const StringList& spelling, std::string_view bytes) {
    return slot.tag == static_cast<uint32_t>(hash >> 32) && spelling[static_cast<size_t>(slot.id)] == bytes;
  }

  // Eight bytes at a time, each mixed in by a multiplication whose upper bits come down; the last load overlaps.
  static uint64_t hash_of(std::string_view bytes) {
    const auto load = [&](size_t at, size_t n) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at, n);
      return word;
    };
    const auto mix = [](uint64_t hash, uint64_t word) {
      hash = (hash ^ word) * 0x9E3779B97F4A7C15;
      return hash ^ hash >> 29;
    };
    const size_t n = bytes.size();
    uint64_t hash = n * 0xD6E8FEB86659FD93;
    if (n >= 8) {
      for (size_t at = 0; at + 8 < n; at += 8) hash = mix(hash, load(at, 8));
      hash = mix(hash, load(n - 8, 8));
    } else if (n >= 4) {
      hash = mix(hash, load(0, 4) | load(n - 4, 4) << 32);
    } else if (n > 0) {
      hash = mix(hash, load(0, 1) | load(n / 2, 1) << 8 | load(n - 1, 1) << 16);
    }
    return mix(hash, 0);
  }

  std::vector<Slot> slots_{16};  // open addressing; a power of two, at most half full
};

}  // namespace ogas
