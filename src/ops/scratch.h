// Memory for intermediate results of operations, planned in advance: what operations take they give back in reverse
// order, and nothing else of their intermediate results outlives a call.
//
// One arena belongs to the thread that submits work, whose spans all threads may use; one to each thread of the pool.
// An arena grows when a pass takes more than any before, and then never again for passes of that size.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "base/memory.h"
#include "kernels/cpu_kernels.h"

namespace ogas {

// Bytes that operations take at most: shared by all threads, and by each of them in addition.
struct ScratchBytes {
  uint64_t shared = 0, per_thread = 0;

  uint64_t total(unsigned n_threads) const { return shared + n_threads * per_thread; }
  // Of operations one after the other, and of one within another.
  friend ScratchBytes max(const ScratchBytes& a, const ScratchBytes& b) {
    return {std::max(a.shared, b.shared), std::max(a.per_thread, b.per_thread)};
  }
  friend ScratchBytes operator+(const ScratchBytes& a, const ScratchBytes& b) {
    return {a.shared + b.shared, a.per_thread + b.per_thread};
  }
};

// The largest passes there will be: a batch of n_batch rows, in contexts of n_ctx positions.
struct PassLimits {
  const CpuKernels& kernels;
  unsigned n_threads;
  Format kv_format;
  uint64_t n_ctx, n_batch;
};

// A stack of buffers. Not thread-safe.
class ScratchArena {
  struct Top {
    std::byte *next = nullptr, *block_end = nullptr;
    size_t block_idx = 0;
    uint64_t n_bytes = 0;  // taken, in all blocks
  };

 public:
  static constexpr size_t kAlignment = 64;  // a cache line, and the widest vector
  // Bytes that take<T>(n) takes.
  template <class T>
  static constexpr uint64_t bytes_for(uint64_t n) {
    return (n * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
  }

  // Gives back at its end what was taken since it was made.
  class Frame {
   public:
    explicit Frame(ScratchArena& arena) : arena_(arena), top_(arena.top_) { ++arena.n_frames_; }
    ~Frame() { arena_.pop(top_); }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    ScratchArena& arena_;
    const Top top_;
  };

  // n values with undefined contents, aligned to kAlignment, valid until the innermost frame ends. There must be one.
  template <class T>
  std::span<T> take(size_t n) {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    return {reinterpret_cast<T*>(take_bytes(bytes_for<T>(n))), n};
  }
  // The largest sum of bytes that were taken at a time, of the frames that have ended.
  uint64_t peak_bytes() const { return peak_bytes_; }

 private:
  std::byte* take_bytes(size_t n_bytes) {
    if (n_frames_ == 0 || static_cast<size_t>(top_.block_end - top_.next) < n_bytes) use_next_block(n_bytes);
    std::byte* const taken = top_.next;
    top_.next += n_bytes;
    top_.n_bytes += n_bytes;
    return taken;
  }
  // What is taken is the most when a frame ends.
  void pop(const Top& top) {
    peak_bytes_ = std::max(peak_bytes_, top_.n_bytes);
    top_ = top;
    if (--n_frames_ == 0 && (blocks_.size() != 1 || top_.next == nullptr)) join_blocks();
  }
  void use_next_block(size_t n_bytes);
  void join_blocks();
  void begin_block(size_t block_idx);

  std::vector<PageBuffer> blocks_;
  Top top_;
  size_t n_frames_ = 0;
  uint64_t peak_bytes_ = 0;
};

class Scratch {
 public:
  explicit Scratch(unsigned n_threads);
  ScratchArena& shared() { return arenas_[0].arena; }
  ScratchArena& of_thread(unsigned thread_idx) { return arenas_[1 + thread_idx].arena; }
  // The largest that any pass took of each.
  ScratchBytes peak_bytes() const;

 private:
  struct alignas(2 * ScratchArena::kAlignment) Own {  // no two threads' tops in one cache line
    ScratchArena arena;
  };
  unsigned n_threads_;
  std::unique_ptr<Own[]> arenas_;
};

}  // namespace ogas
