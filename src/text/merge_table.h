// Byte-pair merging (Sennrich et al. 2016): which two neighbours become one, and in which order.
#pragma once

#include <cstdint>
#include <vector>

#include "text/vocab.h"

namespace ogas {

class MergeTable {
 public:
  // Reserves memory for n merges; to be called before the first insert().
  void reserve(size_t n);
  // Neighbours `left` and `right` become `result`; smaller ranks merge first. The first one given for a pair counts.
  // None of the three may be negative.
  void insert(TokenId left, TokenId right, uint32_t rank, TokenId result);

  // Memory that merging reuses; one per thread.
  struct Scratch;
  // Merges the best pair of `symbols`, leftmost first, until none is left. O(n log n).
  void merge(std::vector<TokenId>& symbols, Scratch& scratch) const;

 private:
  struct Entry {
    uint64_t pair;  // left id << 32 | right id; kNoPair marks an empty slot
    uint32_t rank;
    TokenId result;
  };
  // One symbol of a long piece while it is being merged: a list linked by indices, so that merging moves nothing.
  struct Link {
    TokenId id;
    int32_t previous, next;  // -1 at the ends
  };
  static constexpr uint64_t kNoPair = UINT64_MAX;
  static constexpr uint32_t kNoRank = UINT32_MAX;

  const Entry* find(TokenId left, TokenId right) const;
  size_t slot_for(uint64_t pair) const;
  void merge_short(std::vector<TokenId>& symbols, Scratch& scratch) const;
  void merge_long(std::vector<TokenId>& symbols, Scratch& scratch) const;

  std::vector<Entry> entries_;  // open addressing by pair; a power of two, at most half full
  size_t n_entries_ = 0;
  int shift_ = 64;  // a hash's upper bits are the slot
};

struct MergeTable::Scratch {
  std::vector<uint32_t> ranks;
  std::vector<TokenId> results;
  std::vector<Link> links;
  // A heap of what may be merged: rank << 32 | index of the left symbol, so that the lowest rank comes first, then the
  // leftmost.
  std::vector<uint64_t> queue;
};

}  // namespace ogas
