#include "nn/lightning_indexer.h"

#include <algorithm>

#include "base/check.h"

namespace ogas {
namespace {

constexpr float kKeyNormEps = 1e-6F;  // of the published code; no config carries it

}  // namespace

ScratchBytes IndexerWorkspace::scratch_bytes(const IndexerDims& d, const PassLimits& limits) {
  return choice_scratch_bytes(d.n_head, limits.n_ctx, KvLayout::kPagePositions);
}

void LightningIndexer::add_to(TensorTable& table, const IndexerDims& d, uint64_t n_embd, uint64_t q_lora_rank) {
  dims = d;
  table.linear({"indexer.attn_q_b.weight", "self_attn.indexer.wq_b.weight"}, attn_q_b, d.n_q(), q_lora_rank,
               kReplicated);
  table.linear({"indexer.attn_k.weight", "self_attn.indexer.wk.weight"}, attn_k, d.head_dim, n_embd, kReplicated);
  table.linear({"indexer.proj.weight", "self_attn.indexer.weights_proj.weight"}, proj, d.n_head, n_embd, kReplicated);
  table.vector({"indexer.k_norm.weight", "self_attn.indexer.k_norm.weight"}, k_norm, d.head_dim, kReplicated);
  table.vector({"indexer.k_norm.bias", "self_attn.indexer.k_norm.bias"}, k_norm_bias, d.head_dim, kReplicated);
}

// The first dimensions of a head are rotated, in halves, whatever the attention's own style.
void LightningIndexer::prepare(Exec& exec, const AttentionCall& call, const Activations& q_lora,
                               const IndexerWorkspace& s) const {
  constexpr size_t kTogether = 8;  // tokens for which the heads' weights are made at once
  const ScratchArena::Frame frame(exec.scratch.shared());
  const KvRows rows = call.rows.in_stream(kv_stream, exec.scratch.shared());
  const KvStreamView stream = call.rows.stream(kv_stream);
  OGAS_CHECK(stream.k_dim == dims.head_dim, "a stream of keys of {}", stream.k_dim);
  const StoredRows stored = {.rows = rows, .angles = call.angles, .stream = stream, .keys = &s.k};
  const auto heads_of = [&](const Matrix& x, size_t n_heads, const HeadNorm& norm) -> HeadsOfRows {
    return {.x = x,
            .n_heads = n_heads,
            .dim = dims.head_dim,
            .norm = norm,
            .rope = rope,
            .style = RopeStyle::half_split,
            .is_for_cache = false};
  };
  const HeadsOfRows keys = heads_of(s.k, 1, {.weight = k_norm, .bias = k_norm_bias, .eps = kKeyNormEps});
  const size_t n = rows.size();
  exec.device.multiply(call.x, n, {{attn_k, s.k}});
  const auto chooses = [&](const SequenceRows& run) { return has_to_choose(run.end_position() - 1); };
  if (std::ranges::none_of(call.rows.runs(), chooses)) return exec.device.rope_and_store({keys}, stored);
  exec.device.multiply(q_lora, n, {{attn_q_b, s.q}});
  // In F32, as routers are: what is chosen must not depend on the rounding of activations.
  exec.device.multiply_in_f32(proj, call.x, n, kTogether, s.weights);
  exec.device.rope_and_store({keys, heads_of(s.q, dims.n_head, {})}, stored);
}

void LightningIndexer::choose(Exec& exec, const AttentionCall& call, const IndexerWorkspace& s, size_t t,
                              std::span<uint32_t> chosen) const {
  exec.device.choose_positions({.q = s.q,
                                .weights = s.weights,
                                .row = t,
                                .seen = {call.rows.kv(t).pages(kv_stream).data(), call.rows.position(t) + 1},
                                .stream = call.rows.stream(kv_stream)},
                               chosen);
}

}  // namespace ogas
