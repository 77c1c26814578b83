#include "nn/kv_cache.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace ogas {

void rotate_for_cache(const Ops& ops, Format format, float* x, size_t dim, size_t n_heads) {
  if (format != Format::q4_0) return;
  const size_t n = dim & -dim;  // the largest power of two that divides a head
  ops.hadamard(x, n, n_heads * (dim / n));
}

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
  if (shape().state.bytes() > 0 && state_.size() == 0) take_state(state_);
}

void KvSequence::take_state(PageBuffer& buffer) {
  buffer = PageBuffer(shape().state.bytes());
  ++cache_->n_states_;
}

void KvSequence::drop_state(PageBuffer& buffer) {
  if (buffer.size() == 0) return;
  buffer = PageBuffer();
  --cache_->n_states_;
}

size_t KvSequence::reachable(size_t n) const {
  if (shape().state.bytes() == 0 || n >= n_positions_) return std::min(n, n_positions_);
  return kept_.size() > 0 && kept_position_ <= n ? kept_position_ : 0;
}

void KvSequence::keep() {
  if (state_.size() == 0) return;
  if (kept_.size() == 0) take_state(kept_);
  std::memcpy(kept_.data(), state_.data(), state_.size());
  kept_position_ = n_positions_;
}

void KvSequence::truncate(size_t n) {
  OGAS_CHECK(reachable(n) == n, "{} of {} positions, a copy at {}", n, n_positions_, kept_position_);
  if (n == 0) {
    drop_state(state_);
    drop_state(kept_);
  } else if (n < n_positions_ && state_.size() > 0) {
    std::memcpy(state_.data(), kept_.data(), state_.size());
  }
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

std::span<float> KvSequence::state(size_t layer_idx) const {
  const StateShape& states = shape().state;
  OGAS_CHECK(layer_idx < states.n_layer, "recurrent layer {} of {}", layer_idx, states.n_layer);
  return state_.as<float>(layer_idx * states.n_values * sizeof(float), states.n_values);
}

}  // namespace ogas
