#include "nn/attention.h"

#include <cmath>

#include "base/check.h"

namespace ogas {

ScratchBytes AttentionWorkspace::scratch_bytes(const AttentionDims& d, const PassLimits& limits) {
  return ScratchBytes{.shared = ScratchArena::bytes_for<KvRun>(limits.n_batch)} +
         attend_scratch_bytes(limits, {.n_head = d.n_head, .k_dim = d.head_dim, .v_dim = d.head_dim});
}

void Attention::add_to(TensorTable& table, const AttentionDims& d) {
  dims = d;
  const Shard by_head = Shard::rows(ShardUnit::head, d.n_head),
              by_kv_head = Shard::rows(ShardUnit::kv_head, d.n_head_kv);
  table.linear({"attn_q.weight", "self_attn.q_proj.weight"}, attn_q, d.n_q() + d.n_gate(), d.n_embd, by_head);
  table.linear({"attn_k.weight", "self_attn.k_proj.weight"}, attn_k, d.n_kv(), d.n_embd, by_kv_head);
  table.linear({"attn_v.weight", "self_attn.v_proj.weight"}, attn_v, d.n_kv(), d.n_embd, by_kv_head);
  table.linear({"attn_output.weight", "self_attn.o_proj.weight"}, attn_output, d.n_embd, d.n_q(),
               Shard::columns(ShardUnit::head, d.n_head));
}

void Attention::add_to(KvLayout& layout) {
  kv_stream = layout.add({.n_heads = dims.n_head_kv, .k_dim = dims.head_dim, .v_dim = dims.head_dim, .window = window});
  stores_kv = true;
}

void Attention::add_qkv_bias(TensorTable& table) {
  const Shard by_kv_head = Shard::rows(ShardUnit::kv_head, dims.n_head_kv);
  table.vector({"attn_q.bias", "self_attn.q_proj.bias"}, q_bias, dims.n_q(), Shard::rows(ShardUnit::head, dims.n_head));
  table.vector({"attn_k.bias", "self_attn.k_proj.bias"}, k_bias, dims.n_kv(), by_kv_head);
  table.vector({"attn_v.bias", "self_attn.v_proj.bias"}, v_bias, dims.n_kv(), by_kv_head);
}

void Attention::add_output_bias(TensorTable& table) {
  table.vector({"attn_output.bias", "self_attn.o_proj.bias"}, output_bias, dims.n_embd, kReplicated);
}

void Attention::add_sinks(TensorTable& table) {
  table.vector({"attn_sinks.weight", "self_attn.sinks"}, attn_sinks, dims.n_head,
               Shard::rows(ShardUnit::head, dims.n_head));
}

void Attention::add_qk_norm(TensorTable& table, float eps) {
  norm_eps = eps;
  table.vector({"attn_q_norm.weight", "self_attn.q_norm.weight"}, attn_q_norm, dims.head_dim, kReplicated);
  table.vector({"attn_k_norm.weight", "self_attn.k_norm.weight"}, attn_k_norm, dims.head_dim, kReplicated);
}

void Attention::project(Device& device, const AttentionCall& call, const StoredRows& stored,
                        const AttentionWorkspace& s) const {
  const size_t n = call.rows.size(), n_head_kv = dims.n_head_kv, dim = dims.head_dim;
  const HeadNorm q_norm{.weight = attn_q_norm, .eps = norm_eps}, k_norm{.weight = attn_k_norm, .eps = norm_eps};
  const HeadsOfRows queries{.x = s.q,
                            .n_heads = dims.n_head,
                            .dim = dim,
                            .gates = dims.has_gate ? &s.gate : nullptr,
                            .bias = q_bias,
                            .norm = q_norm,
                            .rope = rope};
  if (!stores_kv) {
    device.multiply(call.x, n, {{attn_q, s.q}});
    return device.rope_and_store({queries}, stored);
  }
  device.multiply(call.x, n, {{attn_q, s.q}, {attn_k, s.k}, {attn_v, s.v}});
  device.rope_and_store({queries,
                         {.x = s.k, .n_heads = n_head_kv, .dim = dim, .bias = k_bias, .norm = k_norm, .rope = rope},
                         {.x = s.v, .n_heads = n_head_kv, .dim = dim, .bias = v_bias}},
                        stored);
}

void Attention::forward(Exec& exec, const AttentionCall& call, const AttentionWorkspace& s) const {
  const size_t n = call.rows.size(), dim = dims.head_dim;
  const ScratchArena::Frame frame(exec.scratch.shared());
  const KvRows rows = call.rows.in_stream(kv_stream, exec.scratch.shared());
  const KvStreamView stream = call.rows.stream(kv_stream);
  OGAS_CHECK(stream.k_dim == dim && stream.v_dim == dim && stream.n_heads == dims.n_head_kv,
             "a stream of {} heads of {} and {}", stream.n_heads, stream.k_dim, stream.v_dim);
  Device& device = exec.device;
  project(device, call,
          {.rows = rows,
           .angles = call.angles,
           .stream = stream,
           .keys = stores_kv ? &s.k : nullptr,
           .values = stores_kv ? &s.v : nullptr},
          s);
  device.attend({.q = s.q,
                 .n_head = dims.n_head,
                 .rows = rows,
                 .stream = stream,
                 .scale = scale > 0 ? scale : 1 / std::sqrt(static_cast<float>(dim)),
                 .window = window,
                 .soft_cap = soft_cap,
                 .sinks = attn_sinks,
                 .gates = dims.has_gate ? &s.gate : nullptr},
                s.attended);
  device.multiply(s.attended, n, {{attn_output, call.y}});
  if (!output_bias.empty()) device.add_bias(call.y, output_bias, n);
}

}  // namespace ogas
