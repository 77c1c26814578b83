#include "nn/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace ogas {
namespace {

constexpr size_t kPage = KvLayout::kPagePositions;

// That hold n positions.
size_t n_pages_for(size_t n) { return (n + kPage - 1) / kPage; }

}  // namespace

KvPage::KvPage(const KvPage& other) : cache_(other.cache_), idx_(other.idx_), kind_(other.kind_) {
  ++cache_->pool(kind_).shares[idx_];
}

KvPage::~KvPage() {
  if (cache_) cache_->drop(kind_, idx_);
}

std::byte* KvPage::data() const { return cache_->pool(kind_).data(idx_); }

uint32_t KvPage::n_shares() const { return cache_->pool(kind_).shares[idx_]; }

KvStates::Shared::Shared(KvCache& owner) : cache(owner), buffer(owner.layout().state_bytes()) { ++cache.n_states_; }

KvStates::Shared::~Shared() { --cache.n_states_; }

std::span<float> KvStates::values(KvStateId id) const {
  const KvLayout& layout = shared_->cache.layout();
  return shared_->buffer.as<float>(layout.state_offset(id) * sizeof(float), layout.state_values(id));
}

KvCache::KvCache(const KvLayout& layout, uint64_t budget) : layout_(layout), budget_(budget) {
  constexpr uint64_t kSlabBytes = uint64_t{32} << 20;
  for (const KvPageKind kind : layout.page_kinds()) {
    Pool& pool = this->pool(kind);
    pool.page_bytes = layout.page_bytes(kind);
    pool.slab_pages =
        std::clamp<uint64_t>(std::min(kSlabBytes, budget) / std::max<uint64_t>(pool.page_bytes, 1), 1, UINT32_MAX);
  }
}

uint64_t KvCache::page_bytes_used() const {
  uint64_t n_bytes = 0;
  for (const Pool& pool : pools_) n_bytes += pool.n_used * pool.page_bytes;
  return n_bytes;
}

uint64_t KvCache::bytes_free() const { return budget_ - std::min(budget_, page_bytes_used() + snapshot_bytes_); }

KvStates KvCache::take_states() {
  OGAS_CHECK(layout_.state_bytes() > 0, "no recurrent layers");
  return KvStates(*this);
}

KvPage KvCache::take(KvPageKind kind) {
  Pool& pool = this->pool(kind);
  OGAS_CHECK(pool.page_bytes <= bytes_free(), "a page of {} bytes; {} are free", pool.page_bytes, bytes_free());
  if (pool.free.empty()) {
    release_unused(pool.page_bytes);
    if (pool.released.empty()) add_page(pool);
    pool.free.push_back(pool.released.back());
    pool.released.pop_back();
  }
  const uint32_t idx = pool.free.back();
  pool.free.pop_back();
  pool.shares[idx] = 1;
  ++pool.n_used;
  return {*this, kind, idx};
}

void KvCache::add_page(Pool& pool) {
  const auto idx = static_cast<uint32_t>(pool.shares.size());
  if (idx / pool.slab_pages == pool.slabs.size())
    pool.slabs.emplace_back(pool.slab_pages * pool.page_bytes).prefer_huge_pages();
  pool.shares.push_back(0);
  for (auto* unused : {&pool.free, &pool.released})
    unused->reserve(pool.shares.capacity());  // drop() does not allocate
  pool.released.push_back(idx);
}

// Gives memory of pages that are not used back to the system until n_more bytes fit into the budget: pages of one kind
// may have been many, and those of the other are now.
void KvCache::release_unused(uint64_t n_more) {
  for (Pool& pool : pools_)
    while (!pool.free.empty() && pools_[0].n_bytes_in_memory() + pools_[1].n_bytes_in_memory() + n_more > budget_) {
      const uint32_t idx = pool.free.back();
      pool.free.pop_back();
      pool.released.push_back(idx);
      pool.slabs[idx / pool.slab_pages].release(idx % pool.slab_pages * pool.page_bytes, pool.page_bytes);
    }
}

void KvCache::drop(KvPageKind kind, uint32_t idx) {
  Pool& pool = this->pool(kind);
  if (--pool.shares[idx] > 0) return;
  pool.free.push_back(idx);
  --pool.n_used;
}

void KvSequence::PageList::append(KvPage page) {
  data.push_back(page.data());
  shares.emplace_back(std::move(page));
}

void KvSequence::PageList::release_before(size_t page_idx) {
  for (; n_released < page_idx; ++n_released) {
    shares[n_released].reset();
    data[n_released] = nullptr;
  }
}

void KvSequence::PageList::shrink_to(size_t n_pages) {
  for (; data.size() > n_pages; data.pop_back()) shares.pop_back();
  n_released = std::min(n_released, n_pages);
}

void KvSequence::add_pages(std::span<const KvPage> pages, size_t n, const KvSnapshot* snapshot) {
  OGAS_CHECK(n_positions_ % kPage == 0 && n_pages_for(n) == pages.size(), "{} positions of {} pages after {}", n,
             pages.size(), n_positions_);
  OGAS_CHECK((snapshot != nullptr) == layout().needs_snapshots(), "{} snapshot, of a layout that needs {}",
             snapshot ? "a" : "no", layout().needs_snapshots() ? "one" : "none");
  for (const KvPage& page : pages) list(KvPageKind::full).append(page);
  n_positions_ += n;
  if (!snapshot) return;
  OGAS_CHECK(n_positions_ == n, "a snapshot after {} of {} positions", n, n_positions_);
  states_ = snapshot->states;
  use_windows_of(*snapshot, n_positions_);
}

void KvSequence::use_page(size_t idx, const KvPage& page) {
  PageList& pages = list(KvPageKind::full);
  pages.data[idx] = page.data();
  pages.shares[idx] = page;
}

void KvSequence::fork(const KvSequence& other) {
  OGAS_CHECK(n_positions_ == 0 && cache_ == other.cache_, "{} positions already", n_positions_);
  lists_ = other.lists_;
  n_positions_ = other.n_positions_;
  states_ = other.states_;
  snapshot_ = other.snapshot_;
  snapshot_position_ = other.snapshot_position_;
}

// Whether the next position lies in a page of others.
bool KvSequence::has_shared_end(KvPageKind kind) const {
  return n_positions_ % kPage != 0 && list(kind).shares.back()->is_shared();
}

// From the start of a page, so that a snapshot can be taken there later.
void KvSequence::release_windows() {
  if (layout().window() > 0)
    list(KvPageKind::window).release_before(layout().first_window_page(n_positions_ / kPage * kPage));
}

uint64_t KvSequence::prepare_to_extend(size_t n) {
  release_windows();
  if (n == 0) return 0;
  uint64_t n_bytes = 0;
  for (const KvPageKind kind : layout().page_kinds()) {
    const size_t n_more = n_pages_for(n_positions_ + n) - list(kind).data.size() + (has_shared_end(kind) ? 1 : 0);
    n_bytes += n_more * layout().page_bytes(kind);
  }
  return n_bytes;
}

// A page that is begun becomes its own.
void KvSequence::own_end(KvPageKind kind) {
  if (!has_shared_end(kind)) return;
  PageList& pages = list(kind);
  KvPage own = cache_->take(kind);
  std::memcpy(own.data(), pages.data.back(), layout().page_bytes(kind));
  pages.data.back() = own.data();
  pages.shares.back() = std::move(own);
}

void KvSequence::extend(size_t n) {
  if (n == 0) return;
  release_windows();
  for (const KvPageKind kind : layout().page_kinds()) {
    own_end(kind);
    PageList& pages = list(kind);
    while (pages.data.size() < n_pages_for(n_positions_ + n)) pages.append(cache_->take(kind));
  }
  n_positions_ += n;
  if (layout().state_bytes() == 0) return;
  own_states();
  within_.reset();
  if (planned_position_ > n_positions_ - n && planned_position_ < n_positions_) within_ = cache_->take_states();
}

// States that are its alone, to be written.
void KvSequence::own_states() {
  if (states_ && !states_->is_shared()) return;
  const KvStates own = cache_->take_states();
  if (states_) std::ranges::copy(states_->bytes(), own.bytes().begin());
  states_ = own;
}

bool KvSequence::holds_windows_of(size_t position) const {
  return layout().window() == 0 || layout().first_window_page(position) >= list(KvPageKind::window).n_released;
}

std::vector<KvPage> KvSequence::window_pages_of(size_t position) const {
  std::vector<KvPage> pages;
  if (layout().window() == 0) return pages;
  pages.reserve(layout().n_window_pages(position));
  for (size_t idx = layout().first_window_page(position); idx < n_pages_for(position); ++idx)
    pages.push_back(*list(KvPageKind::window).shares[idx]);
  return pages;
}

void KvSequence::use_windows_of(const KvSnapshot& snapshot, size_t position) {
  if (layout().window() == 0) return;
  OGAS_CHECK(snapshot.window_pages.size() == layout().n_window_pages(position), "{} pages of windows at {}",
             snapshot.window_pages.size(), position);
  PageList& windows = list(KvPageKind::window);
  windows.n_released = n_pages_for(position) - snapshot.window_pages.size();
  windows.shares.assign(windows.n_released, std::nullopt);
  windows.data.assign(windows.n_released, nullptr);
  for (const KvPage& page : snapshot.window_pages) windows.append(page);
}

size_t KvSequence::rewindable_to(size_t n) const {
  if (n >= n_positions_) return n_positions_;
  if (layout().state_bytes() == 0 && holds_windows_of(n)) return n;
  return snapshot_ && snapshot_position_ <= n ? snapshot_position_ : 0;
}

void KvSequence::snapshot() {
  if (!layout().needs_snapshots() || n_positions_ == 0) return;
  snapshot_ = KvSnapshot{states_, window_pages_of(n_positions_)};
  snapshot_position_ = n_positions_;
}

bool KvSequence::keep_snapshot_within() {
  if (!within_) return false;
  snapshot_ = KvSnapshot{*std::move(within_), window_pages_of(planned_position_)};
  within_.reset();
  snapshot_position_ = std::exchange(planned_position_, 0);
  return true;
}

std::optional<KvSnapshot> KvSequence::snapshot_at(size_t position) const {
  if (snapshot_ && snapshot_position_ == position) return snapshot_;
  const bool is_end = position == n_positions_, has_states = layout().state_bytes() > 0;
  if (!layout().needs_snapshots() || position == 0 || position > n_positions_) return std::nullopt;
  if ((has_states && !is_end) || !holds_windows_of(position)) return std::nullopt;
  return KvSnapshot{.states = states_, .window_pages = window_pages_of(position)};
}

void KvSequence::truncate(size_t n) {
  OGAS_CHECK(rewindable_to(n) == n, "{} of {} positions, a snapshot at {}", n, n_positions_, snapshot_position());
  within_.reset();
  if (n == 0)
    states_.reset();
  else if (n < n_positions_) {
    if (layout().state_bytes() > 0) states_ = snapshot_->states;
    if (!holds_windows_of(n)) use_windows_of(*snapshot_, n);
  }
  if (snapshot_position() > n) snapshot_.reset();
  n_positions_ = n;
  for (PageList& pages : lists_) pages.shrink_to(n_pages_for(n));
}

std::span<float> KvSequence::state(KvStateId id) const {
  OGAS_CHECK(id.idx < layout().n_states() && states_, "state {} of {} at position {}", id.idx, layout().n_states(),
             n_positions_);
  return states_->values(id);
}

KvSequence::SnapshotWithin KvSequence::snapshot_within(KvStateId id) const {
  if (!within_) return {};
  return {within_->values(id), planned_position_};
}

}  // namespace ogas
