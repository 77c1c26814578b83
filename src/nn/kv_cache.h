// Keys and values of past positions, in pages, and the recurrent state of layers that keep no positions.
//
// A page holds kPagePositions consecutive positions, for all layers of a kind; a sequence is a list of pages, so it
// grows without copying, and sequences that begin alike share pages. One that is shared is not written: a sequence that
// continues within it has a copy first. KvLayout says what lies where in a page.
//
// Layers with a window have pages of their own (KvPageKind::window). A sequence gives back those that no window reaches
// any more, so that it cannot go back far.
//
// A recurrent layer has one block of numbers a sequence, which each position overwrites: there is no way back to an
// earlier position but through a snapshot. The states of all such layers at one position (KvStates) are shared and
// copied before they are written, as pages are. A sequence holds those at its end and, where snapshot() was called, one
// snapshot.
#pragma once

#include <array>
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
  KvPage(KvPage&& other) noexcept
      : cache_(std::exchange(other.cache_, nullptr)), idx_(other.idx_), kind_(other.kind_) {}
  KvPage& operator=(KvPage other) noexcept {
    std::swap(cache_, other.cache_);
    std::swap(idx_, other.idx_);
    std::swap(kind_, other.kind_);
    return *this;
  }
  ~KvPage();

  std::byte* data() const;
  uint32_t n_shares() const;
  // Whether there are other shares: then it is not to be written.
  bool is_shared() const { return n_shares() > 1; }

 private:
  friend class KvCache;
  KvPage(KvCache& cache, KvPageKind kind, uint32_t idx) : cache_(&cache), idx_(idx), kind_(kind) {}

  KvCache* cache_;
  uint32_t idx_;
  KvPageKind kind_;
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

// What a sequence needs to continue at a position, next to its full pages.
struct KvSnapshot {
  std::optional<KvStates> states;    // none without recurrent layers
  std::vector<KvPage> window_pages;  // the last ones before the position, as far as windows reach
};

// Where pages and states come from and go back to. Not thread-safe; must outlive its pages and sequences.
class KvCache {
 public:
  // budget: bytes that pages may take, and what set_snapshot_bytes() says. States that sequences hold come on top.
  explicit KvCache(const KvLayout& layout, uint64_t budget = UINT64_MAX);

  const KvLayout& layout() const { return layout_; }
  // Bytes of pages that can still be taken.
  uint64_t bytes_free() const;
  size_t n_used(KvPageKind kind = KvPageKind::full) const { return pool(kind).n_used; }
  // Bytes of the pages and states that are held.
  uint64_t bytes_used() const { return page_bytes_used() + n_states_ * layout_.state_bytes(); }
  // Bytes of the budget that the states of snapshots take which no sequence needs. They may exceed it.
  void set_snapshot_bytes(uint64_t bytes) { snapshot_bytes_ = bytes; }

  // A page of whatever it held before. Its bytes must be free.
  KvPage take(KvPageKind kind = KvPageKind::full);
  // States of zeros, as they are before the first position. For layouts that have some.
  KvStates take_states();

 private:
  friend class KvPage;
  friend class KvStates;
  // Pages of a kind. They lie together in slabs of some MiB, which never move.
  struct Pool {
    std::byte* data(uint32_t idx) const { return slabs[idx / slab_pages].data() + idx % slab_pages * page_bytes; }
    uint64_t n_bytes_in_memory() const { return (shares.size() - released.size()) * page_bytes; }

    uint64_t page_bytes = 0;
    size_t slab_pages = 1;
    std::vector<PageBuffer> slabs;
    std::vector<uint32_t> shares;    // [pages that there are addresses for]; 0: not used
    std::vector<uint32_t> free;      // not used, but in memory
    std::vector<uint32_t> released;  // not used, and not in memory
    size_t n_used = 0;
  };
  Pool& pool(KvPageKind kind) { return pools_[static_cast<size_t>(kind)]; }
  const Pool& pool(KvPageKind kind) const { return pools_[static_cast<size_t>(kind)]; }
  uint64_t page_bytes_used() const;
  void add_page(Pool& pool);
  void release_unused(uint64_t n_more);
  void drop(KvPageKind kind, uint32_t idx);

  KvLayout layout_;
  uint64_t budget_, snapshot_bytes_ = 0;
  std::array<Pool, 2> pools_;  // [KvPageKind]
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
  // Where the pages of a stream are; null where they were given back.
  std::span<std::byte* const> pages(KvStreamId id) const { return list(layout().kind_of(id)).data; }
  // Full page idx, to be shared with others once all of its positions are written.
  const KvPage& page(size_t idx) const { return *list(KvPageKind::full).shares[idx]; }
  // Adds n positions of full pages that another sequence wrote, of the last page perhaps only the first; those so far
  // must be whole pages. snapshot: of the end of these, null where KvLayout needs none. With one there must be no
  // positions so far.
  void add_pages(std::span<const KvPage> pages, size_t n, const KvSnapshot* snapshot);
  // Shares this full page in place of its own page idx, which holds the same.
  void use_page(size_t idx, const KvPage& page);
  // Becomes what another sequence is, states included; must be empty. What either of them writes later is its own.
  void fork(const KvSequence& other);

  // Gives back pages that windows no longer reach from the start of the page where the next position is. Returns the
  // bytes of the pages that extend(n) takes: of a page that is begun and shared, a copy.
  uint64_t prepare_to_extend(size_t n);
  // Adds n positions, to be written by the forward pass, as after prepare_to_extend(). The cache must have the pages.
  void extend(size_t n);
  // The last position up to n that truncate() can go back to. n itself while all windows are held, and without
  // recurrent layers; else the end, the position of the snapshot, or 0.
  size_t rewindable_to(size_t n) const;
  // Forgets all positions from n on; n must be reachable.
  void truncate(size_t n);
  // Keeps states and windows as they are now, in place of the snapshot before; extend() continues with a copy. Nothing
  // to do where KvLayout needs no snapshots, or without positions.
  void snapshot();
  // The same of a position within the next pass, whose layers put their states there: extend() takes memory for them
  // where it goes beyond this position. Once the pass is computed, keep_snapshot_within() makes it the snapshot, and
  // returns whether there was one. It replaces what was planned before; 0: nothing is.
  void plan_snapshot(size_t position) { planned_position_ = position; }
  bool keep_snapshot_within();
  // A snapshot of a position, to be shared with others: the one that was kept, of the end or, without recurrent layers,
  // of any whose windows are held. None where there is none.
  std::optional<KvSnapshot> snapshot_at(size_t position) const;
  // Of the snapshot that was kept; 0: none.
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
  // The pages of a kind from the first position on.
  struct PageList {
    void append(KvPage page);
    // Gives back the pages before this one.
    void release_before(size_t page_idx);
    void shrink_to(size_t n_pages);

    std::vector<std::optional<KvPage>> shares;
    std::vector<std::byte*> data;  // where these lie
    size_t n_released = 0;         // the first ones, which are none
  };
  PageList& list(KvPageKind kind) { return lists_[static_cast<size_t>(kind)]; }
  const PageList& list(KvPageKind kind) const { return lists_[static_cast<size_t>(kind)]; }
  void release_windows();
  bool has_shared_end(KvPageKind kind) const;
  void own_end(KvPageKind kind);
  void own_states();
  bool holds_windows_of(size_t position) const;
  std::vector<KvPage> window_pages_of(size_t position) const;
  void use_windows_of(const KvSnapshot& snapshot, size_t position);

  KvCache* cache_;
  std::array<PageList, 2> lists_;  // [KvPageKind]
  size_t n_positions_ = 0;
  std::optional<KvStates> states_;  // at the end; none without positions, as zeros are
  std::optional<KvSnapshot> snapshot_;
  size_t snapshot_position_ = 0;
  std::optional<KvStates> within_;  // what a pass that goes beyond planned_position_ writes
  size_t planned_position_ = 0;
};

}  // namespace ogas
