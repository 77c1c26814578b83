#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace ogas {
namespace {

TEST(ThreadPool, RunsEveryChunkOnce) {
  ThreadPool pool(4);
  for (size_t n_chunks : {0UL, 1UL, 2UL, 3UL, 7UL, 1000UL}) {
    std::vector<std::atomic<int>> counts(n_chunks);
    pool.parallel_for(n_chunks, [&](size_t chunk_idx, unsigned thread_idx) {
      ASSERT_LT(thread_idx, pool.size());
      counts[chunk_idx].fetch_add(1);
    });
    for (size_t idx = 0; idx < n_chunks; ++idx) EXPECT_EQ(counts[idx], 1) << "chunk " << idx << " of " << n_chunks;
  }
}

// Thousands of tiny jobs back to back: a late worker must never run a chunk of the next job with this job's function.
TEST(ThreadPool, JobsDoNotMix) {
  ThreadPool pool(3);
  for (size_t job = 0; job < 20'000; ++job) {
    std::atomic<size_t> sum = 0;
    const size_t n_chunks = 1 + job % 5;
    pool.parallel_for(n_chunks, [&, job](size_t chunk_idx, unsigned) { sum += job * 10 + chunk_idx; });
    ASSERT_EQ(sum, n_chunks * job * 10 + n_chunks * (n_chunks - 1) / 2) << "job " << job;
  }
}

TEST(ThreadPool, WakesSleepingWorkers) {
  ThreadPool pool(2);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // long past the spin
    std::atomic<unsigned> n_threads_seen = 0;
    std::atomic<unsigned> mask = 0;
    // Each chunk waits until both threads have one: only possible if the sleeper woke up.
    pool.parallel_for(2, [&](size_t, unsigned thread_idx) {
      mask |= 1U << thread_idx;
      ++n_threads_seen;
      while (n_threads_seen < 2) std::this_thread::yield();
    });
    EXPECT_EQ(mask, 3U);
  }
}

// The first chunk ends when all others have: a thread that is done with its own range helps with the other.
TEST(ThreadPool, ADelayedThreadIsHelped) {
  ThreadPool pool(2);
  for (size_t delayed : {0UL, 50UL}) {
    std::atomic<size_t> n_others = 0;
    pool.parallel_for(100, [&](size_t chunk_idx, unsigned) {
      if (chunk_idx != delayed) {
        ++n_others;
        return;
      }
      while (n_others < 99) std::this_thread::yield();
    });
    EXPECT_EQ(n_others, 99U);
  }
}

TEST(ThreadPool, AThreadStartsWithItsOwnRange) {
  ThreadPool pool(3);
  std::atomic<unsigned> n_begun = 0;
  std::vector<std::atomic<size_t>> first(pool.size());
  for (auto& chunk_idx : first) chunk_idx = SIZE_MAX;
  pool.parallel_for(11, [&](size_t chunk_idx, unsigned thread_idx) {
    size_t none = SIZE_MAX;
    if (first[thread_idx].compare_exchange_strong(none, chunk_idx)) ++n_begun;
    while (n_begun < pool.size()) std::this_thread::yield();
  });
  EXPECT_EQ(first[0], 0U);
  EXPECT_EQ(first[1], 3U);
  EXPECT_EQ(first[2], 7U);
}

TEST(UsableCores, IsAtLeastOne) { EXPECT_GE(usable_cores(), 1U); }

}  // namespace
}  // namespace ogas
