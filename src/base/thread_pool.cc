#include "base/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <cmath>

#include "base/cgroup.h"
#include "base/check.h"
#include "base/time_slice.h"
#include "base/topology.h"

namespace ogas {
namespace {

// About 20 microseconds on current cores: longer than the serial stretches between two jobs of a forward pass, and
// shorter than what a scheduler would call hogging a core.
constexpr int kSpins = 1000;

void pause_briefly() {
#if defined(__x86_64__)
  asm volatile("pause");
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

template <class Condition>
bool spin_until(Condition condition) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (condition()) return true;
    pause_briefly();
  }
  return condition();
}

}  // namespace

unsigned usable_cores() {
  unsigned n = read_topology().n_cores;
  if (const auto quota = cgroup_cpu_quota()) n = std::min(n, static_cast<unsigned>(std::ceil(*quota)));
  return std::max(1U, n);
}

ThreadPool::ThreadPool(unsigned n_threads) {
  if (n_threads == 0) n_threads = usable_cores();
  ranges_ = std::make_unique<Range[]>(n_threads);
  for (unsigned thread_idx = 1; thread_idx < n_threads; ++thread_idx)
    workers_.emplace_back([this, thread_idx] { worker(thread_idx); });
}

ThreadPool::~ThreadPool() {
  stopping_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(size_t n_chunks, Call call, void* context) {
  if (n_chunks == 0) return;
  OGAS_CHECK(n_chunks <= UINT32_MAX, "{} chunks", n_chunks);
  if (workers_.empty() || n_chunks == 1) {
    for (size_t chunk_idx = 0; chunk_idx < n_chunks; ++chunk_idx) call(context, chunk_idx, 0);
    return;
  }
  const uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  n_done_.store(0, std::memory_order_relaxed);
  for (unsigned idx = size(); idx-- > 0;) {  // others first: they are already waiting
    Range& range = ranges_[idx];
    // The last job's ticket is invalidated first: a worker still looking at it must not match it with the new end.
    range.ticket.store(kNoTicket, std::memory_order_relaxed);
    range.end.store(static_cast<uint32_t>(n_chunks * (idx + 1) / size()), std::memory_order_release);
    range.n_chunks = static_cast<uint32_t>(n_chunks);
    range.call = call;
    range.context = context;
    range.ticket.store(uint64_t{epoch} << 32 | n_chunks * idx / size(), std::memory_order_release);
  }
  epoch_.store(epoch);  // sequentially consistent, as is n_sleeping_: either we see the sleeper or it sees the epoch
  if (n_sleeping_.load() > 0) epoch_.notify_all();

  work_on(epoch, 0);
  const auto all_done = [&] { return n_done_.load(std::memory_order_acquire) == n_chunks; };
  if (spin_until(all_done)) return;
  for (uint32_t n_done = n_done_.load(std::memory_order_acquire); n_done != n_chunks;
       n_done = n_done_.load(std::memory_order_acquire))
    n_done_.wait(n_done, std::memory_order_acquire);
}

void ThreadPool::work_on(uint32_t epoch, unsigned thread_idx) {
  uint32_t n_done = 0, n_chunks = 0;
  for (unsigned k = 0; k < size(); ++k) {
    Range& range = ranges_[(thread_idx + k) % size()];
    uint64_t ticket = range.ticket.load(std::memory_order_acquire);
    while (true) {
      const auto chunk_idx = static_cast<uint32_t>(ticket);
      if (ticket >> 32 != epoch || chunk_idx >= range.end.load(std::memory_order_acquire)) break;
      if (!range.ticket.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
      n_chunks = range.n_chunks;  // it stays, as do the others, until this one is counted
      range.call(range.context, chunk_idx, thread_idx);
      ++n_done;
      ticket = range.ticket.load(std::memory_order_acquire);
    }
  }
  // The thread that counts the last chunk wakes the submitter, which may be asleep on the count.
  if (n_done > 0 && n_done_.fetch_add(n_done, std::memory_order_acq_rel) + n_done == n_chunks) n_done_.notify_one();
}

void ThreadPool::worker(unsigned thread_idx) {
  ::pthread_setname_np(::pthread_self(), "ogas-worker");
  request_short_time_slices();
  const std::atomic<uint64_t>& ticket = ranges_[thread_idx].ticket;
  uint32_t seen = 0;
  while (true) {
    uint64_t next = kNoTicket;
    const auto has_new_job = [&] {
      next = ticket.load(std::memory_order_acquire);
      return next != kNoTicket && next >> 32 != seen;
    };
    if (spin_until(has_new_job)) {
      seen = static_cast<uint32_t>(next >> 32);
    } else {
      n_sleeping_.fetch_add(1);
      epoch_.wait(seen);
      n_sleeping_.fetch_sub(1);
      seen = epoch_.load(std::memory_order_acquire);
      if (stopping_.load()) return;
    }
    work_on(seen, thread_idx);
  }
}

}  // namespace ogas
