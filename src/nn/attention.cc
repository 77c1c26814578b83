#include "nn/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace ogas {

ScratchBytes AttentionWorkspace::scratch_bytes(const AttentionDims& d, const PassLimits& limits) {
  return ScratchBytes{.shared = ScratchArena::bytes_for<RowRange>(limits.n_batch)} +
         attend_scratch_bytes(limits, {.k_dim = d.head_dim,
                                       .v_dim = d.head_dim,
                                       .kv_format = limits.kv_format,
                                       .n_positions = limits.n_ctx,
                                       .n_rows = limits.n_batch * d.n_head});
}

void Attention::add_to(TensorTable& table, const AttentionDims& d) {
  dims = d;
  table.linear({"attn_q.weight", "self_attn.q_proj.weight"}, attn_q, d.n_q() + d.n_gate(), d.n_embd);
  table.linear({"attn_k.weight", "self_attn.k_proj.weight"}, attn_k, d.n_kv(), d.n_embd);
  table.linear({"attn_v.weight", "self_attn.v_proj.weight"}, attn_v, d.n_kv(), d.n_embd);
  table.linear({"attn_output.weight", "self_attn.o_proj.weight"}, attn_output, d.n_embd, d.n_q());
}

void Attention::add_to(KvLayout& layout) {
  kv_stream = layout.add({.n_heads = dims.n_head_kv, .k_dim = dims.head_dim, .v_dim = dims.head_dim, .window = window});
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
void Attention::split_gates(const AttentionWorkspace& s, size_t t) const {
  const size_t n = dims.head_dim;
  float *q = s.q.row(t), *gate = s.gate.row(t);
  for (size_t h = 0; h < dims.n_head; ++h) std::memcpy(gate + h * n, q + (2 * h + 1) * n, n * sizeof(float));
  for (size_t h = 1; h < dims.n_head; ++h) std::memcpy(q + h * n, q + 2 * h * n, n * sizeof(float));
}

// One token: biases, norms and rotation of its queries and keys; its keys and values go into the cache.
void Attention::rotate_and_store(const CpuKernels& kernels, const AttentionCall& call, const AttentionWorkspace& s,
                                 size_t t) const {
  if (dims.has_gate) split_gates(s, t);
  float *q = s.q.row(t), *k = s.k.row(t), *v = s.v.row(t);
  if (!q_bias.empty()) kernels.add(q, q_bias.data(), q_bias.size());
  if (!k_bias.empty()) kernels.add(k, k_bias.data(), k_bias.size());
  if (!v_bias.empty()) kernels.add(v, v_bias.data(), v_bias.size());
  const auto norm = [&](float* x, size_t n_heads, const std::vector<float>& weight) {
    if (weight.empty()) return;
    for (size_t h = 0; h < n_heads; ++h)
      kernels.rms_norm(x + h * dims.head_dim, weight.data(), norm_eps, dims.head_dim, x + h * dims.head_dim);
  };
  norm(q, dims.n_head, attn_q_norm);
  norm(k, dims.n_head_kv, attn_k_norm);
  if (rope) {
    const float* cos_sin = call.angles.row(*rope, t);
    rope->rotate(kernels, q, dims.n_head, dims.head_dim, cos_sin);
    rope->rotate(kernels, k, dims.n_head_kv, dims.head_dim, cos_sin);
  }
  KvSequence& kv = call.rows.kv(t);
  const size_t position = call.rows.position(t);
  const Format format = kv.layout().format();
  rotate_for_cache(kernels, format, q, dims.head_dim, dims.n_head);
  rotate_for_cache(kernels, format, k, dims.head_dim, dims.n_head_kv);
  rotate_for_cache(kernels, format, v, dims.head_dim, dims.n_head_kv);
  for (size_t h = 0; h < dims.n_head_kv; ++h) {
    kernels.store(k + h * dims.head_dim, dims.head_dim, format, kv.k(kv_stream, h, position));
    kernels.store(v + h * dims.head_dim, dims.head_dim, format, kv.v(kv_stream, h, position));
  }
}

// Rows of one run.
AttendJob Attention::job(const AttentionCall& call, const AttentionWorkspace& s, const Matrix& attended, RowRange rows,
                         HeadGroup heads, bool by_tiles) const {
  const KvLayout& layout = call.rows.kv_layout();
  const size_t t = rows.first_row, first = heads.head_kv_idx * (dims.n_head / dims.n_head_kv) + heads.first;
  return {.args = {.q = s.q.row(t) + first * dims.head_dim,
                   .q_stride = s.q.n_cols(),
                   .n_tokens = rows.n_rows,
                   .n_heads = heads.n,
                   .position = call.rows.position(t),
                   .window = window,
                   .k_dim = dims.head_dim,
                   .v_dim = dims.head_dim,
                   .k_stride = layout.k_bytes(kv_stream),
                   .v_stride = layout.v_bytes(kv_stream),
                   .pages = call.rows.kv(t).pages(kv_stream).data(),
                   .page_size = KvLayout::kPagePositions,
                   .k_offset = layout.k_offset(kv_stream, heads.head_kv_idx),
                   .v_offset = layout.v_offset(kv_stream, heads.head_kv_idx),
                   .kv_format = layout.format(),
                   .scale = scale > 0 ? scale : 1 / std::sqrt(static_cast<float>(dims.head_dim)),
                   .soft_cap = soft_cap,
                   .by_tiles = by_tiles},
          .sinks = attn_sinks.empty() ? nullptr : attn_sinks.data() + first,
          .out = attended.row(t) + first * dims.head_dim,
          .out_stride = attended.n_cols()};
}

// As many tokens of a run together as rows of their heads fill a job, or where a head of keys and values serves more
// query heads than that, some of these. Longest rows first, so that the last jobs to be handed out are the short ones.
void Attention::attend(Exec& exec, const AttentionCall& call, const AttentionWorkspace& s,
                       const Matrix& attended) const {
  const size_t group = dims.n_head / dims.n_head_kv;
  const size_t n_heads = std::min(group, kAttendRows), n_head_jobs = (group + n_heads - 1) / n_heads;
  const size_t jobs_a_cut = dims.n_head_kv * n_head_jobs;
  const auto by_tiles = [&](RowKind kind) {
    return attends_by_tiles(exec.kernels, kind, dims.head_dim, dims.head_dim);
  };
  const ScratchArena::Frame frame(exec.scratch.shared());
  const std::span<const RowRange> cuts = split_rows(
      call.rows, [&](RowKind kind) { return max_attend_rows(exec.kernels, by_tiles(kind)) / n_heads; },
      exec.scratch.shared());
  ogas::attend(exec, cuts.size() * jobs_a_cut, [&](size_t job_idx) {
    const RowRange cut = cuts[job_idx / jobs_a_cut];
    const size_t first = job_idx % n_head_jobs * n_heads;
    return job(call, s, attended, cut,
               {job_idx / n_head_jobs % dims.n_head_kv, first, std::min(n_heads, group - first)},
               by_tiles(call.rows.kinds()[cut.first_row]));
  });
}

void Attention::forward(Exec& exec, const AttentionCall& call, const AttentionWorkspace& s) const {
  const KvLayout& layout = call.rows.kv_layout();
  const size_t n = call.rows.size();
  const KvStream& stream = layout.stream(kv_stream);
  OGAS_CHECK(stream.k_dim == dims.head_dim && stream.v_dim == dims.head_dim && stream.n_heads == dims.n_head_kv,
             "a stream of {} heads of {} and {}", stream.n_heads, stream.k_dim, stream.v_dim);
  multiply(exec, call.x, n, {{attn_q, s.q}, {attn_k, s.k}, {attn_v, s.v}});
  exec.pool.parallel_for(n, [&](size_t t, unsigned) { rotate_and_store(exec.kernels, call, s, t); });
  const Matrix& attended = s.attended.write(0, n);
  attend(exec, call, s, attended);
  exec.pool.parallel_for(n, [&](size_t t, unsigned) {
    rotate_for_cache(exec.kernels, layout.format(), attended.row(t), dims.head_dim, dims.n_head);
    if (dims.has_gate) exec.kernels.sigmoid_gate(attended.row(t), s.gate.row(t), dims.n_q());
    s.attended.quantize_row(exec.kernels, t, call.rows.kinds()[t]);
  });
  multiply(exec, s.attended, n, {{attn_output, call.y}});
  if (output_bias.empty()) return;
  exec.pool.parallel_for(
      n, [&](size_t t, unsigned) { exec.kernels.add(call.y.row(t), output_bias.data(), output_bias.size()); });
}

}  // namespace ogas
