// Heads made ready and stored, and what attends to them.
#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/check.h"
#include "ops/cpu/attend_jobs.h"
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/rotate_for_cache.h"

namespace ogas {
namespace {

// From query and gate of each head to all queries, then apart from them all gates.
void split_gates(const HeadsOfRows& heads, size_t t) {
  const size_t n = heads.dim;
  float *q = heads.x.row(t), *gate = heads.gates->row(t);
  for (size_t h = 0; h < heads.n_heads; ++h) std::memcpy(gate + h * n, q + (2 * h + 1) * n, n * sizeof(float));
  for (size_t h = 1; h < heads.n_heads; ++h) std::memcpy(q + h * n, q + 2 * h * n, n * sizeof(float));
}

// y = (x - mean) / sqrt(variance + eps) * weight + bias, in place.
void layer_norm(float* x, const HeadNorm& norm) {
  const size_t n_values = norm.weight.size();
  const auto n = static_cast<float>(n_values);
  const float mean = std::accumulate(x, x + n_values, 0.0F) / n;
  float squares = 0;
  for (size_t i = 0; i < n_values; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const float scale = 1 / std::sqrt(squares / n + norm.eps);
  for (size_t i = 0; i < n_values; ++i) x[i] = (x[i] - mean) * scale * norm.weight[i] + norm.bias[i];
}

void norm_head(const CpuKernels& kernels, const HeadNorm& norm, float* x) {
  if (norm.bias.empty())
    kernels.rms_norm(x, norm.weight.data(), norm.eps, norm.weight.size(), x);
  else
    layer_norm(x, norm);
}

void make_ready(const CpuKernels& kernels, const HeadsOfRows& heads, const RopeAngles& angles, Format format,
                size_t t) {
  if (heads.gates) split_gates(heads, t);
  float* const x = heads.x.row(t) + heads.first_col;
  if (!heads.bias.empty()) kernels.add(x, heads.bias.data(), heads.bias.size());
  if (!heads.norm.weight.empty())
    for (size_t h = 0; h < heads.n_heads; ++h) norm_head(kernels, heads.norm, x + h * heads.stride);
  if (heads.rope) heads.rope->rotate(kernels, x, heads.n_heads, heads.stride, angles.row(*heads.rope, t), heads.style);
  if (!heads.is_for_cache) return;
  for (size_t h = 0; h < heads.n_heads; ++h) rotate_for_cache(kernels, format, x + h * heads.stride, heads.dim, 1);
}

void store_row(const CpuKernels& kernels, const StoredRows& stored, size_t t) {
  const KvStreamView& stream = stored.stream;
  const KvRun& run = stored.rows.run_of(t);
  const size_t position = stored.rows.position(t);
  for (size_t h = 0; h < stream.n_heads; ++h) {
    if (stored.keys)
      kernels.store(stored.keys->row(t) + h * stream.k_dim, stream.k_dim, stream.format,
                    stream.k(run.pages, h, position));
    if (stored.values)
      kernels.store(stored.values->row(t) + h * stream.v_dim, stream.v_dim, stream.format,
                    stream.v(run.pages, h, position));
  }
}

void check_heads(const HeadsOfRows& heads) {
  const size_t n = heads.n_heads * heads.dim;
  OGAS_CHECK(heads.n_heads > 0 && heads.dim <= heads.stride &&
                 heads.first_col + (heads.n_heads - 1) * heads.stride + heads.dim <= heads.x.n_cols(),
             "{} heads of {}, {} apart from column {} on, of {}", heads.n_heads, heads.dim, heads.stride,
             heads.first_col, heads.x.n_cols());
  OGAS_CHECK(heads.bias.empty() || (heads.bias.size() == n && heads.stride == heads.dim), "a bias of {} for {} values",
             heads.bias.size(), n);
  const size_t n_norm = heads.norm.weight.size(), n_norm_bias = heads.norm.bias.size();
  OGAS_CHECK((n_norm == 0 || n_norm == heads.dim) && (n_norm_bias == 0 || n_norm_bias == n_norm),
             "a norm of {} and {} for heads of {}", n_norm, n_norm_bias, heads.dim);
  OGAS_CHECK(!heads.rope || heads.rope->n_rot() <= heads.dim, "{} of {} dimensions are rotated", heads.rope->n_rot(),
             heads.dim);
  OGAS_CHECK(!heads.gates || (heads.gates->n_cols() == n && heads.x.n_cols() == 2 * n && heads.first_col == 0 &&
                              heads.stride == heads.dim),
             "gates of {} in {} columns, for {}", heads.gates->n_cols(), heads.x.n_cols(), n);
}

// All rows by at most max(kind) of one run, the last ones of each run first.
std::span<const RowRange> cut_rows(const KvRows& rows, FunctionRef<size_t(RowKind)> max, ScratchArena& arena) {
  const auto n_cuts = [&](const KvRun& run) { return (run.n_rows + max(run.kind) - 1) / max(run.kind); };
  size_t n_all = 0;
  for (const KvRun& run : rows.runs) n_all += n_cuts(run);
  const std::span<RowRange> cuts = arena.take<RowRange>(n_all);
  size_t n_made = 0;
  for (const KvRun& run : rows.runs) {
    const size_t n = max(run.kind);
    for (size_t idx = n_cuts(run); idx-- > 0;)
      cuts[n_made++] = {run.first_row + idx * n, std::min(n, run.n_rows - idx * n)};
  }
  return cuts;
}

// Some of the query heads that share a head of keys and values.
struct HeadGroup {
  size_t head_kv_idx, first, n;
};

// Rows of one run.
AttendJob job_of(const AttendInput& a, const Matrix& attended, RowRange rows, HeadGroup heads, bool by_tiles) {
  const KvStreamView& stream = a.stream;
  const size_t t = rows.first_row, first = heads.head_kv_idx * (a.n_head / stream.n_heads) + heads.first;
  const size_t head_offset = heads.head_kv_idx * stream.head_bytes;
  return {.args = {.q = a.q.row(t) + first * stream.k_dim,
                   .q_stride = a.q.n_cols(),
                   .n_tokens = rows.n_rows,
                   .n_heads = heads.n,
                   .position = a.rows.position(t),
                   .window = a.window,
                   .k_dim = stream.k_dim,
                   .v_dim = stream.v_dim,
                   .k_stride = stream.k_bytes,
                   .v_stride = stream.v_bytes,
                   .pages = a.rows.run_of(t).pages,
                   .page_size = stream.page_size,
                   .k_offset = stream.k_offset + head_offset,
                   .v_offset = stream.v_offset + head_offset,
                   .kv_format = stream.format,
                   .scale = a.scale,
                   .soft_cap = a.soft_cap,
                   .by_tiles = by_tiles},
          .sinks = a.sinks.empty() ? nullptr : a.sinks.data() + first,
          .out = attended.row(t) + first * stream.v_dim,
          .out_stride = attended.n_cols()};
}

}  // namespace

void CpuDevice::rope_and_store(std::initializer_list<HeadsOfRows> heads, const StoredRows& stored) {
  const KvStreamView& stream = stored.stream;
  for (const HeadsOfRows& some : heads) check_heads(some);
  OGAS_CHECK((!stored.keys || stored.keys->n_cols() == stream.n_heads * stream.k_dim) &&
                 (!stored.values || stored.values->n_cols() == stream.n_heads * stream.v_dim),
             "a stream of {} heads of {} and {}", stream.n_heads, stream.k_dim, stream.v_dim);
  pool_.parallel_for(stored.rows.size(), [&](size_t t, unsigned) {
    for (const HeadsOfRows& some : heads) make_ready(kernels_, some, stored.angles, stream.format, t);
    store_row(kernels_, stored, t);
  });
}

// As many tokens of a run together as rows of their heads fill a job, or where a head of keys and values serves more
// query heads than that, some of these. Longest rows first, so that the last jobs to be handed out are the short ones.
void CpuDevice::attend(const AttendInput& a, const Activations& y) {
  const KvStreamView& stream = a.stream;
  const size_t n = a.rows.size();
  OGAS_CHECK(a.n_head % stream.n_heads == 0 && a.q.n_cols() >= a.n_head * stream.k_dim &&
                 y.n_cols() == a.n_head * stream.v_dim,
             "{} heads in {} columns, to {}, of a stream of {} heads of {} and {}", a.n_head, a.q.n_cols(), y.n_cols(),
             stream.n_heads, stream.k_dim, stream.v_dim);
  const size_t group = a.n_head / stream.n_heads;
  const size_t n_heads = std::min(group, kAttendRows), n_head_jobs = (group + n_heads - 1) / n_heads;
  const size_t jobs_a_cut = stream.n_heads * n_head_jobs;
  const auto by_tiles = [&](RowKind kind) { return attends_by_tiles(kernels_, kind, stream.k_dim, stream.v_dim); };
  const Matrix& attended = y.write(0, n);
  const ScratchArena::Frame frame(scratch_.shared());
  const std::span<const RowRange> cuts = cut_rows(
      a.rows, [&](RowKind kind) { return max_attend_rows(kernels_, by_tiles(kind)) / n_heads; }, scratch_.shared());
  run_attend_jobs(pool_, kernels_, scratch_, cuts.size() * jobs_a_cut, [&](size_t job_idx) {
    const RowRange cut = cuts[job_idx / jobs_a_cut];
    const size_t first = job_idx % n_head_jobs * n_heads;
    return job_of(a, attended, cut, {job_idx / n_head_jobs % stream.n_heads, first, std::min(n_heads, group - first)},
                  by_tiles(a.rows.kinds[cut.first_row]));
  });
  pool_.parallel_for(n, [&](size_t t, unsigned) {
    rotate_for_cache(kernels_, stream.format, attended.row(t), stream.v_dim, a.n_head);
    if (a.gates) kernels_.sigmoid_gate(attended.row(t), a.gates->row(t), y.n_cols());
    y.quantize_row(kernels_, t, a.rows.kinds[t]);
  });
}

ScratchBytes attend_scratch_bytes(const PassLimits& limits, const AttendSizes& sizes) {
  return ScratchBytes{.shared = ScratchArena::bytes_for<RowRange>(limits.n_batch)} +
         attend_jobs_scratch_bytes(limits, {.k_dim = sizes.k_dim,
                                            .v_dim = sizes.v_dim,
                                            .kv_format = limits.kv_format,
                                            .n_positions = limits.n_ctx,
                                            .n_rows = limits.n_batch * sizes.n_head});
}

}  // namespace ogas
