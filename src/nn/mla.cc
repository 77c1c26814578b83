#include "nn/mla.h"

#include <algorithm>

#include "base/check.h"

namespace ogas {
namespace {

// Rows of floats as pages of latents in the cache's format, which takes at most as much.
std::span<std::byte* const> pages_of(const Matrix& latents, size_t latent_bytes, ScratchArena& arena) {
  constexpr size_t kPage = KvLayout::kPagePositions;
  const std::span<std::byte*> pages = arena.take<std::byte*>((latents.max_rows() + kPage - 1) / kPage);
  auto* const bytes = reinterpret_cast<std::byte*>(latents.data());
  for (size_t idx = 0; idx < pages.size(); ++idx) pages[idx] = bytes + idx * kPage * latent_bytes;
  return pages;
}

}  // namespace

MlaWorkspace::MlaWorkspace(const MlaDims& d, size_t n_batch, const IndexerDims& indexer_dims)
    : q_lora(n_batch, d.q_lora_rank),
      q(n_batch, d.n_q()),
      kv(n_batch, d.latent_dim()),
      attended(n_batch, size_t{d.n_head} * d.v_head_dim),
      q_nope(std::min(n_batch, kAbsorbedTogether) * d.n_head, d.qk_nope_head_dim),
      q_latent(q_nope.max_rows(), d.latent_dim()),
      latent(q_nope.max_rows(), d.kv_lora_rank),
      indexer(indexer_dims, n_batch),
      chosen(indexer_dims.top_k, d.latent_dim()) {}

uint64_t MlaWorkspace::bytes_per_token(const MlaDims& d, const IndexerDims& indexer_dims) {
  const uint64_t plain = d.n_q() + d.latent_dim();
  const uint64_t quantized = d.q_lora_rank + uint64_t{d.n_head} * d.v_head_dim;
  return plain * sizeof(float) + Activations::bytes_for(quantized) + IndexerWorkspace::bytes_per_token(indexer_dims);
}

ScratchBytes MlaWorkspace::scratch_bytes(const MlaDims& d, const IndexerDims& indexer_dims, const PassLimits& limits) {
  const LatentSizes sizes = d.latent_sizes();
  const uint64_t n_together = std::min<uint64_t>(limits.n_batch, kAbsorbedTogether), n_rows = n_together * d.n_head;
  const ScratchBytes together = {
      .shared = n_rows * (d.latent_dim() * sizeof(float) + Activations::bytes_for(d.qk_nope_head_dim) +
                          Activations::bytes_for(d.kv_lora_rank)) +
                indexer_dims.top_k * d.latent_dim() * sizeof(float) + ScratchArena::bytes_for<KvRun>(limits.n_batch)};
  const uint64_t n_top = indexer_dims.top_k, n_all = n_top == 0 ? limits.n_ctx : std::min(n_top, limits.n_ctx);
  const ScratchBytes absorbed = ScratchBytes{.shared = ScratchArena::bytes_for<SeenPositions>(n_together)} +
                                absorbed_scratch_bytes(limits, sizes, n_together, n_all);
  ScratchBytes any = absorbed;
  if (d.expands()) any = max(any, expanded_scratch_bytes(limits, sizes, n_all));
  if (n_top == 0) return together + any;
  const uint64_t n_pages = KvLayout::pages_for(n_top);
  const ScratchBytes chosen = {.shared = ScratchArena::bytes_for<std::byte*>(n_pages) +
                                         ScratchArena::bytes_for<uint32_t>(n_top)};
  const ScratchBytes choice = IndexerWorkspace::scratch_bytes(indexer_dims, limits);
  return together + max(any, chosen + max(choice, absorbed));
}

void Mla::add_to(TensorTable& table, const MlaDims& d, float eps) {
  dims = d;
  norm_eps = eps;
  const Shard by_head = Shard::rows(ShardUnit::head, d.n_head), of_heads = Shard::matrices(ShardUnit::head, d.n_head);
  if (d.q_lora_rank == 0) {
    table.linear({"attn_q.weight", "self_attn.q_proj.weight"}, attn_q, d.n_q(), d.n_embd, by_head);
  } else {
    table.linear({"attn_q_a.weight", "self_attn.q_a_proj.weight"}, attn_q_a, d.q_lora_rank, d.n_embd, kReplicated);
    table.vector({"attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight"}, attn_q_a_norm, d.q_lora_rank, kReplicated);
    table.linear({"attn_q_b.weight", "self_attn.q_b_proj.weight"}, attn_q_b, d.n_q(), d.q_lora_rank, by_head);
  }
  table.linear({"attn_kv_a_mqa.weight", "self_attn.kv_a_proj_with_mqa.weight"}, attn_kv_a_mqa, d.latent_dim(), d.n_embd,
               kReplicated);
  table.vector({"attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight"}, attn_kv_a_norm, d.kv_lora_rank,
               kReplicated);
  if (table.has({"attn_k_b.weight", ""})) {
    table.heads({"attn_k_b.weight", ""}, attn_k_b,
                {.n_expert = d.n_head, .n_out = d.kv_lora_rank, .n_in = d.qk_nope_head_dim}, of_heads);
    table.heads({"attn_v_b.weight", ""}, attn_v_b,
                {.n_expert = d.n_head, .n_out = d.v_head_dim, .n_in = d.kv_lora_rank}, of_heads);
  } else {
    table.linear({"attn_kv_b.weight", "self_attn.kv_b_proj.weight"}, attn_kv_b,
                 uint64_t{d.n_head} * (d.qk_nope_head_dim + d.v_head_dim), d.kv_lora_rank, by_head);
  }
  table.linear({"attn_output.weight", "self_attn.o_proj.weight"}, attn_output, d.n_embd,
               uint64_t{d.n_head} * d.v_head_dim, Shard::columns(ShardUnit::head, d.n_head));
}

void Mla::add_to(KvLayout& layout) {
  kv_stream = layout.add({.n_heads = 1, .k_dim = dims.latent_dim(), .v_dim = 0});
  if (indexer.dims.top_k > 0) indexer.add_to(layout);
}

void Mla::keep_key_rows() {
  attn_kv_b.keep_rows();
  for (Linear& head : attn_k_b) head.keep_rows();
}

// Queries, latents and rotated keys of all tokens.
void Mla::project(Exec& exec, const AttentionCall& call, const MlaWorkspace& s) const {
  const size_t n = call.rows.size();
  if (dims.q_lora_rank == 0) {
    exec.device.multiply(call.x, n, {{attn_q, s.q}, {attn_kv_a_mqa, s.kv}});
    return;
  }
  const Matrix& q_lora = s.q_lora.write(0, n);
  exec.device.multiply(call.x, n, {{attn_q_a, q_lora}, {attn_kv_a_mqa, s.kv}});
  exec.device.rms_norm(q_lora, call.rows.kinds(), attn_q_a_norm, norm_eps, s.q_lora);
  exec.device.multiply(s.q_lora, n, {{attn_q_b, s.q}});
}

// The parts of a latent are rotated for the cache apart, since values are the first alone; queries once they are
// absorbed.
void Mla::rope_and_store(Exec& exec, const AttentionCall& call, const MlaWorkspace& s) const {
  const ScratchArena::Frame frame(exec.scratch.shared());
  const KvRows rows = call.rows.in_stream(kv_stream, exec.scratch.shared());
  const KvStreamView stream = call.rows.stream(kv_stream);
  OGAS_CHECK(stream.k_dim == dims.latent_dim() && stream.v_dim == 0, "a stream of {} and {}", stream.k_dim,
             stream.v_dim);
  exec.device.rope_and_store(
      {{.x = s.q,
        .n_heads = dims.n_head,
        .dim = dims.qk_rope_head_dim,
        .first_col = dims.qk_nope_head_dim,
        .stride = dims.qk_head_dim(),
        .rope = rope,
        .is_for_cache = false},
       {.x = s.kv, .n_heads = 1, .dim = dims.kv_lora_rank, .norm = {.weight = attn_kv_a_norm, .eps = norm_eps}},
       {.x = s.kv, .n_heads = 1, .dim = dims.qk_rope_head_dim, .first_col = dims.kv_lora_rank, .rope = rope}},
      {.rows = rows, .angles = call.angles, .stream = stream, .keys = &s.kv});
}

void Mla::absorb(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, RowRange rows) const {
  exec.device.absorb(
      {.heads = heads(), .q = s.q, .rows = rows, .kv_format = call.rows.kv_layout().format(), .nope = s.q_nope},
      s.q_latent);
}

void Mla::attend_absorbed(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                          RowRange rows) const {
  absorb(exec, call, s, rows);
  const ScratchArena::Frame frame(exec.scratch.shared());
  const std::span<SeenPositions> seen = exec.scratch.shared().take<SeenPositions>(rows.n_rows);
  for (size_t idx = 0; idx < rows.n_rows; ++idx) {
    const size_t t = rows.first_row + idx;
    seen[idx] = {call.rows.kv(t).pages(kv_stream).data(), call.rows.position(t) + 1};
  }
  exec.device.attend_latents({.heads = heads(),
                              .q = s.q_latent,
                              .seen = seen,
                              .stream = call.rows.stream(kv_stream),
                              .scale = scale,
                              .latent = s.latent},
                             attended, rows.first_row);
}

// Tokens of one run one by one, since each has positions of its own; all of their queries are absorbed at once.
void Mla::attend_chosen(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                        RowRange rows) const {
  ScratchArena& shared = exec.scratch.shared();
  const ScratchArena::Frame frame(shared);
  const KvStreamView stream = call.rows.stream(kv_stream);
  const std::span<uint32_t> chosen = shared.take<uint32_t>(indexer.dims.top_k);
  const auto pages_of_chosen = pages_of(s.chosen, stream.k_bytes, shared);
  const SeenPositions seen = {pages_of_chosen.data(), chosen.size()};
  KvStreamView stream_of_chosen = stream;
  stream_of_chosen.k_offset = 0;
  absorb(exec, call, s, rows);
  for (size_t idx = 0; idx < rows.n_rows; ++idx) {
    const size_t t = rows.first_row + idx;
    indexer.choose(exec, call, s.indexer, t, chosen);
    exec.device.copy_keys(stream, call.rows.kv(t).pages(kv_stream).data(), chosen, pages_of_chosen);
    exec.device.attend_latents({.heads = heads(),
                                .q = s.q_latent,
                                .first_row = idx * dims.n_head,
                                .seen = {&seen, 1},
                                .stream = stream_of_chosen,
                                .scale = scale,
                                .latent = s.latent},
                               attended, t);
  }
}

// Rows of one run.
void Mla::attend_expanded(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                          RowRange rows) const {
  const size_t t = rows.first_row;
  exec.device.attend_expanded({.heads = heads(),
                               .q = s.q,
                               .run = {.pages = call.rows.kv(t).pages(kv_stream).data(),
                                       .position = call.rows.position(t),
                                       .first_row = t,
                                       .n_rows = rows.n_rows,
                                       .kind = call.rows.kinds()[t]},
                               .stream = call.rows.stream(kv_stream),
                               .scale = scale},
                              attended);
}

// Each run by its kind: expanded whole; absorbed together with its neighbours that are; and where there are positions
// to choose among, on its own.
void Mla::attend_rows(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, MlaMode mode) const {
  const Matrix& attended = s.attended.write(0, call.rows.size());
  const size_t max = s.q_nope.max_rows() / dims.n_head;
  const auto by_pieces = [&](size_t first, size_t end, const auto& attend_piece) {
    for (size_t t = first; t < end; t += max) attend_piece(RowRange{t, std::min(max, end - t)});
  };
  size_t absorbed = 0;  // rows from here on wait to be absorbed
  const auto absorb_until = [&](size_t end) {
    by_pieces(absorbed, end, [&](RowRange rows) { attend_absorbed(exec, call, s, attended, rows); });
  };
  for (const SequenceRows& run : call.rows.runs()) {
    const size_t n_seen = indexer.dims.top_k == 0 ? SIZE_MAX : indexer.dims.top_k;
    const size_t n_all = run.position >= n_seen ? 0 : std::min(run.n_rows, n_seen - run.position);
    const bool expands =
        mode == MlaMode::expanded || (mode == MlaMode::by_kind && run.kind == RowKind::prefill && dims.expands());
    if (!expands && n_all == run.n_rows) continue;
    if (expands) absorb_until(run.first_row);
    if (expands && n_all > 0) attend_expanded(exec, call, s, attended, {run.first_row, n_all});
    if (!expands) absorb_until(run.first_row + n_all);
    by_pieces(run.first_row + n_all, run.end_row(),
              [&](RowRange rows) { attend_chosen(exec, call, s, attended, rows); });
    absorbed = run.end_row();
  }
  absorb_until(call.rows.size());
}

void Mla::forward(Exec& exec, const AttentionCall& call, const MlaWorkspace& workspace, MlaMode mode) const {
  project(exec, call, workspace);
  rope_and_store(exec, call, workspace);
  if (indexer.dims.top_k > 0) indexer.prepare(exec, call, workspace.q_lora, workspace.indexer);
  attend_rows(exec, call, workspace, mode);
  exec.device.quantize(workspace.attended, call.rows.kinds());
  exec.device.multiply(workspace.attended, call.rows.size(), {{attn_output, call.y}});
}

}  // namespace ogas
