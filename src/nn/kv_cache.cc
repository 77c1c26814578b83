#include "nn/kv_cache.h"

#include "base/check.h"

namespace ogas {

std::byte* KvCache::take() {
  if (free_.empty()) {
    pages_.emplace_back(shape_.page_bytes());
    free_.push_back(pages_.back().data());
  }
  std::byte* page = free_.back();
  free_.pop_back();
  ++n_used_;
  return page;
}

void KvCache::give_back(std::byte* page) {
  free_.push_back(page);
  --n_used_;
}

void KvSequence::extend(size_t n) {
  n_positions_ += n;
  while (pages_.size() * KvShape::kPagePositions < n_positions_) pages_.push_back(cache_->take());
}

void KvSequence::truncate(size_t n) {
  OGAS_CHECK(n <= n_positions_, "{} of {} positions", n, n_positions_);
  n_positions_ = n;
  const size_t n_pages = (n + KvShape::kPagePositions - 1) / KvShape::kPagePositions;
  for (; pages_.size() > n_pages; pages_.pop_back()) cache_->give_back(pages_.back());
}

std::byte* KvSequence::k(size_t layer_idx, size_t head_idx, size_t position) const {
  return pages_[position / KvShape::kPagePositions] + shape().k_offset(layer_idx, head_idx) +
         position % KvShape::kPagePositions * shape().k_bytes();
}

std::byte* KvSequence::v(size_t layer_idx, size_t head_idx, size_t position) const {
  return pages_[position / KvShape::kPagePositions] + shape().v_offset(layer_idx, head_idx) +
         position % KvShape::kPagePositions * shape().v_bytes();
}

std::byte* KvSequence::index_key(size_t layer_idx, size_t position) const {
  return pages_[position / KvShape::kPagePositions] + shape().index_offset(layer_idx) +
         position % KvShape::kPagePositions * shape().index_bytes();
}

}  // namespace ogas
