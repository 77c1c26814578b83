#include "text/merge_table.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/check.h"

namespace ogas {
namespace {

// Up to this many symbols a linear search for the best pair is faster than a heap (bench/tokenizer_bench.py).
constexpr size_t kShort = 64;

uint64_t pair_of(TokenId left, TokenId right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

void MergeTable::reserve(size_t n) {
  // At most four fifths full.
  const size_t size = std::bit_ceil(std::max<size_t>(n + n / 4 + 1, 16));
  entries_.assign(size, Entry{kNoPair, 0, 0});
  n_entries_ = 0;
  shift_ = 64 - std::countr_zero(size);
}

// Fibonacci hashing: the upper bits of a product with 2^64 / golden ratio.
size_t MergeTable::slot_for(uint64_t pair) const {
  size_t slot = static_cast<size_t>(pair * 0x9E3779B97F4A7C15 >> shift_);
  while (entries_[slot].pair != pair && entries_[slot].pair != kNoPair) slot = (slot + 1) & (entries_.size() - 1);
  return slot;
}

void MergeTable::insert(TokenId left, TokenId right, uint32_t rank, TokenId result) {
  Entry& entry = entries_[slot_for(pair_of(left, right))];
  if (entry.pair != kNoPair) return;
  OGAS_CHECK(++n_entries_ < entries_.size(), "more merges than were reserved");
  entry = {pair_of(left, right), rank, result};
}

const MergeTable::Entry* MergeTable::find(TokenId left, TokenId right) const {
  const Entry& entry = entries_[slot_for(pair_of(left, right))];
  return entry.pair == kNoPair ? nullptr : &entry;
}

void MergeTable::merge(std::vector<TokenId>& symbols, Scratch& scratch) const {
  if (symbols.size() < 2 || entries_.empty()) return;
  if (symbols.size() <= kShort)
    merge_short(symbols, scratch);
  else
    merge_long(symbols, scratch);
}

void MergeTable::merge_short(std::vector<TokenId>& symbols, Scratch& scratch) const {
  auto& ranks = scratch.ranks;  // of the pair that begins at each symbol
  auto& results = scratch.results;
  size_t n_pairs = symbols.size() - 1;
  ranks.resize(n_pairs);
  results.resize(n_pairs);
  const auto look_up = [&](size_t idx) {
    const Entry* entry = find(symbols[idx], symbols[idx + 1]);
    ranks[idx] = entry ? entry->rank : kNoRank;
    if (entry) results[idx] = entry->result;
  };
  for (size_t idx = 0; idx < n_pairs; ++idx) look_up(idx);
  while (n_pairs > 0) {
    const auto best = static_cast<size_t>(
        std::min_element(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(n_pairs)) - ranks.begin());
    if (ranks[best] == kNoRank) break;
    symbols[best] = results[best];
    // The pair at `best` goes, and so does the symbol to its right; what follows moves up.
    for (size_t idx = best + 1; idx < n_pairs; ++idx) {
      symbols[idx] = symbols[idx + 1];
      ranks[idx - 1] = ranks[idx];
      results[idx - 1] = results[idx];
    }
    --n_pairs;
    if (best > 0) look_up(best - 1);
    if (best < n_pairs) look_up(best);
  }
  symbols.resize(n_pairs + 1);
}

void MergeTable::merge_long(std::vector<TokenId>& symbols, Scratch& scratch) const {
  auto& links = scratch.links;
  auto& queue = scratch.queue;
  links.clear();
  queue.clear();
  const auto n = static_cast<int32_t>(symbols.size());
  for (int32_t idx = 0; idx < n; ++idx)
    links.push_back({symbols[static_cast<size_t>(idx)], idx - 1, idx + 1 < n ? idx + 1 : -1});
  const auto link = [&](int32_t idx) -> Link& { return links[static_cast<size_t>(idx)]; };
  const auto consider = [&](int32_t left) {
    if (left < 0 || link(left).next < 0) return false;
    const Entry* entry = find(link(left).id, link(link(left).next).id);
    if (entry) queue.push_back(uint64_t{entry->rank} << 32 | static_cast<uint32_t>(left));
    return entry != nullptr;
  };
  for (int32_t idx = 0; idx < n; ++idx) consider(idx);
  std::ranges::make_heap(queue, std::greater());

  while (!queue.empty()) {
    std::ranges::pop_heap(queue, std::greater());
    const uint64_t best = queue.back();
    queue.pop_back();
    const auto best_left = static_cast<int32_t>(best & UINT32_MAX);
    Link& left = link(best_left);
    // Out of date if either side has been merged since; a symbol merged into its left neighbour has id -1.
    if (left.id < 0 || left.next < 0) continue;
    Link& right = link(left.next);
    const Entry* entry = find(left.id, right.id);
    if (!entry || entry->rank != best >> 32) continue;
    left.id = entry->result;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) link(left.next).previous = best_left;
    if (consider(left.previous)) std::ranges::push_heap(queue, std::greater());
    if (consider(best_left)) std::ranges::push_heap(queue, std::greater());
  }
  symbols.clear();
  for (const Link& symbol : links)
    if (symbol.id >= 0) symbols.push_back(symbol.id);
}

}  // namespace ogas
