#include "ops/scratch.h"

#include "base/check.h"

namespace ogas {

// Blocks never move while something in them is in use.
void ScratchArena::use_next_block(size_t n_bytes) {
  constexpr size_t kMinBlock = size_t{1} << 16;
  OGAS_CHECK(n_frames_ > 0, "{} bytes of scratch outside of any frame", n_bytes);
  if (top_.next != nullptr) ++top_.block_idx;
  while (top_.block_idx < blocks_.size() && blocks_[top_.block_idx].size() < n_bytes) ++top_.block_idx;
  if (top_.block_idx == blocks_.size()) blocks_.emplace_back(std::max(n_bytes, kMinBlock));
  begin_block(top_.block_idx);
}

// The next pass finds everything in one block.
void ScratchArena::join_blocks() {
  if (blocks_.empty()) return;
  if (blocks_.size() > 1) {
    blocks_.clear();
    blocks_.emplace_back(peak_bytes_);
  }
  begin_block(0);
}

void ScratchArena::begin_block(size_t block_idx) {
  const PageBuffer& block = blocks_[block_idx];
  top_.next = block.data();
  top_.block_end = block.data() + block.size();
  top_.block_idx = block_idx;
}

Scratch::Scratch(unsigned n_threads) : n_threads_(n_threads), arenas_(std::make_unique<Own[]>(1 + n_threads)) {}

ScratchBytes Scratch::peak_bytes() const {
  ScratchBytes peak{.shared = arenas_[0].arena.peak_bytes()};
  for (unsigned thread_idx = 0; thread_idx < n_threads_; ++thread_idx)
    peak.per_thread = std::max(peak.per_thread, arenas_[1 + thread_idx].arena.peak_bytes());
  return peak;
}

}  // namespace ogas
