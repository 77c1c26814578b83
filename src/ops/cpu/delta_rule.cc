// Gated DeltaNet: positions run one after the other and heads in parallel, so that the bits depend neither on the batch
// nor on threads; the chunked form of the paper (3.3) sums in another order and is not here.
#include "ops/delta_rule.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "ops/cpu/cpu_device.h"

namespace ogas {
namespace {

float softplus(float x) { return x > 20 ? x : std::log1p(std::exp(x)); }  // beyond 20 they agree in F32

// One row: the convolution over it and those before, and norms of its heads.
void convolve_row(const CpuKernels& kernels, ScratchArena& own, const ShortConvInput& a, const Matrix& y, size_t t) {
  const size_t n_past = a.n_taps - 1, n = a.x.n_cols();
  const StateRun& run = a.rows.runs[a.rows.run_of_row[t]];
  const float* past = run.state.data();
  const ScratchArena::Frame frame(own);
  const std::span<const float*> rows = own.take<const float*>(a.n_taps);
  const size_t in_run = t - run.first_row;
  for (size_t tap = 0; tap < a.n_taps; ++tap)
    rows[tap] = in_run + tap < n_past ? past + (in_run + tap) * n : a.x.row(t + tap - n_past);
  kernels.short_conv({.x = rows.data(), .weight = a.weight.data(), .n_taps = a.n_taps, .n = n, .y = y.row(t)});
  for (const auto& [n_heads, dim, first_col, norm] : a.normed) {
    float* x = y.row(t) + first_col;
    for (size_t h = 0; h < n_heads; ++h, x += dim) kernels.rms_norm(x, norm.weight.data(), norm.eps, dim, x);
  }
}

// The last n_taps - 1 inputs of the convolution before end_row, some of which may be in the run's state.
void copy_inputs(const ShortConvInput& a, const StateRun& run, size_t end_row, float* to) {
  const size_t n_past = a.n_taps - 1, n = a.x.n_cols();
  const size_t n_kept = n_past - std::min(n_past, end_row - run.first_row);
  std::memmove(to, run.state.data() + (n_past - n_kept) * n, n_kept * n * sizeof(float));
  for (size_t i = n_kept; i < n_past; ++i) std::memcpy(to + i * n, a.x.row(end_row - n_past + i), n * sizeof(float));
}

void remember_inputs(const ShortConvInput& a, const StateRun& run) {
  if (!run.snapshot.empty()) copy_inputs(a, run, run.snapshot_row, run.snapshot.data());
  copy_inputs(a, run, run.end_row(), run.state.data());
}

// One head of values: a run's positions in order, each with the gated norm of its outputs.
void run_head(const CpuKernels& kernels, const DeltaRuleInput& a, const Matrix& y, const StateRun& run, size_t h) {
  const DeltaHeads& heads = a.heads;
  const size_t key_head = heads.key_head_of(h);
  const size_t n_matrix = heads.v_dim * heads.k_dim, offset = a.state_offset + h * n_matrix;
  float* matrix = run.state.data() + offset;
  for (size_t t = run.first_row; t < run.end_row(); ++t) {
    if (!run.snapshot.empty() && t == run.snapshot_row)
      std::memcpy(run.snapshot.data() + offset, matrix, n_matrix * sizeof(float));
    const float* row = a.qkv.row(t);
    float* out = y.row(t) + h * heads.v_dim;
    kernels.delta_rule({.state = matrix,
                        .q = row + key_head * heads.k_dim,
                        .k = row + heads.n_k() + key_head * heads.k_dim,
                        .v = row + 2 * heads.n_k() + h * heads.v_dim,
                        .k_dim = heads.k_dim,
                        .v_dim = heads.v_dim,
                        .decay = std::exp(a.a[h] * softplus(a.alpha.at(t, h) + a.dt[h])),
                        .beta = 1 / (1 + std::exp(-a.beta.at(t, h))),
                        .out = out});
    float* z = a.z.row(t) + h * heads.v_dim;
    kernels.rms_norm(out, a.norm.weight.data(), a.norm.eps, heads.v_dim, out);
    kernels.swiglu(z, out, heads.v_dim);
    std::memcpy(out, z, heads.v_dim * sizeof(float));
  }
}

}  // namespace

void CpuDevice::split_columns(const Matrix& x, size_t n_groups, std::initializer_list<ColumnPart> parts,
                              size_t n_rows) {
  size_t n_group = 0;
  for (const ColumnPart& part : parts) {
    n_group += part.n;
    OGAS_CHECK(part.first_col + n_groups * part.n <= part.y.n_cols(), "{} columns from {} on, of {}", n_groups * part.n,
               part.first_col, part.y.n_cols());
  }
  OGAS_CHECK(n_groups * n_group == x.n_cols(), "{} groups of {} columns, of {}", n_groups, n_group, x.n_cols());
  pool_.parallel_for(n_rows, [&](size_t t, unsigned) {
    const float* from = x.row(t);
    for (size_t group = 0; group < n_groups; ++group)
      for (const auto& [y, first_col, n] : parts) {
        std::memcpy(y.row(t) + first_col + group * n, from, n * sizeof(float));
        from += n;
      }
  });
}

void CpuDevice::short_conv(const ShortConvInput& input, const Matrix& y) {
  const size_t n = input.x.n_cols();
  OGAS_CHECK(input.n_taps > 0 && input.weight.size() == input.n_taps * n && y.n_cols() == n,
             "{} weights of {} taps, from {} columns to {}", input.weight.size(), input.n_taps, n, y.n_cols());
  for (const NormedHeads& heads : input.normed)
    OGAS_CHECK(heads.norm.weight.size() == heads.dim && heads.norm.bias.empty() &&
                   heads.first_col + heads.n_heads * heads.dim <= n,
               "{} heads of {} with {} weights", heads.n_heads, heads.dim, heads.norm.weight.size());
  pool_.parallel_for(input.rows.size(), [&](size_t t, unsigned thread_idx) {
    convolve_row(kernels_, scratch_.of_thread(thread_idx), input, y, t);
  });
  for (const StateRun& run : input.rows.runs) remember_inputs(input, run);
}

void CpuDevice::delta_rule(const DeltaRuleInput& input, const Activations& y) {
  const DeltaHeads& heads = input.heads;
  const size_t n_v = heads.n_v(), n_rows = input.rows.size();
  OGAS_CHECK(input.qkv.n_cols() == 2 * heads.n_k() + n_v && input.z.n_cols() == n_v && y.n_cols() == n_v,
             "{} columns with {} gates, to {}, of {} and {} heads", input.qkv.n_cols(), input.z.n_cols(), y.n_cols(),
             heads.n_head_k, heads.n_head_v);
  OGAS_CHECK(
      input.a.size() == heads.n_head_v && input.dt.size() == heads.n_head_v && input.norm.weight.size() == heads.v_dim,
      "{}, {} and {} weights", input.a.size(), input.dt.size(), input.norm.weight.size());
  for (const StateRun& run : input.rows.runs)
    OGAS_CHECK(run.state.size() == input.state_offset + n_v * heads.k_dim, "a state of {} numbers, {} needed",
               run.state.size(), input.state_offset + n_v * heads.k_dim);
  for (const StateRun& run : input.rows.runs)
    OGAS_CHECK(run.snapshot.empty() || (run.snapshot.size() == run.state.size() && run.snapshot_row > run.first_row &&
                                        run.snapshot_row < run.end_row()),
               "a snapshot of {} numbers before row {}, of rows {} to {}", run.snapshot.size(), run.snapshot_row,
               run.first_row, run.end_row());
  const Matrix& values = y.write(0, n_rows);
  pool_.parallel_for(input.rows.runs.size() * heads.n_head_v, [&](size_t idx, unsigned) {
    run_head(kernels_, input, values, input.rows.runs[idx / heads.n_head_v], idx % heads.n_head_v);
  });
  pool_.parallel_for(n_rows, [&](size_t t, unsigned) { y.quantize_row(kernels_, t, input.rows.kinds[t]); });
}

ScratchBytes short_conv_scratch_bytes(size_t n_taps) {
  return {.per_thread = ScratchArena::bytes_for<const float*>(n_taps)};
}

}  // namespace ogas
