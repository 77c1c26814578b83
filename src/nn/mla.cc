#include "nn/mla.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "ops/cpu/rotate_for_cache.h"

namespace ogas {
namespace {

// Positions that a page of the cache holds are read by the hundred.
Activations read_latents(Exec& exec, const KvSequence& kv, KvStreamId stream, const MlaDims& dims, size_t n_positions) {
  Activations latents(n_positions, dims.kv_lora_rank);
  const Matrix& values = latents.write(0, n_positions);
  const FormatFacts& format = facts_of(kv.layout().format());
  exec.pool.parallel_for(n_positions, [&](size_t p, unsigned) {
    format.decode(kv.k(stream, 0, p), values.row(p), dims.kv_lora_rank / format.block_values);
    rotate_for_cache(exec.kernels, format.format, values.row(p), dims.kv_lora_rank, 1);
    latents.quantize_row(exec.kernels, p, RowKind::prefill);
  });
  return latents;
}

// Rows of floats as pages of latents in the cache's format, which is no larger.
std::span<std::byte* const> pages_of(const Matrix& latents, size_t latent_bytes, ScratchArena& arena) {
  constexpr size_t kPage = KvLayout::kPagePositions;
  const std::span<std::byte*> pages = arena.take<std::byte*>((latents.max_rows() + kPage - 1) / kPage);
  auto* const bytes = reinterpret_cast<std::byte*>(latents.data());
  for (size_t idx = 0; idx < pages.size(); ++idx) pages[idx] = bytes + idx * kPage * latent_bytes;
  return pages;
}

// The layer's latents at these positions, one behind the other.
void copy_latents(Exec& exec, const KvSequence& kv, KvStreamId stream, std::span<const uint32_t> positions,
                  std::span<std::byte* const> pages) {
  const size_t n_bytes = kv.layout().k_bytes(stream);
  exec.pool.parallel_for(pages.size(), [&](size_t page_idx, unsigned) {
    const size_t first = page_idx * KvLayout::kPagePositions;
    const size_t n = std::min<size_t>(positions.size() - first, KvLayout::kPagePositions);
    for (size_t i = 0; i < n; ++i)
      std::memcpy(pages[page_idx] + i * n_bytes, kv.k(stream, 0, positions[first + i]), n_bytes);
  });
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
  const auto floats = [](uint64_t n) { return ScratchArena::bytes_for<float>(n); };
  const uint64_t n_together = std::min<uint64_t>(limits.n_batch, kAbsorbedTogether) * d.n_head;
  const ScratchBytes together = {.shared = n_together * (d.latent_dim() * sizeof(float) +
                                                         Activations::bytes_for(d.qk_nope_head_dim) +
                                                         Activations::bytes_for(d.kv_lora_rank)) +
                                           indexer_dims.top_k * d.latent_dim() * sizeof(float)};
  const uint64_t n_top = indexer_dims.top_k, n_all = n_top == 0 ? limits.n_ctx : std::min(n_top, limits.n_ctx);
  const ScratchBytes absorbed =
      max({.per_thread = floats(d.kv_lora_rank)}, attend_jobs_scratch_bytes(limits, {.k_dim = d.latent_dim(),
                                                                                     .v_dim = d.kv_lora_rank,
                                                                                     .kv_format = limits.kv_format,
                                                                                     .n_positions = n_all,
                                                                                     .n_rows = n_together}));
  const uint64_t n_pages = (n_top + KvLayout::kPagePositions - 1) / KvLayout::kPagePositions;
  const ScratchBytes chosen = n_top == 0 ? ScratchBytes{}
                                         : ScratchBytes{.shared = ScratchArena::bytes_for<std::byte*>(n_pages)} +
                                               IndexerWorkspace::scratch_bytes(indexer_dims, limits.n_ctx) + absorbed;
  if (!d.expands()) return together + max(absorbed, chosen);
  const ScratchBytes expanded =
      ScratchBytes{.shared = Activations::bytes_of_rows(limits.kernels, n_all, d.kv_lora_rank, RowKind::prefill),
                   .per_thread = floats(n_all * (d.qk_head_dim() + d.v_head_dim))} +
      max({.per_thread = floats(d.qk_nope_head_dim)}, attend_jobs_scratch_bytes(limits, {.k_dim = d.qk_head_dim(),
                                                                                         .v_dim = d.v_head_dim,
                                                                                         .kv_format = Format::f32,
                                                                                         .n_positions = n_all,
                                                                                         .n_rows = 0}));
  return together + max(expanded, max(absorbed, chosen));
}

void Mla::add_to(TensorTable& table, const MlaDims& d, float eps) {
  dims = d;
  norm_eps = eps;
  if (d.q_lora_rank == 0) {
    table.linear({"attn_q.weight", "self_attn.q_proj.weight"}, attn_q, d.n_q(), d.n_embd);
  } else {
    table.linear({"attn_q_a.weight", "self_attn.q_a_proj.weight"}, attn_q_a, d.q_lora_rank, d.n_embd);
    table.vector({"attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight"}, attn_q_a_norm, d.q_lora_rank);
    table.linear({"attn_q_b.weight", "self_attn.q_b_proj.weight"}, attn_q_b, d.n_q(), d.q_lora_rank);
  }
  table.linear({"attn_kv_a_mqa.weight", "self_attn.kv_a_proj_with_mqa.weight"}, attn_kv_a_mqa, d.latent_dim(),
               d.n_embd);
  table.vector({"attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight"}, attn_kv_a_norm, d.kv_lora_rank);
  if (table.has({"attn_k_b.weight", ""})) {
    table.heads({"attn_k_b.weight", ""}, attn_k_b,
                {.n_expert = d.n_head, .n_out = d.kv_lora_rank, .n_in = d.qk_nope_head_dim});
    table.heads({"attn_v_b.weight", ""}, attn_v_b,
                {.n_expert = d.n_head, .n_out = d.v_head_dim, .n_in = d.kv_lora_rank});
  } else {
    table.linear({"attn_kv_b.weight", "self_attn.kv_b_proj.weight"}, attn_kv_b,
                 uint64_t{d.n_head} * (d.qk_nope_head_dim + d.v_head_dim), d.kv_lora_rank);
  }
  table.linear({"attn_output.weight", "self_attn.o_proj.weight"}, attn_output, d.n_embd,
               uint64_t{d.n_head} * d.v_head_dim);
}

void Mla::add_to(KvLayout& layout) {
  kv_stream = layout.add({.n_heads = 1, .k_dim = dims.latent_dim(), .v_dim = 0});
  if (indexer.dims.top_k > 0) indexer.add_to(layout);
}

void Mla::keep_key_rows() {
  attn_kv_b.keep_rows();
  for (Linear& head : attn_k_b) head.keep_rows();
}

Linear Mla::k_rows(size_t h) const {
  return attn_kv_b.rows(h * (dims.qk_nope_head_dim + dims.v_head_dim), dims.qk_nope_head_dim);
}

Linear Mla::v_rows(size_t h) const {
  if (!attn_v_b.empty()) return attn_v_b[h];
  return attn_kv_b.rows(h * (dims.qk_nope_head_dim + dims.v_head_dim) + dims.qk_nope_head_dim, dims.v_head_dim);
}

// Queries, latents and rotated keys of all tokens.
void Mla::project(Exec& exec, const AttentionCall& call, const MlaWorkspace& s) const {
  const size_t n = call.rows.size();
  if (dims.q_lora_rank == 0) {
    multiply(exec, call.x, n, {{attn_q, s.q}, {attn_kv_a_mqa, s.kv}});
    return;
  }
  const Matrix& q_lora = s.q_lora.write(0, n);
  multiply(exec, call.x, n, {{attn_q_a, q_lora}, {attn_kv_a_mqa, s.kv}});
  rms_norm(exec, q_lora, call.rows.kinds(), attn_q_a_norm, norm_eps, s.q_lora);
  multiply(exec, s.q_lora, n, {{attn_q_b, s.q}});
}

// A latent, or a query as the latents see it: its two parts are rotated apart, since values are the first alone.
void Mla::rotate_latent_for_cache(const CpuKernels& kernels, Format format, float* latent) const {
  rotate_for_cache(kernels, format, latent, dims.kv_lora_rank, 1);
  rotate_for_cache(kernels, format, latent + dims.kv_lora_rank, dims.qk_rope_head_dim, 1);
}

void Mla::rotate_and_store(const CpuKernels& kernels, const AttentionCall& call, const MlaWorkspace& s,
                           size_t t) const {
  const float* cos_sin = call.angles.row(*rope, t);
  rope->rotate(kernels, s.q.row(t) + dims.qk_nope_head_dim, dims.n_head, dims.qk_head_dim(), cos_sin);
  float* latent = s.kv.row(t);
  kernels.rms_norm(latent, attn_kv_a_norm.data(), norm_eps, dims.kv_lora_rank, latent);
  rope->rotate(kernels, latent + dims.kv_lora_rank, 1, dims.qk_rope_head_dim, cos_sin);
  KvSequence& kv = call.rows.kv(t);
  const Format format = kv.layout().format();
  rotate_latent_for_cache(kernels, format, latent);
  kernels.store(latent, dims.latent_dim(), format, kv.k(kv_stream, 0, call.rows.position(t)));
}

// Row (t - first, h) of q_latent, for n_tokens tokens: the query as the latents see it, then its rotated part.
void Mla::absorb_query(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, size_t first, size_t n_tokens,
                       ScratchArena& own, size_t h) const {
  const CpuKernels& kernels = exec.kernels;
  const auto row_of = [&](size_t t) { return t * dims.n_head + h; };
  for (size_t t = 0; t < n_tokens; ++t) {
    const float* q = s.q.row(first + t) + h * dims.qk_head_dim();
    std::copy_n(q, dims.qk_nope_head_dim, s.q_nope.write(row_of(t), 1).row(row_of(t)));
    std::copy_n(q + dims.qk_nope_head_dim, dims.qk_rope_head_dim, s.q_latent.row(row_of(t)) + dims.kv_lora_rank);
    s.q_nope.quantize_row(kernels, row_of(t), RowKind::decode);
  }
  if (!attn_k_b.empty()) {
    for (size_t t = 0; t < n_tokens; ++t)
      attn_k_b[h].multiply_into(kernels, s.q_nope, row_of(t), 1, s.q_latent.row(row_of(t)), dims.latent_dim());
  } else {
    sum_key_rows(own, s, n_tokens, h);
  }
  for (size_t t = 0; t < n_tokens; ++t)
    rotate_latent_for_cache(kernels, call.rows.kv_layout().format(), s.q_latent.row(row_of(t)));
}
// kv_b has the rows the other way round: the latent query is their sum, each times its part of the query.
void Mla::sum_key_rows(ScratchArena& own, const MlaWorkspace& s, size_t n_tokens, size_t h) const {
  const auto row_of = [&](size_t t) { return t * dims.n_head + h; };
  const ScratchArena::Frame frame(own);
  const std::span<float> row = own.take<float>(dims.kv_lora_rank);
  const Linear rows = k_rows(h);
  for (size_t t = 0; t < n_tokens; ++t) std::fill_n(s.q_latent.row(row_of(t)), dims.kv_lora_rank, 0.0F);
  for (size_t d = 0; d < dims.qk_nope_head_dim; ++d) {
    rows.decode_row(d, row.data());
    for (size_t t = 0; t < n_tokens; ++t) {
      const float q = s.q_nope.row(row_of(t))[d];
      float* out = s.q_latent.row(row_of(t));
      for (size_t c = 0; c < dims.kv_lora_rank; ++c) out[c] += q * row[c];
    }
  }
}

// Heads of a token that attend together, sharing the loads of latents: fewer where there would else be less to do at
// once than threads.
size_t Mla::heads_a_job(const Exec& exec, size_t n_tokens) const {
  const size_t even = (n_tokens * dims.n_head + exec.pool.size() - 1) / exec.pool.size();
  return std::min({kAttendRows, even, size_t{dims.n_head}});
}

// Rows first_row.. of q_latent, which are some heads of one token, attend to all of these latents.
AttendJob Mla::job_of_latents(const Latents& latents, const MlaWorkspace& s, const Matrix& attended, size_t first_row,
                              size_t n_heads) const {
  const size_t stride = facts_of(latents.format).bytes_for(dims.latent_dim());
  return {.args = {.q = s.q_latent.row(first_row),
                   .q_stride = 0,
                   .n_tokens = 1,
                   .n_heads = n_heads,
                   .position = latents.n_positions - 1,
                   .k_dim = dims.latent_dim(),
                   .v_dim = dims.kv_lora_rank,
                   .k_stride = stride,
                   .v_stride = stride,
                   .pages = latents.pages,
                   .page_size = KvLayout::kPagePositions,
                   .k_offset = latents.offset,
                   .v_offset = latents.offset,
                   .kv_format = latents.format,
                   .scale = scale},
          .sinks = nullptr,
          .out = attended.row(first_row),
          .out_stride = 0};
}

// What row (t - first, h) attended to, from latents to values.
void Mla::values_of_latent(const CpuKernels& kernels, Format format, const MlaWorkspace& s, size_t row, float* values,
                           size_t h) const {
  const Matrix& latent = s.latent.write(row, 1);
  rotate_for_cache(kernels, format, latent.row(row), dims.kv_lora_rank, 1);
  s.latent.quantize_row(kernels, row, RowKind::decode);
  v_rows(h).multiply_into(kernels, s.latent, row, 1, values, 0);
}

void Mla::attend_absorbed(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                          RowRange rows) const {
  const KvLayout& layout = call.rows.kv_layout();
  const size_t offset = layout.k_offset(kv_stream, 0);
  const size_t n_heads = heads_a_job(exec, rows.n_rows), jobs_a_token = (dims.n_head + n_heads - 1) / n_heads;
  exec.pool.parallel_for(dims.n_head, [&](size_t h, unsigned thread_idx) {
    absorb_query(exec, call, s, rows.first_row, rows.n_rows, exec.scratch.of_thread(thread_idx), h);
  });
  const Matrix& latent = s.latent.write(0, rows.n_rows * dims.n_head);
  // Of one run the last tokens have the longest way back.
  run_attend_jobs(exec.pool, exec.kernels, exec.scratch, rows.n_rows * jobs_a_token, [&](size_t job_idx) {
    const size_t in_cut = rows.n_rows - 1 - job_idx / jobs_a_token, h = job_idx % jobs_a_token * n_heads;
    const size_t t = rows.first_row + in_cut;
    return job_of_latents({call.rows.kv(t).pages(kv_stream).data(), call.rows.position(t) + 1, offset, layout.format()},
                          s, latent, in_cut * dims.n_head + h, std::min(n_heads, dims.n_head - h));
  });
  exec.pool.parallel_for(rows.n_rows * dims.n_head, [&](size_t row, unsigned) {
    const size_t t = rows.first_row + row / dims.n_head, h = row % dims.n_head;
    values_of_latent(exec.kernels, layout.format(), s, row, attended.row(t) + h * dims.v_head_dim, h);
  });
}

// Tokens of one run one by one, since each has positions of its own; all of their queries are absorbed at once.
void Mla::attend_chosen(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                        RowRange rows) const {
  const KvLayout& layout = call.rows.kv_layout();
  const KvSequence& kv = call.rows.kv(rows.first_row);
  ScratchArena& shared = exec.scratch.shared();
  const ScratchArena::Frame frame(shared);
  const auto pages_of_chosen = pages_of(s.chosen, layout.k_bytes(kv_stream), shared);
  const Latents latents = {pages_of_chosen.data(), indexer.dims.top_k, 0, layout.format()};
  exec.pool.parallel_for(dims.n_head, [&](size_t h, unsigned thread_idx) {
    absorb_query(exec, call, s, rows.first_row, rows.n_rows, exec.scratch.of_thread(thread_idx), h);
  });
  const Matrix& latent = s.latent.write(0, rows.n_rows * dims.n_head);
  const size_t n_heads = heads_a_job(exec, 1);
  for (size_t idx = 0; idx < rows.n_rows; ++idx) {
    const size_t t = rows.first_row + idx, first_row = idx * dims.n_head;
    const ScratchArena::Frame frame_of_token(shared);
    copy_latents(exec, kv, kv_stream, indexer.choose(exec, call, s.indexer, t), pages_of_chosen);
    run_attend_jobs(exec.pool, exec.kernels, exec.scratch, (dims.n_head + n_heads - 1) / n_heads, [&](size_t job_idx) {
      const size_t h = job_idx * n_heads;
      return job_of_latents(latents, s, latent, first_row + h, std::min(n_heads, dims.n_head - h));
    });
    exec.pool.parallel_for(dims.n_head, [&](size_t h, unsigned) {
      values_of_latent(exec.kernels, layout.format(), s, first_row + h, attended.row(t) + h * dims.v_head_dim, h);
    });
  }
}

// A head's keys and values of all positions: [n_positions][nope | rope | v].
void Mla::expand_head(const CpuKernels& kernels, ScratchArena& own, const Activations& latents, size_t n_positions,
                      const KvSequence& kv, size_t h, float* expanded) const {
  const size_t stride = dims.qk_head_dim() + dims.v_head_dim;
  const FormatFacts& format = facts_of(kv.layout().format());
  for (size_t p = 0; p < n_positions; ++p) {
    float* rotated = expanded + p * stride + dims.qk_nope_head_dim;
    format.decode(kv.k(kv_stream, 0, p) + format.bytes_for(dims.kv_lora_rank), rotated,
                  dims.qk_rope_head_dim / format.block_values);
    rotate_for_cache(kernels, format.format, rotated, dims.qk_rope_head_dim, 1);
  }
  v_rows(h).multiply_into(kernels, latents, 0, n_positions, expanded + dims.qk_head_dim(), stride);
  if (attn_k_b.empty()) {
    k_rows(h).multiply_into(kernels, latents, 0, n_positions, expanded, stride);
    return;
  }
  // k_b has the rows the other way round.
  const ScratchArena::Frame frame(own);
  const std::span<float> row = own.take<float>(dims.qk_nope_head_dim);
  for (size_t p = 0; p < n_positions; ++p) std::fill_n(expanded + p * stride, dims.qk_nope_head_dim, 0.0F);
  for (size_t c = 0; c < dims.kv_lora_rank; ++c) {
    attn_k_b[h].decode_row(c, row.data());
    for (size_t p = 0; p < n_positions; ++p) {
      const float latent = latents.row(p)[c];
      float* key = expanded + p * stride;
      for (size_t d = 0; d < dims.qk_nope_head_dim; ++d) key[d] += latent * row[d];
    }
  }
}

// Rows of one run.
void Mla::attend_expanded(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                          RowRange rows) const {
  const KvSequence& kv = call.rows.kv(rows.first_row);
  const size_t position = call.rows.position(rows.first_row), n_positions = position + rows.n_rows;
  const size_t stride = dims.qk_head_dim() + dims.v_head_dim;
  const Activations latents = read_latents(exec, kv, kv_stream, dims, n_positions);
  exec.pool.parallel_for(dims.n_head, [&](size_t h, unsigned thread_idx) {
    ScratchArena& own = exec.scratch.of_thread(thread_idx);
    const ScratchArena::Frame frame(own);
    const std::span<float> expanded = own.take<float>(n_positions * stride);
    expand_head(exec.kernels, own, latents, n_positions, kv, h, expanded.data());
    const auto* page = reinterpret_cast<const std::byte*>(expanded.data());
    const bool by_tiles =
        attends_by_tiles(exec.kernels, call.rows.kinds()[rows.first_row], dims.qk_head_dim(), dims.v_head_dim);
    const size_t max = max_attend_rows(exec.kernels, by_tiles);
    for (size_t idx = 0; idx < rows.n_rows; idx += max) {
      const size_t t = rows.first_row + idx;
      run_attend_job(exec.kernels, own,
                     {.args = {.q = s.q.row(t) + h * dims.qk_head_dim(),
                               .q_stride = s.q.n_cols(),
                               .n_tokens = std::min(max, rows.n_rows - idx),
                               .n_heads = 1,
                               .position = position + idx,
                               .k_dim = dims.qk_head_dim(),
                               .v_dim = dims.v_head_dim,
                               .k_stride = stride * sizeof(float),
                               .v_stride = stride * sizeof(float),
                               .pages = &page,
                               .page_size = n_positions,
                               .k_offset = 0,
                               .v_offset = dims.qk_head_dim() * sizeof(float),
                               .kv_format = Format::f32,
                               .scale = scale,
                               .by_tiles = by_tiles},
                      .sinks = nullptr,
                      .out = attended.row(t) + h * dims.v_head_dim,
                      .out_stride = attended.n_cols()});
    }
  });
}

// Each run by its kind: expanded whole; absorbed together with its neighbours that are; and where there are positions
// to choose among, on its own.
void Mla::attend_rows(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                      MlaMode mode) const {
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
  const KvLayout& layout = call.rows.kv_layout();
  const size_t n = call.rows.size();
  const KvStream& stream = layout.stream(kv_stream);
  OGAS_CHECK(stream.k_dim == dims.latent_dim() && stream.v_dim == 0, "a stream of {} and {}", stream.k_dim,
             stream.v_dim);
  project(exec, call, workspace);
  exec.pool.parallel_for(n, [&](size_t t, unsigned) { rotate_and_store(exec.kernels, call, workspace, t); });
  if (indexer.dims.top_k > 0) indexer.prepare(exec, call, workspace.q_lora, workspace.indexer);
  attend_rows(exec, call, workspace, workspace.attended.write(0, n), mode);
  exec.pool.parallel_for(
      n, [&](size_t t, unsigned) { workspace.attended.quantize_row(exec.kernels, t, call.rows.kinds()[t]); });
  multiply(exec, workspace.attended, n, {{attn_output, call.y}});
}

}  // namespace ogas
