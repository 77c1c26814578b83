// Pages of the KV cache for all sessions, and the prefix cache: what is free, what can be made free, and what a session
// can continue from.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "engine/prefix_cache.h"
#include "engine/session.h"
#include "nn/kv_cache.h"

namespace ogas {

class KvManager {
 public:
  // budget: bytes that pages may take. reuses_generated: whether the KV cache of generated tokens has the bits that a
  // prompt of these tokens gives, so that others may continue from it (RowKind).
  KvManager(const KvLayout& layout, uint64_t budget, bool reuses_generated);

  // Caches prefixes from here on. Parameters as those of PrefixCache.
  void enable_prefix_cache(const PrefixKey& model, double cost_growth, std::unique_ptr<PrefixStore> store);
  bool has_prefix_cache() const { return prefixes_ != nullptr; }

  // For sequences and sessions, which this must outlive.
  KvCache& cache() { return cache_; }
  const KvLayout& layout() const { return cache_.layout(); }
  bool reuses_generated() const { return reuses_generated_; }

  // Makes these bytes free, or those that n more positions of a sequence take, at the cost of cached prefixes. Errors:
  // out_of_memory.
  Result<> reserve(uint64_t n_bytes);
  Result<> reserve_positions(KvSequence& kv, size_t n) { return reserve(kv.prepare_to_extend(n)); }
  // Bytes that are free or can be made free.
  uint64_t bytes_available() const { return cache_.bytes_free() + (prefixes_ ? prefixes_->bytes_evictable() : 0); }
  // Bytes that sessions hold, and those that only the prefix cache holds.
  uint64_t bytes_used() const { return cache_.bytes_used() - bytes_cached(); }
  uint64_t bytes_cached() const { return prefixes_ ? prefixes_->bytes_reclaimable() : 0; }

  // Lets a session that holds the beginning of these tokens continue from the prefix cache, where that has more of
  // them. Returns how many of them are cached at all: where snapshots are needed, also after the last one.
  size_t match_prefix(Session& session, std::span<const TokenId> tokens);
  // Puts the first n_tokens of a session into the prefix cache, as far as an answer would have the same bits from them.
  void insert_prefix(Session& session, size_t n_tokens);
  // Also a session's snapshot of a position, where it has one and the tokens before it were put there.
  void insert_snapshot(const Session& session, size_t position);
  // The same of the last position that it can have one of.
  void insert_last_snapshot(const Session& session);
  // As PrefixCache.
  size_t snapshot_stride() const { return prefixes_ ? prefixes_->snapshot_stride() : 0; }
  // Puts all tokens of a session there, also those of the page that is begun, for one that continues from all of them.
  void insert_end(const Session& session);
  // Also writes whole pages to disk, in the background, where there is a folder for them.
  void save_prefix(Session& session, size_t n_tokens);
  // Waits until they are written.
  void flush_prefixes();

 private:
  // Tokens of a session that may be cached, from the first one on.
  size_t n_cacheable(const Session& session) const;

  uint64_t budget_;
  bool reuses_generated_;
  KvCache cache_;
  std::unique_ptr<PrefixCache> prefixes_;  // null: none
};

}  // namespace ogas
