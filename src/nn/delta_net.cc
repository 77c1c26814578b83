#include "nn/delta_net.h"

#include <cmath>
#include <utility>

#include "base/check.h"

namespace ogas {
namespace {

// x / sqrt(sum(x^2) + eps) of queries and keys; the same in all that was published.
constexpr float kUnitEps = 1e-6F;

}  // namespace

std::vector<uint64_t> DeltaNetDims::value_sections(uint64_t n_of_head) const {
  if (!is_tiled) return {n_head_v * n_of_head};
  return std::vector<uint64_t>(n_head_v / n_head_k, n_head_k * n_of_head);
}

std::vector<uint64_t> DeltaNetDims::qkv_sections() const {
  std::vector<uint64_t> sections = {n_k(), n_k()};
  for (const uint64_t length : value_sections(v_dim)) sections.push_back(length);
  return sections;
}

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
  const Shard qkv_rows = Shard::rows(ShardUnit::key_head, d.n_head_k, d.qkv_sections());
  const Shard gate_rows = Shard::rows(ShardUnit::key_head, d.n_head_k, d.value_sections(1));
  add_projections(table);
  table.linear({"ssm_out.weight", "linear_attn.out_proj.weight"}, ssm_out, d.n_embd, d.n_v(),
               Shard::columns(ShardUnit::key_head, d.n_head_k, d.value_sections(d.v_dim)));
  table.copy({"ssm_conv1d.weight", "linear_attn.conv1d.weight"}, ssm_conv, d.n_qkv(), d.n_taps, qkv_rows);
  table.vector({"ssm_a", "linear_attn.A_log"}, ssm_a, d.n_head_v, gate_rows);
  table.vector({"ssm_dt.bias", "linear_attn.dt_bias"}, ssm_dt, d.n_head_v, gate_rows);
  table.vector({"ssm_norm.weight", "linear_attn.norm.weight"}, ssm_norm, d.v_dim, kReplicated);
}

// Qwen3-Next's order of rows on Hugging Face, which its early GGUF files keep, too; otherwise a tensor of each kind.
void DeltaNet::add_projections(TensorTable& table) {
  const DeltaNetDims& d = dims;
  const Shard group_rows = Shard::rows(ShardUnit::key_head, d.n_head_k);
  const Shard qkv_rows = Shard::rows(ShardUnit::key_head, d.n_head_k, d.qkv_sections());
  const Shard gate_rows = Shard::rows(ShardUnit::key_head, d.n_head_k, d.value_sections(1));
  const TensorName qkv = {"attn_qkv.weight", "linear_attn.in_proj_qkv.weight"};
  if (table.has(qkv)) {
    table.linear(qkv, attn_qkv, d.n_qkv(), d.n_embd, qkv_rows);
    table.linear({"attn_gate.weight", "linear_attn.in_proj_z.weight"}, attn_gate, d.n_v(), d.n_embd,
                 Shard::rows(ShardUnit::key_head, d.n_head_k, d.value_sections(d.v_dim)));
  } else {
    table.linear({"ssm_in.weight", "linear_attn.in_proj_qkvz.weight"}, ssm_in, d.n_qkv() + d.n_v(), d.n_embd,
                 group_rows);
  }
  const TensorName beta = {"ssm_beta.weight", "linear_attn.in_proj_b.weight"};
  if (table.has(beta)) {
    table.linear(beta, ssm_beta, d.n_head_v, d.n_embd, gate_rows);
    table.linear({"ssm_alpha.weight", "linear_attn.in_proj_a.weight"}, ssm_alpha, d.n_head_v, d.n_embd, gate_rows);
  } else {
    table.linear({"ssm_ba.weight", "linear_attn.in_proj_ba.weight"}, ssm_ba, 2 * uint64_t{d.n_head_v}, d.n_embd,
                 group_rows);
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
  const size_t n = call.rows.size(), n_k = dims.n_k(), k_dim = dims.k_dim;
  if (ssm_in.n_out() > 0)
    exec.device.multiply(call.x, n, {{ssm_in, s.mixed}, {ssm_ba, s.beta_alpha}});
  else if (ssm_ba.n_out() > 0)
    exec.device.multiply(call.x, n, {{attn_qkv, s.qkv}, {attn_gate, s.z}, {ssm_ba, s.beta_alpha}});
  else
    exec.device.multiply(call.x, n, {{attn_qkv, s.qkv}, {attn_gate, s.z}, {ssm_beta, s.beta}, {ssm_alpha, s.alpha}});
  if (ssm_in.n_out() == 0) return;
  const size_t n_values = size_t{dims.n_head_v} / dims.n_head_k * dims.v_dim;  // that share a head of keys
  exec.device.split_columns(s.mixed, dims.n_head_k,
                            {{s.qkv, 0, k_dim}, {s.qkv, n_k, k_dim}, {s.qkv, 2 * n_k, n_values}, {s.z, 0, n_values}},
                            n);
}

HeadColumns DeltaNet::gates(const DeltaNetWorkspace& s, size_t part) const {
  if (ssm_ba.n_out() == 0) return {part == 0 ? s.beta : s.alpha, 0, dims.n_head_v, dims.n_head_v};
  const size_t group = dims.n_head_v / dims.n_head_k;
  return {s.beta_alpha, part * group, group, 2 * group};
}

void DeltaNet::forward(Exec& exec, const DeltaNetCall& call, const DeltaNetWorkspace& s) const {
  const ScratchArena::Frame frame(exec.scratch.shared());
  const StateRows rows = call.rows.with_state(state, exec.scratch.shared());
  project(exec, call, s);
  const float eps = kUnitEps / static_cast<float>(dims.k_dim);
  exec.device.short_conv({.x = s.qkv,
                          .weight = ssm_conv,
                          .n_taps = dims.n_taps,
                          .rows = rows,
                          .normed = {{dims.n_head_k, dims.k_dim, 0, {.weight = query_unit_, .eps = eps}},
                                     {dims.n_head_k, dims.k_dim, dims.n_k(), {.weight = unit_, .eps = eps}}}},
                         s.convolved);
  exec.device.delta_rule({.heads = dims.heads(),
                          .qkv = s.convolved,
                          .z = s.z,
                          .alpha = gates(s, 1),
                          .beta = gates(s, 0),
                          .a = ssm_a,
                          .dt = ssm_dt,
                          .norm = {.weight = ssm_norm, .eps = norm_eps},
                          .rows = rows,
                          .state_offset = dims.n_past()},
                         s.attended);
  exec.device.multiply(s.attended, rows.size(), {{ssm_out, call.y}});
}

}  // namespace ogas
