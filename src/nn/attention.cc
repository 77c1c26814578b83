#include "nn/attention.h"

#include <cmath>
#include <cstring>

#include "base/check.h"

namespace ogas {

void Attention::add_to(TensorTable& table, const AttentionDims& d) {
  dims = d;
  table.linear({"attn_q.weight", "self_attn.q_proj.weight"}, attn_q, d.n_q() + d.n_gate(), d.n_embd);
  table.linear({"attn_k.weight", "self_attn.k_proj.weight"}, attn_k, d.n_kv(), d.n_embd);
  table.linear({"attn_v.weight", "self_attn.v_proj.weight"}, attn_v, d.n_kv(), d.n_embd);
  table.linear({"attn_output.weight", "self_attn.o_proj.weight"}, attn_output, d.n_embd, d.n_q());
}

void Attention::add_qkv_bias(TensorTable& table) {
  table.vector({"attn_q.bias", "self_attn.q_proj.bias"}, q_bias, dims.n_q());
  table.vector({"attn_k.bias", "self_attn.k_proj.bias"}, k_bias, dims.n_kv());
  table.vector({"attn_v.bias", "self_attn.v_proj.bias"}, v_bias, dims.n_kv());
}

void Attention::add_output_bias(TensorTable& table) {
  table.vector({"attn_output.bias", "self_attn.o_proj.bias"}, output_bias, dims.n_embd);
}

void Attention::add_sinks(TensorTable& table) {
  table.vector({"attn_sinks.weight", "self_attn.sinks"}, attn_sinks, dims.n_head);
}

void Attention::add_qk_norm(TensorTable& table, float eps) {
  norm_eps = eps;
  table.vector({"attn_q_norm.weight", "self_attn.q_norm.weight"}, attn_q_norm, dims.head_dim);
  table.vector({"attn_k_norm.weight", "self_attn.k_norm.weight"}, attn_k_norm, dims.head_dim);
}

// One token: from query and gate of each head to all queries, then apart from them all gates.
void Attention::part_gates(const AttentionSpace& s, size_t t) const {
  const size_t n = dims.head_dim;
  float *q = s.q.row(t), *gate = s.gate.row(t);
  for (size_t h = 0; h < dims.n_head; ++h) std::memcpy(gate + h * n, q + (2 * h + 1) * n, n * sizeof(float));
  for (size_t h = 1; h < dims.n_head; ++h) std::memcpy(q + h * n, q + 2 * h * n, n * sizeof(float));
}

// One token: biases, norms and rotation of its queries and keys; its keys and values go into the cache.
void Attention::rotate_and_store(const Ops& ops, const AttentionCall& call, const AttentionSpace& s, size_t t) const {
  if (dims.has_gate) part_gates(s, t);
  float *q = s.q.row(t), *k = s.k.row(t), *v = s.v.row(t);
  if (!q_bias.empty()) ops.add(q, q_bias.data(), q_bias.size());
  if (!k_bias.empty()) ops.add(k, k_bias.data(), k_bias.size());
  if (!v_bias.empty()) ops.add(v, v_bias.data(), v_bias.size());
  const auto norm = [&](float* x, size_t n_heads, const std::vector<float>& weight) {
    if (weight.empty()) return;
    for (size_t h = 0; h < n_heads; ++h)
      ops.rms_norm(x + h * dims.head_dim, weight.data(), norm_eps, dims.head_dim, x + h * dims.head_dim);
  };
  norm(q, dims.n_head, attn_q_norm);
  norm(k, dims.n_head_kv, attn_k_norm);
  if (call.rope) {
    call.rope->rotate(ops, q, dims.n_head, dims.head_dim, call.cos_sin.row(t));
    call.rope->rotate(ops, k, dims.n_head_kv, dims.head_dim, call.cos_sin.row(t));
  }
  const Format format = call.kv.shape().format;
  for (size_t h = 0; h < dims.n_head_kv; ++h) {
    const size_t position = call.position + t;
    ops.store(k + h * dims.head_dim, dims.head_dim, format, call.kv.k(call.layer_idx, h, position));
    ops.store(v + h * dims.head_dim, dims.head_dim, format, call.kv.v(call.layer_idx, h, position));
  }
}

// One token's query heads that share a head of keys and values.
void Attention::attend(const Ops& ops, const AttentionCall& call, const AttentionSpace& s, size_t t, size_t h) const {
  const KvShape& shape = call.kv.shape();
  const size_t group = dims.n_head / dims.n_head_kv;
  const size_t end = call.position + t + 1;
  thread_local std::vector<float> scores;
  scores.resize(group * KvShape::kPagePositions);
  ops.attend({.q = s.q.row(t) + h * group * dims.head_dim,
              .n_heads = group,
              .k_dim = dims.head_dim,
              .v_dim = dims.head_dim,
              .k_stride = dims.head_dim,
              .v_stride = dims.head_dim,
              .p_begin = window > 0 && end > window ? end - window : 0,
              .p_end = end,
              .pages = call.kv.pages().data(),
              .page_size = KvShape::kPagePositions,
              .k_offset = shape.k_offset(call.layer_idx, h),
              .v_offset = shape.v_offset(call.layer_idx, h),
              .kv_format = shape.format,
              .scale = 1 / std::sqrt(static_cast<float>(dims.head_dim)),
              .sinks = attn_sinks.empty() ? nullptr : attn_sinks.data() + h * group,
              .out = s.attended.row(t) + h * group * dims.head_dim,
              .scores = scores.data()});
}

void Attention::forward(Exec& exec, const AttentionCall& call, const AttentionSpace& s) const {
  const KvShape& shape = call.kv.shape();
  const size_t n = call.n_tokens;
  OGAS_CHECK(call.kv.n_positions() >= call.position + n, "{} positions, {} needed", call.kv.n_positions(),
             call.position + n);
  OGAS_CHECK(shape.k_dim == dims.head_dim && shape.v_dim == dims.head_dim && shape.n_head_kv == dims.n_head_kv,
             "a cache of {} heads of {} and {}", shape.n_head_kv, shape.k_dim, shape.v_dim);
  multiply(exec, call.x, n, {{attn_q, s.q}, {attn_k, s.k}, {attn_v, s.v}});
  exec.pool.parallel_for(n, [&](size_t t, unsigned) { rotate_and_store(exec.ops, call, s, t); });
  // Longest rows first, so that the last chunks to be handed out are the short ones.
  exec.pool.parallel_for(n * dims.n_head_kv, [&](size_t chunk_idx, unsigned) {
    attend(exec.ops, call, s, n - 1 - chunk_idx / dims.n_head_kv, chunk_idx % dims.n_head_kv);
  });
  exec.pool.parallel_for(n, [&](size_t t, unsigned) {
    if (dims.has_gate) exec.ops.sigmoid_gate(s.attended.row(t), s.gate.row(t), dims.n_q());
    s.attended.quantize_row(exec.ops, t);
  });
  multiply(exec, s.attended, n, {{attn_output, call.y}});
  if (output_bias.empty()) return;
  exec.pool.parallel_for(
      n, [&](size_t t, unsigned) { exec.ops.add(call.y.row(t), output_bias.data(), output_bias.size()); });
}

}  // namespace ogas
