#include "ops/scratch.h"

#include "base/check.h"

namespace ogas {

std::byte* ScratchArena::take_bytes(size_t n_bytes) {
  constexpr size_t kMinBlock = size_t{1} << 16;
  OGAS_CHECK(n_frames_ > 0, "{} bytes of scratch outside of any frame", n_bytes);
  // Blocks never move while something in them is in use.
  while (top_.block < blocks_.size() && blocks_[top_.block].size() - top_.offset < n_bytes) {
    ++top_.block;
    top_.offset = 0;
  }
  if (top_.block == blocks_.size()) blocks_.emplace_back(std::max(n_bytes, kMinBlock));
  std::byte* const taken = blocks_[top_.block].data() + top_.offset;
  top_.offset += n_bytes;
  top_.n_bytes += n_bytes;
  peak_bytes_ = std::max(peak_bytes_, top_.n_bytes);
  return taken;
}

void ScratchArena::pop(const Frame::Top& top) {
  top_ = top;
  if (--n_frames_ > 0 || blocks_.size() <= 1) return;
  // The next pass finds everything in one block.
  blocks_.clear();
  blocks_.emplace_back(peak_bytes_);
}

Scratch::Scratch(unsigned n_threads) : n_threads_(n_threads), arenas_(std::make_unique<Own[]>(1 + n_threads)) {}

ScratchBytes Scratch::peak_bytes() const {
  ScratchBytes peak{.shared = arenas_[0].arena.peak_bytes()};
  for (unsigned thread_idx = 0; thread_idx < n_threads_; ++thread_idx)
    peak.per_thread = std::max(peak.per_thread, arenas_[1 + thread_idx].arena.peak_bytes());
  return peak;
}

}  // namespace ogas
