// Attention cut into parts: by query rows, and by positions, so that a long context can be split over threads.
//
// The cuts are always at the same positions, and parts are always merged in the same order. So the result depends
// neither on the number of threads nor on how many tokens are computed together.
#pragma once

#include <cstddef>

#include "base/function_ref.h"
#include "base/thread_pool.h"
#include "kernels/cpu_kernels.h"
#include "ops/row_kind.h"
#include "ops/scratch.h"

namespace ogas {

// Positions of a part.
inline constexpr size_t kAttendPart = 1024;

// Whether rows of this kind are computed by tiles (AttendArgs::by_tiles), and how many a job may have.
bool attends_by_tiles(const CpuKernels& kernels, RowKind kind, size_t k_dim, size_t v_dim);
inline size_t max_attend_rows(const CpuKernels& kernels, bool by_tiles) {
  return by_tiles ? kernels.attend_tile_rows : kAttendRows;
}

// Rows of queries that share keys and values. args: all but p_begin, p_end, sums, parts and scratch.
struct AttendJob {
  AttendArgs args;
  const float* sinks;  // as in MergeArgs
  float* out;
  size_t out_stride;
};

// On the calling thread, whose arena it is.
void run_attend_job(const CpuKernels& kernels, ScratchArena& own, const AttendJob& job);
// All jobs on all threads; those with long contexts by parts where there are fewer jobs than would keep the threads
// busy.
void run_attend_jobs(ThreadPool& pool, const CpuKernels& kernels, Scratch& scratch, size_t n_jobs,
                     FunctionRef<AttendJob(size_t job_idx)> job_at);

// What is attended to at most: positions, and rows (a query head of a token each) that all threads share; 0 where each
// job is one thread's.
struct AttendLimits {
  size_t k_dim, v_dim;
  Format kv_format;
  size_t n_positions, n_rows;
};
ScratchBytes attend_jobs_scratch_bytes(const PassLimits& limits, const AttendLimits& attend_limits);

}  // namespace ogas
