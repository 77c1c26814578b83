// Keys and values of past positions, in pages, and the recurrent state of layers that keep no positions.
//
// A page holds kPagePositions consecutive positions, for all layers; a sequence is a list of pages, so it grows without
// copying, and sequences that begin alike share pages. One that is shared is not written: a sequence that continues
// within it has a copy first. Within a page: [layer][key-value head][keys, then values][position][dimension], then the
// keys of indexers: [layer][position][dimension].
//
// A recurrent layer has one block of numbers a sequence, which each position overwrites: there is no way back to an
// earlier position but through a snapshot. The states of all such layers at one position (KvStates) are shared and
// copied before they are written, as pages are. A sequence holds those at its end and, where snapshot() was called, one
// snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "nn/kv_layout.h"
#include "quant/format.h"

namespace ogas {

class KvCache;

// A share in a page, which goes back to the cache with its last one.
class KvPage {
 public:
  KvPage(const KvPage& other);
  KvPage(KvPage&& other) noexcept : cache_(std::exchange(other.cache_, nullptr)), idx_(other.idx_) {}
  KvPage& operator=(KvPage other) noexcept {
    std::swap(cache_, other.cache_);
    std::swap(idx_, other.idx_);
    return *this;
  }
  ~KvPage();

  std::byte* data() const;
  // Whether there are other shares: then it is not to be written.
  bool is_shared() const;

 private:
  friend class KvCache;
  KvPage(KvCache& cache, uint32_t idx) : cache_(&cache), idx_(idx) {}

  KvCache* cache_;
  uint32_t idx_;
};

// A share in the states of all recurrent layers at one position, as KvLayout lays them out.
class KvStates {
 public:
  std::span<std::byte> bytes() const { return {shared_->buffer.data(), shared_->buffer.size()}; }
  // Of one layer.
  std::span<float> values(KvStateId id) const;
  // Whether there are other shares: then they are not to be written.
  bool is_shared() const { return shared_.use_count() > 1; }

 private:
  friend class KvCache;
  friend class KvSequence;
  struct Shared {
    explicit Shared(KvCache& owner);
    ~Shared();
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    KvCache& cache;
    PageBuffer buffer;
  };
  explicit KvStates(KvCache& cache) : shared_(std::make_shared<Shared>(cache)) {}

  std::shared_ptr<Shared> shared_;
};

// Where pages and states come from and go back to. Not thread-safe; must outlive its pages and sequences.
class KvCache {
 public:
  // budget: bytes that pages may take, and what set_snapshot_bytes() says. States that sequences hold come on top.
  explicit KvCache(const KvLayout& layout, uint64_t budget = UINT64_MAX);

  const KvLayout& layout() const { return layout_; }
  // Bytes of pages that can still be taken, and how many pages are.
  uint64_t bytes_free() const;
  size_t n_used() const { return n_used_; }
  // Bytes of the pages and states that are held.
  uint64_t bytes_used() const { return n_used_ * layout_.page_bytes() + n_states_ * layout_.state_bytes(); }
  // Bytes of the budget that snapshots take which no sequence needs. They may exceed it.
  void set_snapshot_bytes(uint64_t bytes) { snapshot_bytes_ = bytes; }

  // A page of whatever it held before. Its bytes must be free.
  KvPage take();
  // States of zeros, as they are before the first position. For layouts that have some.
  KvStates take_states();

 private:
  friend class KvPage;
  friend class KvStates;
  void drop(uint32_t idx);
  std::byte* data(uint32_t idx) const {
    return slabs_[idx / slab_pages_].data() + idx % slab_pages_ * layout_.page_bytes();
  }

  KvLayout layout_;
  uint64_t budget_, snapshot_bytes_ = 0;
  size_t slab_pages_;
  std::vector<PageBuffer> slabs_;  // pages lie together in pieces of some MiB, which never move
  std::vector<uint32_t> shares_;   // [pages that were ever taken]; 0: free
  std::vector<uint32_t> free_;
  size_t n_used_ = 0;
  size_t n_states_ = 0;
};

class KvSequence {
 public:
  explicit KvSequence(KvCache& cache) : cache_(&cache) {}
  KvSequence(const KvSequence&) = delete;
  KvSequence& operator=(const KvSequence&) = delete;
  ~KvSequence() { truncate(0); }

  const KvLayout& layout() const { return cache_->layout(); }
  size_t n_positions() const { return n_positions_; }
  // Where the pages of a stream are.
  std::span<std::byte* const> pages(KvStreamId) const { return pages_; }
  // Page idx, to be shared with others once all of its positions are written.
  const KvPage& page(size_t idx) const { return shares_[idx]; }
  // Adds the positions of pages that another sequence wrote; those so far must be whole pages. states: those at the end
  // of these, null without recurrent layers.
  void add_pages(std::span<const KvPage> pages, const KvStates* states);
  // Shares this page in place of its own page idx, which holds the same.
  void use_page(size_t idx, const KvPage& page);
  // Becomes what another sequence is, states included; must be empty. What either of them writes later is its own.
  void fork(const KvSequence& other);

  // Bytes of the pages that extend(n) takes: of a page that is begun and shared, a copy.
  uint64_t bytes_to_extend(size_t n) const;
  // Adds n positions, to be written by the forward pass. The cache must have the pages.
  void extend(size_t n);
  // The last position up to n that truncate() can go back to: n itself without recurrent layers, else the end, the
  // position of the snapshot, or 0.
  size_t rewindable_to(size_t n) const;
  // Forgets all positions from n on; n must be reachable.
  void truncate(size_t n);
  // Keeps the states as they are now, in place of the snapshot before; extend() continues with a copy. Nothing to do
  // without recurrent layers or positions.
  void snapshot();
  // The same of a position within the next pass, whose layers put their states there: extend() takes memory for them
  // where it goes beyond this position. Once the pass is computed, keep_snapshot_within() makes it the snapshot, and
  // returns whether there was one. It replaces what was planned before; 0: nothing is.
  void plan_snapshot(size_t position) { planned_position_ = position; }
  bool keep_snapshot_within();
  // The snapshot, to be shared with others; null where there is none, or it is of another position.
  const KvStates* snapshot_at(size_t position) const {
    return snapshot_ && snapshot_position_ == position ? &*snapshot_ : nullptr;
  }
  size_t snapshot_position() const { return snapshot_ ? snapshot_position_ : 0; }
  // The state of a recurrent layer, all zeros before the first position; the layer brings it to the end of what
  // extend() made room for.
  std::span<float> state(KvStateId id) const;
  // Where the pass puts the state at a position within it, as plan_snapshot() wants; empty: it does not.
  struct SnapshotWithin {
    std::span<float> values;
    size_t position;
  };
  SnapshotWithin snapshot_within(KvStateId id) const;

 private:
  void append(KvPage page);
  bool has_shared_end() const;
  void own_states();

  KvCache* cache_;
  std::vector<KvPage> shares_;
  std::vector<std::byte*> pages_;  // where these lie
  size_t n_positions_ = 0;
  std::optional<KvStates> states_, snapshot_;  // at the end; none without positions, as zeros are
  size_t snapshot_position_ = 0;
  std::optional<KvStates> within_;  // what a pass that goes beyond planned_position_ writes
  size_t planned_position_ = 0;
};

}  // namespace ogas
