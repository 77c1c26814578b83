#include "nn/delta_net.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace ogas {
namespace {

// x / sqrt(sum(x^2) + eps) of queries and keys; the same in all that was published.
constexpr float kUnitEps = 1e-6F;

float softplus(float x) { return x > 20 ? x : std::log1p(std::exp(x)); }  // beyond 20 they agree in F32

}  // namespace

DeltaNetWorkspace::DeltaNetWorkspace(const DeltaNetDims& d, size_t n_batch)
    : mixed(n_batch, d.n_qkv() + d.n_v()),
      qkv(n_batch, d.n_qkv()),
      convolved(n_batch, d.n_qkv()),
      z(n_batch, d.n_v()),
      beta_alpha(n_batch, 2 * uint64_t{d.n_head_v}),
      beta(n_batch, d.n_head_v),
      alpha(n_batch, d.n_head_v),
      attended(n_batch, d.n_v()) {}

uint64_t DeltaNetWorkspace::bytes_per_token(const DeltaNetDims& d) {
  return (3 * d.n_qkv() + 2 * d.n_v() + 4 * uint64_t{d.n_head_v}) * sizeof(float) + Activations::bytes_for(d.n_v());
}

void DeltaNet::add_to(TensorTable& table, const DeltaNetDims& d, float eps) {
  dims = d;
  norm_eps = eps;
  add_projections(table);
  table.linear({"ssm_out.weight", "linear_attn.out_proj.weight"}, ssm_out, d.n_embd, d.n_v());
  table.copy({"ssm_conv1d.weight", "linear_attn.conv1d.weight"}, ssm_conv, d.n_qkv(), d.n_taps);
  table.vector({"ssm_a", "linear_attn.A_log"}, ssm_a, d.n_head_v);
  table.vector({"ssm_dt.bias", "linear_attn.dt_bias"}, ssm_dt, d.n_head_v);
  table.vector({"ssm_norm.weight", "linear_attn.norm.weight"}, ssm_norm, d.v_dim);
}

// Qwen3-Next's order of rows on the hub, which its early GGUF files keep, too; else each sorted on its own.
void DeltaNet::add_projections(TensorTable& table) {
  const DeltaNetDims& d = dims;
  const TensorName qkv = {"attn_qkv.weight", "linear_attn.in_proj_qkv.weight"};
  if (table.has(qkv)) {
    table.linear(qkv, attn_qkv, d.n_qkv(), d.n_embd);
    table.linear({"attn_gate.weight", "linear_attn.in_proj_z.weight"}, attn_gate, d.n_v(), d.n_embd);
  } else {
    table.linear({"ssm_in.weight", "linear_attn.in_proj_qkvz.weight"}, ssm_in, d.n_qkv() + d.n_v(), d.n_embd);
  }
  const TensorName beta = {"ssm_beta.weight", "linear_attn.in_proj_b.weight"};
  if (table.has(beta)) {
    table.linear(beta, ssm_beta, d.n_head_v, d.n_embd);
    table.linear({"ssm_alpha.weight", "linear_attn.in_proj_a.weight"}, ssm_alpha, d.n_head_v, d.n_embd);
  } else {
    table.linear({"ssm_ba.weight", "linear_attn.in_proj_ba.weight"}, ssm_ba, 2 * uint64_t{d.n_head_v}, d.n_embd);
  }
}

void DeltaNet::finish(bool is_hf) {
  std::vector<float> by_tap(ssm_conv.size());
  const size_t n = dims.n_qkv();
  for (size_t i = 0; i < n; ++i)
    for (size_t tap = 0; tap < dims.n_taps; ++tap) by_tap[tap * n + i] = ssm_conv[i * dims.n_taps + tap];
  ssm_conv = std::move(by_tap);
  if (is_hf)
    for (float& a : ssm_a) a = -std::exp(a);
  // x / sqrt(sum + eps) = RMSNorm(x) with eps / k_dim for its eps and 1 / sqrt(k_dim) for each weight. Queries are
  // scaled by another 1 / sqrt(k_dim).
  const float root = 1 / std::sqrt(static_cast<float>(dims.k_dim));
  unit_.assign(dims.k_dim, root);
  query_unit_.assign(dims.k_dim, root * root);
}

// Queries, keys and values of all tokens, in that order, the gates z, betas and alphas.
void DeltaNet::project(Exec& exec, const DeltaNetCall& call, const DeltaNetWorkspace& s) const {
  const size_t n = call.rows.size();
  if (ssm_in.n_out() > 0)
    multiply(exec, call.x, n, {{ssm_in, s.mixed}, {ssm_ba, s.beta_alpha}});
  else if (ssm_ba.n_out() > 0)
    multiply(exec, call.x, n, {{attn_qkv, s.qkv}, {attn_gate, s.z}, {ssm_ba, s.beta_alpha}});
  else
    multiply(exec, call.x, n, {{attn_qkv, s.qkv}, {attn_gate, s.z}, {ssm_beta, s.beta}, {ssm_alpha, s.alpha}});
  if (ssm_in.n_out() > 0) exec.pool.parallel_for(n, [&](size_t t, unsigned) { split_mixed(s, t); });
}

// One token: queries, keys, values and gates of each head of keys to all queries, all keys, all values, all gates.
void DeltaNet::split_mixed(const DeltaNetWorkspace& s, size_t t) const {
  const size_t n_values = size_t{dims.n_head_v} / dims.n_head_k * dims.v_dim;  // that share a head of keys
  const float* from = s.mixed.row(t);
  const auto take = [&](float* to, size_t n) {
    std::memcpy(to, from, n * sizeof(float));
    from += n;
  };
  for (size_t h = 0; h < dims.n_head_k; ++h) {
    take(s.qkv.row(t) + h * dims.k_dim, dims.k_dim);
    take(s.qkv.row(t) + dims.n_k() + h * dims.k_dim, dims.k_dim);
    take(s.qkv.row(t) + 2 * dims.n_k() + h * n_values, n_values);
    take(s.z.row(t) + h * n_values, n_values);
  }
}

// The same for betas and alphas.
void DeltaNet::split_beta_alpha(const DeltaNetWorkspace& s, size_t t) const {
  const size_t group = dims.n_head_v / dims.n_head_k;
  const float* from = s.beta_alpha.row(t);
  for (size_t h = 0; h < dims.n_head_v; h += group, from += 2 * group) {
    std::memcpy(s.beta.row(t) + h, from, group * sizeof(float));
    std::memcpy(s.alpha.row(t) + h, from + group, group * sizeof(float));
  }
}

// One token: the convolution over it and those before, and norms of its queries and keys.
void DeltaNet::convolve(const CpuKernels& kernels, ScratchArena& own, const DeltaNetCall& call,
                        const DeltaNetWorkspace& s, size_t t) const {
  const size_t n_past = dims.n_taps - 1, n = dims.n_qkv();
  const SequenceRows& run = call.rows.run_of(t);
  const float* past = run.kv->state(state).data();
  const ScratchArena::Frame frame(own);
  const std::span<const float*> rows = own.take<const float*>(dims.n_taps);
  const size_t in_run = t - run.first_row;
  for (size_t tap = 0; tap < dims.n_taps; ++tap)
    rows[tap] = in_run + tap < n_past ? past + (in_run + tap) * n : s.qkv.row(t + tap - n_past);
  float* y = s.convolved.row(t);
  kernels.short_conv({.x = rows.data(), .weight = ssm_conv.data(), .n_taps = dims.n_taps, .n = n, .y = y});
  const float eps = kUnitEps / static_cast<float>(dims.k_dim);
  for (size_t h = 0; h < 2 * size_t{dims.n_head_k}; ++h) {
    const auto& weight = h < dims.n_head_k ? query_unit_ : unit_;
    kernels.rms_norm(y + h * dims.k_dim, weight.data(), eps, dims.k_dim, y + h * dims.k_dim);
  }
}

// The last n_taps - 1 inputs of the convolution go into the state.
void DeltaNet::remember_inputs(const DeltaNetWorkspace& s, const SequenceRows& run) const {
  const size_t n_past = dims.n_taps - 1, n = dims.n_qkv();
  float* past = run.kv->state(state).data();
  const size_t n_kept = n_past - std::min(n_past, run.n_rows);
  std::memmove(past, past + (n_past - n_kept) * n, n_kept * n * sizeof(float));
  for (size_t i = n_kept; i < n_past; ++i)
    std::memcpy(past + i * n, s.qkv.row(run.end_row() - n_past + i), n * sizeof(float));
}

// One head of values: a run's positions in order, each with the gated norm of its outputs.
void DeltaNet::run_head(const CpuKernels& kernels, const DeltaNetWorkspace& s, const Matrix& attended,
                        const SequenceRows& run, size_t h) const {
  const size_t key_head = dims.key_head_of(static_cast<uint32_t>(h));
  float* matrix = run.kv->state(state).data() + dims.n_past() + h * dims.v_dim * dims.k_dim;
  for (size_t t = run.first_row; t < run.end_row(); ++t) {
    const float* row = s.convolved.row(t);
    float* out = attended.row(t) + h * dims.v_dim;
    kernels.delta_rule({.state = matrix,
                        .q = row + key_head * dims.k_dim,
                        .k = row + dims.n_k() + key_head * dims.k_dim,
                        .v = row + 2 * dims.n_k() + h * dims.v_dim,
                        .k_dim = dims.k_dim,
                        .v_dim = dims.v_dim,
                        .decay = std::exp(ssm_a[h] * softplus(s.alpha.row(t)[h] + ssm_dt[h])),
                        .beta = 1 / (1 + std::exp(-s.beta.row(t)[h])),
                        .out = out});
    float* z = s.z.row(t) + h * dims.v_dim;
    kernels.rms_norm(out, ssm_norm.data(), norm_eps, dims.v_dim, out);
    kernels.swiglu(z, out, dims.v_dim);
    std::memcpy(out, z, dims.v_dim * sizeof(float));
  }
}

void DeltaNet::forward(Exec& exec, const DeltaNetCall& call, const DeltaNetWorkspace& s) const {
  const size_t n = call.rows.size();
  const std::span<const SequenceRows> runs = call.rows.runs();
  for (const SequenceRows& run : runs)
    OGAS_CHECK(run.kv->n_positions() == run.end_position(), "positions {} to {} of {}: a state only goes forward",
               run.position, run.end_position(), run.kv->n_positions());
  const uint64_t n_values = call.rows.kv_layout().state_values(state);
  OGAS_CHECK(n_values == dims.n_state(), "a state of {} numbers, {} needed", n_values, dims.n_state());
  project(exec, call, s);
  exec.pool.parallel_for(n, [&](size_t t, unsigned thread_idx) {
    if (ssm_ba.n_out() > 0) split_beta_alpha(s, t);
    convolve(exec.kernels, exec.scratch.of_thread(thread_idx), call, s, t);
  });
  for (const SequenceRows& run : runs) remember_inputs(s, run);
  const Matrix& attended = s.attended.write(0, n);
  exec.pool.parallel_for(runs.size() * dims.n_head_v, [&](size_t idx, unsigned) {
    run_head(exec.kernels, s, attended, runs[idx / dims.n_head_v], idx % dims.n_head_v);
  });
  exec.pool.parallel_for(n,
                         [&](size_t t, unsigned) { s.attended.quantize_row(exec.kernels, t, call.rows.kinds()[t]); });
  multiply(exec, s.attended, n, {{ssm_out, call.y}});
}

}  // namespace ogas
