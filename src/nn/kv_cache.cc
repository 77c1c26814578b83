#include "nn/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace ogas {

KvPage::KvPage(const KvPage& other) : cache_(other.cache_), idx_(other.idx_) { ++cache_->shares_[idx_]; }

KvPage::~KvPage() {
  if (cache_) cache_->drop(idx_);
}

std::byte* KvPage::data() const { return cache_->data(idx_); }

bool KvPage::is_shared() const { return cache_->shares_[idx_] > 1; }

KvStates::Shared::Shared(KvCache& owner) : cache(owner), buffer(owner.layout().state_bytes()) { ++cache.n_states_; }

KvStates::Shared::~Shared() { --cache.n_states_; }

std::span<float> KvStates::values(KvStateId id) const {
  const KvLayout& layout = shared_->cache.layout();
  return shared_->buffer.as<float>(layout.state_offset(id) * sizeof(float), layout.state_values(id));
}

KvCache::KvCache(const KvLayout& layout, uint64_t budget) : layout_(layout), budget_(budget) {
  constexpr uint64_t kSlabBytes = uint64_t{32} << 20;
  const uint64_t page_bytes = std::max<uint64_t>(layout.page_bytes(), 1);
  slab_pages_ = std::clamp<uint64_t>(std::min(kSlabBytes, budget_) / page_bytes, 1, UINT32_MAX);
}

uint64_t KvCache::bytes_free() const {
  const uint64_t taken = n_used_ * layout_.page_bytes() + snapshot_bytes_;
  return budget_ - std::min(budget_, taken);
}

KvStates KvCache::take_states() {
  OGAS_CHECK(layout_.state_bytes() > 0, "no recurrent layers");
  return KvStates(*this);
}

KvPage KvCache::take() {
  OGAS_CHECK(layout_.page_bytes() <= bytes_free(), "{} pages are taken, and {} bytes free", n_used_, bytes_free());
  if (free_.empty()) {
    const auto idx = static_cast<uint32_t>(shares_.size());
    if (idx / slab_pages_ == slabs_.size()) slabs_.emplace_back(slab_pages_ * layout_.page_bytes()).prefer_huge_pages();
    shares_.push_back(0);
    free_.push_back(idx);
  }
  const uint32_t idx = free_.back();
  free_.pop_back();
  shares_[idx] = 1;
  ++n_used_;
  return {*this, idx};
}

void KvCache::drop(uint32_t idx) {
  if (--shares_[idx] > 0) return;
  free_.push_back(idx);
  --n_used_;
}

void KvSequence::append(KvPage page) {
  pages_.push_back(page.data());
  shares_.push_back(std::move(page));
}

void KvSequence::add_pages(std::span<const KvPage> pages, const KvStates* states) {
  OGAS_CHECK(n_positions_ % KvLayout::kPagePositions == 0, "pages after {} positions", n_positions_);
  OGAS_CHECK((states != nullptr) == (layout().state_bytes() > 0), "{} bytes of states", layout().state_bytes());
  for (const KvPage& page : pages) append(page);
  n_positions_ += pages.size() * KvLayout::kPagePositions;
  if (states) states_ = *states;
}

void KvSequence::use_page(size_t idx, const KvPage& page) {
  pages_[idx] = page.data();
  shares_[idx] = page;
}

void KvSequence::fork(const KvSequence& other) {
  OGAS_CHECK(n_positions_ == 0 && cache_ == other.cache_, "{} positions already", n_positions_);
  for (const KvPage& page : other.shares_) append(page);
  n_positions_ = other.n_positions_;
  states_ = other.states_;
  snapshot_ = other.snapshot_;
  snapshot_position_ = other.snapshot_position_;
}

// Whether the next position lies in a page of others.
bool KvSequence::has_shared_end() const {
  return n_positions_ % KvLayout::kPagePositions != 0 && shares_.back().is_shared();
}

uint64_t KvSequence::bytes_to_extend(size_t n) const {
  if (n == 0) return 0;
  const size_t n_pages = (n_positions_ + n + KvLayout::kPagePositions - 1) / KvLayout::kPagePositions;
  return (n_pages - pages_.size() + (has_shared_end() ? 1 : 0)) * layout().page_bytes();
}

void KvSequence::extend(size_t n) {
  if (n > 0 && has_shared_end()) {
    KvPage own = cache_->take();
    std::memcpy(own.data(), pages_.back(), layout().page_bytes());
    pages_.back() = own.data();
    shares_.back() = std::move(own);
  }
  n_positions_ += n;
  while (pages_.size() * KvLayout::kPagePositions < n_positions_) append(cache_->take());
  if (n == 0 || layout().state_bytes() == 0) return;
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

size_t KvSequence::rewindable_to(size_t n) const {
  if (layout().state_bytes() == 0 || n >= n_positions_) return std::min(n, n_positions_);
  return snapshot_ && snapshot_position_ <= n ? snapshot_position_ : 0;
}

void KvSequence::snapshot() {
  snapshot_ = states_;
  snapshot_position_ = n_positions_;
}

bool KvSequence::keep_snapshot_within() {
  if (!within_) return false;
  snapshot_ = std::move(within_);
  within_.reset();
  snapshot_position_ = std::exchange(planned_position_, 0);
  return true;
}

void KvSequence::truncate(size_t n) {
  OGAS_CHECK(rewindable_to(n) == n, "{} of {} positions, a snapshot at {}", n, n_positions_, snapshot_position());
  within_.reset();
  if (n == 0) {
    states_.reset();
    snapshot_.reset();
  } else if (n < n_positions_) {
    states_ = snapshot_;
  }
  n_positions_ = n;
  const size_t n_pages = (n + KvLayout::kPagePositions - 1) / KvLayout::kPagePositions;
  for (; pages_.size() > n_pages; pages_.pop_back()) shares_.pop_back();
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
