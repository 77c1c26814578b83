// A fixed set of threads that share the chunks of one job at a time.
//
// Each thread has a range of the chunks, takes them one by one, and then helps the others with theirs. A core that
// another process takes away delays one chunk, not half of the work. The same thread also finds the same chunks' data
// in its cache from one job to the next. (With one counter for all threads, contention costs a fifth of the time of a
// small model.)
// Waiting is a short spin (the next job of a forward pass is microseconds away), then a futex (an idle engine costs
// nothing). Not a task queue: jobs do not nest, and one thread submits.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace ogas {

class ThreadPool {
 public:
  // n_threads counts the calling thread; 0 means usable_cores().
  explicit ThreadPool(unsigned n_threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned size() const { return static_cast<unsigned>(workers_.size()) + 1; }

  // Calls function(chunk_idx, thread_idx) once for every chunk_idx in [0, n_chunks), in any order and on any thread;
  // thread_idx < size() selects per-thread scratch space. Returns when all are done. The function must not throw.
  template <class Function>
  void parallel_for(size_t n_chunks, Function&& function) {
    using Callable = std::remove_reference_t<Function>;
    run(
        n_chunks,
        [](void* context, size_t chunk_idx, unsigned thread_idx) {
          (*static_cast<Callable*>(context))(chunk_idx, thread_idx);
        },
        const_cast<void*>(static_cast<const void*>(&function)));
  }

 private:
  using Call = void (*)(void* context, size_t chunk_idx, unsigned thread_idx);

  static constexpr size_t kCacheLine = 64;
  // No epoch reaches it: a pool that runs a job every microsecond would need an hour, and then its low half says
  // "none left".
  static constexpr uint64_t kNoTicket = UINT64_MAX;
  // The chunks of one thread, and all it needs to know of the current job, in the one cache line that a waiting
  // thread polls. A chunk is claimed by advancing the low half of the ticket while its high half still names the
  // epoch the thread woke up for, so a late thread never takes a chunk of the next job by mistake.
  struct alignas(2 * kCacheLine) Range {
    std::atomic<uint64_t> ticket{kNoTicket};  // epoch << 32 | next chunk
    std::atomic<uint32_t> end{0};
    uint32_t n_chunks = 0;  // of the job
    Call call = nullptr;
    void* context = nullptr;
  };

  void run(size_t n_chunks, Call call, void* context);
  void work_on(uint32_t epoch, unsigned thread_idx);
  void worker(unsigned thread_idx);

  std::unique_ptr<Range[]> ranges_;                      // one for each thread
  alignas(kCacheLine) std::atomic<uint32_t> n_done_{0};  // by threads that found nothing more to do
  alignas(kCacheLine) std::atomic<uint32_t> epoch_{0};   // workers sleep on it
  std::atomic<uint32_t> n_sleeping_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

// Cores this process may use: those of its affinity mask (topology.h), at most its cgroup's CPU quota (v1 or v2), at
// least 1.
unsigned usable_cores();

}  // namespace ogas
