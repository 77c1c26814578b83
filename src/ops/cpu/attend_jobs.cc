#include "ops/cpu/attend_jobs.h"

#include <algorithm>

namespace ogas {
namespace {

size_t n_rows(const AttendArgs& args) { return args.n_tokens * args.n_heads; }

// The first and last positions that any of the tokens sees, by parts.
struct PartRange {
  size_t first, end;
  size_t size() const { return end - first; }
};
PartRange parts_of(const AttendArgs& args) {
  return {args.first_seen(0) / kAttendPart, (args.end_seen(args.n_tokens - 1) - 1) / kAttendPart + 1};
}

// Sums of one job, part by part.
struct Partial {
  float* sums;
  SoftmaxPart* parts;
};

Partial take_partial(ScratchArena& arena, const AttendArgs& args) {
  const size_t n = parts_of(args).size() * n_rows(args);
  return {arena.take<float>(n * args.v_dim).data(), arena.take<SoftmaxPart>(n).data()};
}

// Part number `first + idx` of a job to where the idx-th lies.
void attend_part(const CpuKernels& kernels, ScratchArena& own, const AttendJob& job, PartRange range, size_t idx,
                 const Partial& partial) {
  const ScratchArena::Frame frame(own);
  AttendArgs args = job.args;
  args.scratch = own.take<float>(kernels.attend_scratch(args)).data();
  args.p_begin = (range.first + idx) * kAttendPart;
  args.p_end = std::min(args.p_begin + kAttendPart, args.end_seen(args.n_tokens - 1));
  args.sums = partial.sums + idx * n_rows(args) * args.v_dim;
  args.parts = partial.parts + idx * n_rows(args);
  kernels.attend(args);
}

void merge(const CpuKernels& kernels, const AttendJob& job, size_t n_parts, const Partial& partial) {
  kernels.merge({.sums = partial.sums,
                 .parts = partial.parts,
                 .n_parts = n_parts,
                 .n_tokens = job.args.n_tokens,
                 .n_heads = job.args.n_heads,
                 .v_dim = job.args.v_dim,
                 .sinks = job.sinks,
                 .out = job.out,
                 .out_stride = job.out_stride});
}

struct PartOfJob {
  size_t job_idx, part_idx;
};

// Jobs for each thread that make up for unequal lengths.
constexpr size_t kJobsPerThread = 4;

}  // namespace

bool attends_by_tiles(const CpuKernels& kernels, RowKind kind, size_t k_dim, size_t v_dim) {
  constexpr size_t kWhole = 16;
  return kind == RowKind::prefill && kernels.attend_tile_rows > 0 && k_dim % kWhole == 0 && v_dim % kWhole == 0;
}

void run_attend_job(const CpuKernels& kernels, ScratchArena& own, const AttendJob& job) {
  const ScratchArena::Frame frame(own);
  const PartRange range = parts_of(job.args);
  const Partial partial = take_partial(own, job.args);
  for (size_t idx = 0; idx < range.size(); ++idx) attend_part(kernels, own, job, range, idx, partial);
  merge(kernels, job, range.size(), partial);
}

void run_attend_jobs(ThreadPool& pool, const CpuKernels& kernels, Scratch& scratch, size_t n_jobs,
                     FunctionRef<AttendJob(size_t job_idx)> job_at) {
  const auto count_parts = [&] {
    size_t n = 0;
    for (size_t job_idx = 0; job_idx < n_jobs; ++job_idx) n += parts_of(job_at(job_idx).args).size();
    return n;
  };
  // Where jobs are many, as in a prefill, none is looked at twice.
  const bool has_enough_jobs = pool.size() == 1 || n_jobs >= pool.size() * kJobsPerThread;
  const size_t n_parts = has_enough_jobs ? n_jobs : count_parts();
  if (n_parts == n_jobs) {
    pool.parallel_for(n_jobs, [&](size_t job_idx, unsigned thread_idx) {
      run_attend_job(kernels, scratch.of_thread(thread_idx), job_at(job_idx));
    });
    return;
  }
  ScratchArena& shared = scratch.shared();
  const ScratchArena::Frame frame(shared);
  const std::span<Partial> partials = shared.take<Partial>(n_jobs);
  const std::span<PartOfJob> all = shared.take<PartOfJob>(n_parts);
  size_t n_listed = 0;
  for (size_t job_idx = 0; job_idx < n_jobs; ++job_idx) {
    const AttendJob job = job_at(job_idx);
    partials[job_idx] = take_partial(shared, job.args);
    for (size_t part_idx = 0; part_idx < parts_of(job.args).size(); ++part_idx) all[n_listed++] = {job_idx, part_idx};
  }
  pool.parallel_for(all.size(), [&](size_t idx, unsigned thread_idx) {
    const auto [job_idx, part_idx] = all[idx];
    const AttendJob job = job_at(job_idx);
    attend_part(kernels, scratch.of_thread(thread_idx), job, parts_of(job.args), part_idx, partials[job_idx]);
  });
  pool.parallel_for(n_jobs, [&](size_t job_idx, unsigned) {
    const AttendJob job = job_at(job_idx);
    merge(kernels, job, parts_of(job.args).size(), partials[job_idx]);
  });
}

ScratchBytes attend_jobs_scratch_bytes(const PassLimits& limits, const AttendLimits& l) {
  AttendArgs args{};
  args.n_tokens = kAttendRows;
  args.n_heads = 1;
  args.k_dim = l.k_dim;
  args.v_dim = l.v_dim;
  args.kv_format = l.kv_format;
  size_t n_floats = limits.kernels.attend_scratch(args), n_rows = kAttendRows;
  if (attends_by_tiles(limits.kernels, RowKind::prefill, l.k_dim, l.v_dim)) {
    n_rows = std::max(n_rows, limits.kernels.attend_tile_rows);
    args.n_tokens = limits.kernels.attend_tile_rows;
    args.by_tiles = true;
    n_floats = std::max(n_floats, limits.kernels.attend_scratch(args));
  }
  const size_t n_parts = (l.n_positions + kAttendPart - 1) / kAttendPart;
  const auto partials = [&](size_t n_jobs, size_t n_all_rows) {
    return n_parts * n_all_rows * (l.v_dim * sizeof(float) + sizeof(SoftmaxPart)) +
           n_jobs * 2 * ScratchArena::kAlignment;
  };
  ScratchBytes bytes = {.per_thread = partials(1, n_rows) + ScratchArena::bytes_for<float>(n_floats)};
  if (limits.n_threads == 1 || n_parts == 1 || l.n_rows == 0) return bytes;
  const size_t n_jobs = std::min(limits.n_threads * kJobsPerThread - 1, l.n_rows);
  bytes.shared = partials(n_jobs, std::min(n_jobs * n_rows, l.n_rows)) + ScratchArena::bytes_for<Partial>(n_jobs) +
                 ScratchArena::bytes_for<PartOfJob>(n_jobs * n_parts);
  return bytes;
}

}  // namespace ogas
