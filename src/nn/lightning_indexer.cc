#include "nn/lightning_indexer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace ogas {
namespace {

constexpr float kKeyNormEps = 1e-6F;  // of the published code; no config carries it

// y = (x - mean) / sqrt(variance + eps) * weight + bias, in place (Ba et al. 2016).
void layer_norm(float* x, const std::vector<float>& weight, const std::vector<float>& bias) {
  const auto n = static_cast<float>(weight.size());
  const float mean = std::accumulate(x, x + weight.size(), 0.0F) / n;
  float squares = 0;
  for (size_t i = 0; i < weight.size(); ++i) squares += (x[i] - mean) * (x[i] - mean);
  const float scale = 1 / std::sqrt(squares / n + kKeyNormEps);
  for (size_t i = 0; i < weight.size(); ++i) x[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

// The first dimensions of a head are rotated, in halves, whatever the attention's own style.
void rotate_heads(const CpuKernels& kernels, const AttentionCall& call, const Rope& rope, size_t t, float* x,
                  const IndexerDims& dims, size_t n_heads) {
  kernels.rope({.x = x,
                .n_heads = n_heads,
                .head_stride = dims.head_dim,
                .n_rot = rope.n_rot(),
                .cos_sin = call.angles.row(rope, t),
                .style = RopeStyle::half_split});
}

}  // namespace

ScratchBytes IndexerWorkspace::scratch_bytes(const IndexerDims& d, uint64_t n_ctx) {
  constexpr uint64_t kPage = KvLayout::kPagePositions;
  if (d.top_k == 0) return {};
  const uint64_t n_positions = (n_ctx + kPage - 1) / kPage * kPage;
  return {.shared = ScratchArena::bytes_for<float>(n_positions) + ScratchArena::bytes_for<uint32_t>(n_positions),
          .per_thread = ScratchArena::bytes_for<float>(d.n_head * kPage)};
}

void LightningIndexer::add_to(TensorTable& table, const IndexerDims& d, uint64_t n_embd, uint64_t q_lora_rank) {
  dims = d;
  table.linear({"indexer.attn_q_b.weight", "self_attn.indexer.wq_b.weight"}, attn_q_b, d.n_q(), q_lora_rank);
  table.linear({"indexer.attn_k.weight", "self_attn.indexer.wk.weight"}, attn_k, d.head_dim, n_embd);
  table.linear({"indexer.proj.weight", "self_attn.indexer.weights_proj.weight"}, proj, d.n_head, n_embd);
  table.vector({"indexer.k_norm.weight", "self_attn.indexer.k_norm.weight"}, k_norm, d.head_dim);
  table.vector({"indexer.k_norm.bias", "self_attn.indexer.k_norm.bias"}, k_norm_bias, d.head_dim);
}

void LightningIndexer::norm_and_store_key(const CpuKernels& kernels, const AttentionCall& call, float* k,
                                          size_t t) const {
  layer_norm(k, k_norm, k_norm_bias);
  rotate_heads(kernels, call, *rope, t, k, dims, 1);
  KvSequence& kv = call.rows.kv(t);
  kernels.store(k, dims.head_dim, kv.layout().format(), kv.k(kv_stream, 0, call.rows.position(t)));
}

void LightningIndexer::prepare(Exec& exec, const AttentionCall& call, const Activations& q_lora,
                               const IndexerWorkspace& s) const {
  const uint32_t k_dim = call.rows.kv_layout().stream(kv_stream).k_dim;
  OGAS_CHECK(k_dim == dims.head_dim, "a stream of keys of {}", k_dim);
  const size_t n = call.rows.size();
  const auto chooses = [&](const SequenceRows& run) { return has_to_choose(run.end_position() - 1); };
  multiply(exec, call.x, n, {{attn_k, s.k}});
  if (std::ranges::any_of(call.rows.runs(), chooses)) multiply(exec, q_lora, n, {{attn_q_b, s.q}});
  exec.pool.parallel_for(n, [&](size_t t, unsigned) {
    norm_and_store_key(exec.kernels, call, s.k.row(t), t);
    if (!has_to_choose(call.rows.position(t))) return;
    rotate_heads(exec.kernels, call, *rope, t, s.q.row(t), dims, dims.n_head);
    // In F32, as routers are: what is chosen must not hang on the rounding of activations.
    MatmulCall{proj, call.x, t, 1, 0, dims.n_head}.run_in_f32(exec.kernels, s.weights);
  });
}

// The keys of a page are a matrix, and the token's heads its rows of input. Factors that all scores share change no
// choice and are left out.
void LightningIndexer::score_page(const CpuKernels& kernels, ScratchArena& own, const AttentionCall& call,
                                  const IndexerWorkspace& s, size_t t, size_t page_idx, std::span<float> scores) const {
  constexpr size_t kPage = KvLayout::kPagePositions;
  const KvLayout& layout = call.rows.kv_layout();
  const size_t begin = page_idx * kPage, n = std::min(scores.size() - begin, kPage);
  const ScratchArena::Frame frame(own);
  const std::span<float> products = own.take<float>(dims.n_head * kPage);
  kernels.matmul({.format = layout.format(),
                  .weights = call.rows.kv(t).pages(kv_stream)[page_idx] + layout.k_offset(kv_stream, 0),
                  .n_in = dims.head_dim,
                  .block_scales = nullptr,
                  .o_begin = 0,
                  .o_end = n,
                  .n_tokens = dims.n_head,
                  .x = s.q.row(t),
                  .quantized = nullptr,
                  .y = products.data(),
                  .y_stride = kPage});
  for (size_t p = 0; p < n; ++p) {
    float score = 0;
    for (size_t h = 0; h < dims.n_head; ++h) score += s.weights.row(t)[h] * std::max(products[h * kPage + p], 0.0F);
    scores[begin + p] = std::isnan(score) ? -INFINITY : score;  // which can be ordered
  }
}

std::span<const uint32_t> LightningIndexer::choose(Exec& exec, const AttentionCall& call, const IndexerWorkspace& s,
                                                   size_t t) const {
  constexpr size_t kPage = KvLayout::kPagePositions;
  const size_t n_positions = call.rows.position(t) + 1;
  OGAS_CHECK(n_positions > dims.top_k, "{} of {} positions", dims.top_k, n_positions);
  const size_t n_pages = (n_positions + kPage - 1) / kPage;
  ScratchArena& shared = exec.scratch.shared();
  // By whole pages, so that what they grow by comes with these.
  const std::span<float> scores = shared.take<float>(n_pages * kPage).first(n_positions);
  const std::span<uint32_t> chosen = shared.take<uint32_t>(n_pages * kPage).first(n_positions);
  exec.pool.parallel_for(n_pages, [&](size_t page_idx, unsigned thread_idx) {
    score_page(exec.kernels, exec.scratch.of_thread(thread_idx), call, s, t, page_idx, scores);
  });
  std::iota(chosen.begin(), chosen.end(), 0U);
  const auto is_better = [&](uint32_t a, uint32_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; };
  std::ranges::nth_element(chosen, chosen.begin() + dims.top_k, is_better);
  std::ranges::sort(chosen.first(dims.top_k));
  return chosen.first(dims.top_k);
}

}  // namespace ogas
