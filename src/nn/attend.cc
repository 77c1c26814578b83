#include "nn/attend.h"

#include <algorithm>
#include <vector>

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

// Space for the parts of one job.
struct Partial {
  std::vector<float> sums;
  std::vector<SoftmaxPart> parts;

  void make_room(const AttendArgs& args, size_t n_parts) {
    if (sums.size() < n_parts * n_rows(args) * args.v_dim) sums.resize(n_parts * n_rows(args) * args.v_dim);
    if (parts.size() < n_parts * n_rows(args)) parts.resize(n_parts * n_rows(args));
  }
};

// Part number `first + idx` of a job to where the idx-th lies.
void attend_part(const Ops& ops, const AttendJob& job, PartRange range, size_t idx, Partial& partial) {
  thread_local std::vector<float> scratch;
  AttendArgs args = job.args;
  if (const size_t n = ops.attend_scratch(args); scratch.size() < n) scratch.resize(n);
  args.p_begin = (range.first + idx) * kAttendPart;
  args.p_end = std::min(args.p_begin + kAttendPart, args.end_seen(args.n_tokens - 1));
  args.sums = partial.sums.data() + idx * n_rows(args) * args.v_dim;
  args.parts = partial.parts.data() + idx * n_rows(args);
  args.scratch = scratch.data();
  ops.attend(args);
}

void merge(const Ops& ops, const AttendJob& job, size_t n_parts, const Partial& partial) {
  ops.merge({.sums = partial.sums.data(),
             .parts = partial.parts.data(),
             .n_parts = n_parts,
             .n_tokens = job.args.n_tokens,
             .n_heads = job.args.n_heads,
             .v_dim = job.args.v_dim,
             .sinks = job.sinks,
             .out = job.out,
             .out_stride = job.out_stride});
}

// Jobs for each thread that make up for unequal lengths.
constexpr size_t kJobsPerThread = 4;

}  // namespace

bool attends_by_tiles(const Ops& ops, RowKind kind, size_t k_dim, size_t v_dim) {
  constexpr size_t kWhole = 16;
  return kind == RowKind::prompt && ops.attend_tile_rows > 0 && k_dim % kWhole == 0 && v_dim % kWhole == 0;
}

void attend(const Ops& ops, const AttendJob& job) {
  thread_local Partial partial;
  const PartRange range = parts_of(job.args);
  partial.make_room(job.args, range.size());
  for (size_t idx = 0; idx < range.size(); ++idx) attend_part(ops, job, range, idx, partial);
  merge(ops, job, range.size(), partial);
}

void attend(Exec& exec, size_t n_jobs, FunctionRef<AttendJob(size_t job_idx)> job_at) {
  const auto has_parts = [&] {
    for (size_t job_idx = 0; job_idx < n_jobs; ++job_idx)
      if (parts_of(job_at(job_idx).args).size() > 1) return true;
    return false;
  };
  if (exec.pool.size() == 1 || n_jobs >= exec.pool.size() * kJobsPerThread || !has_parts()) {
    exec.pool.parallel_for(n_jobs, [&](size_t job_idx, unsigned) { attend(exec.ops, job_at(job_idx)); });
    return;
  }
  struct Cut {
    size_t job_idx, part_idx;
  };
  thread_local struct {
    std::vector<Partial> partials;
    std::vector<Cut> cuts;
  } kept;  // of this thread, whose parts others compute
  auto& partials = kept.partials;
  auto& cuts = kept.cuts;
  if (partials.size() < n_jobs) partials.resize(n_jobs);
  cuts.clear();
  for (size_t job_idx = 0; job_idx < n_jobs; ++job_idx) {
    const AttendJob job = job_at(job_idx);
    const size_t n_parts = parts_of(job.args).size();
    partials[job_idx].make_room(job.args, n_parts);
    for (size_t part_idx = 0; part_idx < n_parts; ++part_idx) cuts.push_back({job_idx, part_idx});
  }
  exec.pool.parallel_for(cuts.size(), [&](size_t cut_idx, unsigned) {
    const auto [job_idx, part_idx] = cuts[cut_idx];
    const AttendJob job = job_at(job_idx);
    attend_part(exec.ops, job, parts_of(job.args), part_idx, partials[job_idx]);
  });
  exec.pool.parallel_for(n_jobs, [&](size_t job_idx, unsigned) {
    const AttendJob job = job_at(job_idx);
    merge(exec.ops, job, parts_of(job.args).size(), partials[job_idx]);
  });
}

}  // namespace ogas
