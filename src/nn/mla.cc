#include "nn/mla.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "nn/layers.h"

namespace ogas {
namespace {

// Positions that a page of the cache holds are read by the hundred.
Activations read_latents(Exec& exec, const AttentionCall& call, const MlaDims& dims, size_t n_positions) {
  Activations latents(n_positions, dims.kv_lora_rank);
  const FormatFacts& format = facts_of(call.kv.shape().format);
  exec.pool.parallel_for(n_positions, [&](size_t p, unsigned) {
    format.decode(call.kv.k(call.layer_idx, 0, p), latents.row(p), dims.kv_lora_rank / format.block_values);
    rotate_for_cache(exec.ops, format.format, latents.row(p), dims.kv_lora_rank, 1);
    latents.quantize_row(exec.ops, p);
  });
  return latents;
}

// Rows of floats as pages of latents in the cache's format, which is no larger.
std::vector<std::byte*> pages_of(const Matrix& latents, const KvShape& shape) {
  std::vector<std::byte*> pages;
  auto* const bytes = reinterpret_cast<std::byte*>(latents.data());
  for (size_t first = 0; first < latents.max_rows(); first += KvShape::kPagePositions)
    pages.push_back(bytes + first * shape.k_bytes());
  return pages;
}

// The layer's latents at these positions, one behind the other.
void copy_latents(Exec& exec, const AttentionCall& call, std::span<const uint32_t> positions,
                  std::span<std::byte* const> pages) {
  const size_t n_bytes = call.kv.shape().k_bytes();
  exec.pool.parallel_for(pages.size(), [&](size_t page_idx, unsigned) {
    const size_t first = page_idx * KvShape::kPagePositions;
    const size_t n = std::min<size_t>(positions.size() - first, KvShape::kPagePositions);
    for (size_t i = 0; i < n; ++i)
      std::memcpy(pages[page_idx] + i * n_bytes, call.kv.k(call.layer_idx, 0, positions[first + i]), n_bytes);
  });
}

}  // namespace

size_t MlaDims::n_tokens_to_expand() const {
  const int64_t saved = int64_t{kv_lora_rank} * 2 + qk_rope_head_dim - qk_head_dim() - v_head_dim;
  if (saved <= 0) return SIZE_MAX;  // latents are no larger than keys and values: never
  return static_cast<size_t>(int64_t{kv_lora_rank} * (qk_nope_head_dim + v_head_dim) / saved);
}

MlaSpace::MlaSpace(const MlaDims& d, size_t n_batch, const IndexerDims& indexer_dims)
    : q_lora(n_batch, d.q_lora_rank),
      q(n_batch, d.n_q()),
      kv(n_batch, d.latent_dim()),
      attended(n_batch, size_t{d.n_head} * d.v_head_dim),
      q_nope(std::min(n_batch, d.n_tokens_to_expand()) * d.n_head, d.qk_nope_head_dim),
      q_latent(q_nope.values().max_rows(), d.latent_dim()),
      latent(q_nope.values().max_rows(), d.kv_lora_rank),
      indexer(indexer_dims, n_batch),
      chosen(indexer_dims.top_k, d.latent_dim()) {}

uint64_t MlaSpace::bytes_per_token(const MlaDims& d, const IndexerDims& indexer_dims) {
  const uint64_t plain = d.n_q() + d.latent_dim() + uint64_t{d.n_head} * d.latent_dim();
  const uint64_t quantized = d.q_lora_rank + uint64_t{d.n_head} * (d.v_head_dim + d.qk_nope_head_dim + d.kv_lora_rank);
  return plain * sizeof(float) + Activations::bytes_for(quantized) + IndexerSpace::bytes_per_token(indexer_dims);
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

Linear Mla::k_rows(size_t h) const {
  return attn_kv_b.rows(h * (dims.qk_nope_head_dim + dims.v_head_dim), dims.qk_nope_head_dim);
}

Linear Mla::v_rows(size_t h) const {
  if (!attn_v_b.empty()) return attn_v_b[h];
  return attn_kv_b.rows(h * (dims.qk_nope_head_dim + dims.v_head_dim) + dims.qk_nope_head_dim, dims.v_head_dim);
}

// Queries, latents and rotated keys of all tokens.
void Mla::project(Exec& exec, const AttentionCall& call, const MlaSpace& s) const {
  const size_t n = call.n_tokens;
  if (dims.q_lora_rank == 0) {
    multiply(exec, call.x, n, {{attn_q, s.q}, {attn_kv_a_mqa, s.kv}});
    return;
  }
  multiply(exec, call.x, n, {{attn_q_a, s.q_lora.values()}, {attn_kv_a_mqa, s.kv}});
  rms_norm(exec, s.q_lora.values(), n, attn_q_a_norm, norm_eps, s.q_lora);
  multiply(exec, s.q_lora, n, {{attn_q_b, s.q}});
}

// A latent, or a query as the latents see it: its two parts are rotated apart, since values are the first alone.
void Mla::rotate_latent_for_cache(const Ops& ops, Format format, float* latent) const {
  rotate_for_cache(ops, format, latent, dims.kv_lora_rank, 1);
  rotate_for_cache(ops, format, latent + dims.kv_lora_rank, dims.qk_rope_head_dim, 1);
}

void Mla::rotate_and_store(const Ops& ops, const AttentionCall& call, const MlaSpace& s, size_t t) const {
  const float* cos_sin = call.cos_sin.row(t);
  call.rope->rotate(ops, s.q.row(t) + dims.qk_nope_head_dim, dims.n_head, dims.qk_head_dim(), cos_sin);
  float* latent = s.kv.row(t);
  ops.rms_norm(latent, attn_kv_a_norm.data(), norm_eps, dims.kv_lora_rank, latent);
  call.rope->rotate(ops, latent + dims.kv_lora_rank, 1, dims.qk_rope_head_dim, cos_sin);
  const Format format = call.kv.shape().format;
  rotate_latent_for_cache(ops, format, latent);
  ops.store(latent, dims.latent_dim(), format, call.kv.k(call.layer_idx, 0, call.position + t));
}

// Row (t - first, h) of q_latent, for n_tokens tokens: the query as the latents see it, then its rotated part.
void Mla::absorb_query(Exec& exec, const AttentionCall& call, const MlaSpace& s, size_t first, size_t n_tokens,
                       size_t h) const {
  const Ops& ops = exec.ops;
  const auto row_of = [&](size_t t) { return t * dims.n_head + h; };
  for (size_t t = 0; t < n_tokens; ++t) {
    const float* q = s.q.row(first + t) + h * dims.qk_head_dim();
    std::copy_n(q, dims.qk_nope_head_dim, s.q_nope.row(row_of(t)));
    std::copy_n(q + dims.qk_nope_head_dim, dims.qk_rope_head_dim, s.q_latent.row(row_of(t)) + dims.kv_lora_rank);
    s.q_nope.quantize_row(ops, row_of(t));
  }
  if (!attn_k_b.empty()) {
    for (size_t t = 0; t < n_tokens; ++t)
      attn_k_b[h].multiply_into(ops, s.q_nope, row_of(t), 1, s.q_latent.row(row_of(t)), dims.latent_dim());
  } else {
    sum_key_rows(s, n_tokens, h);
  }
  for (size_t t = 0; t < n_tokens; ++t) rotate_latent_for_cache(ops, call.kv.shape().format, s.q_latent.row(row_of(t)));
}
// kv_b has the rows the other way round: the latent query is their sum, each times its part of the query.
void Mla::sum_key_rows(const MlaSpace& s, size_t n_tokens, size_t h) const {
  const auto row_of = [&](size_t t) { return t * dims.n_head + h; };
  thread_local std::vector<float> row;
  row.resize(dims.kv_lora_rank);
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

// Rows first_row.. of q_latent, which are some heads of one token, attend to all of these latents.
AttendJob Mla::job_of_latents(const Latents& latents, const MlaSpace& s, size_t first_row, size_t n_heads) const {
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
                   .page_size = KvShape::kPagePositions,
                   .k_offset = latents.offset,
                   .v_offset = latents.offset,
                   .kv_format = latents.format,
                   .scale = scale},
          .sinks = nullptr,
          .out = s.latent.row(first_row),
          .out_stride = 0};
}

// What row (t - first, h) attended to, from latents to values.
void Mla::values_of_latent(const Ops& ops, Format format, const MlaSpace& s, size_t row, size_t t, size_t h) const {
  rotate_for_cache(ops, format, s.latent.row(row), dims.kv_lora_rank, 1);
  s.latent.quantize_row(ops, row);
  v_rows(h).multiply_into(ops, s.latent, row, 1, s.attended.row(t) + h * dims.v_head_dim, 0);
}

void Mla::attend_absorbed(Exec& exec, const AttentionCall& call, const MlaSpace& s) const {
  const KvShape& shape = call.kv.shape();
  const size_t n_rows = call.n_tokens * dims.n_head, offset = shape.k_offset(call.layer_idx, 0);
  const size_t jobs_a_token = (dims.n_head + kAttendRows - 1) / kAttendRows;
  exec.pool.parallel_for(dims.n_head, [&](size_t h, unsigned) { absorb_query(exec, call, s, 0, call.n_tokens, h); });
  // The last tokens have the longest way back.
  attend(exec, call.n_tokens * jobs_a_token, [&](size_t job_idx) {
    const size_t t = call.n_tokens - 1 - job_idx / jobs_a_token, h = job_idx % jobs_a_token * kAttendRows;
    return job_of_latents({call.kv.pages().data(), call.position + t + 1, offset, shape.format}, s, t * dims.n_head + h,
                          std::min(kAttendRows, dims.n_head - h));
  });
  exec.pool.parallel_for(n_rows, [&](size_t row, unsigned) {
    values_of_latent(exec.ops, shape.format, s, row, row / dims.n_head, row % dims.n_head);
  });
}

// Tokens one by one, since each has positions of its own; as many of their queries are absorbed at once as there is
// room.
void Mla::attend_chosen(Exec& exec, const AttentionCall& call, const MlaSpace& s) const {
  const KvShape& shape = call.kv.shape();
  const size_t top_k = indexer.dims.top_k, n_together = s.q_nope.values().max_rows() / dims.n_head;
  const auto pages_of_chosen = pages_of(s.chosen, shape);
  for (size_t t = 0; t < call.n_tokens; ++t) {
    const size_t first = t / n_together * n_together;
    if (t == first)
      exec.pool.parallel_for(dims.n_head, [&](size_t h, unsigned) {
        absorb_query(exec, call, s, first, std::min(n_together, call.n_tokens - first), h);
      });
    Latents latents = {call.kv.pages().data(), call.position + t + 1, shape.k_offset(call.layer_idx, 0), shape.format};
    if (latents.n_positions > top_k) {
      copy_latents(exec, call, indexer.choose(exec, call, s.indexer, t), pages_of_chosen);
      latents = {pages_of_chosen.data(), top_k, 0, shape.format};
    }
    const size_t first_row = (t - first) * dims.n_head;
    attend(exec, (dims.n_head + kAttendRows - 1) / kAttendRows, [&](size_t job_idx) {
      const size_t h = job_idx * kAttendRows;
      return job_of_latents(latents, s, first_row + h, std::min(kAttendRows, dims.n_head - h));
    });
    exec.pool.parallel_for(
        dims.n_head, [&](size_t h, unsigned) { values_of_latent(exec.ops, shape.format, s, first_row + h, t, h); });
  }
}

// A head's keys and values of all positions: [n_positions][nope | rope | v].
void Mla::expand_head(const Ops& ops, const Activations& latents, size_t n_positions, const KvSequence& kv,
                      size_t layer_idx, size_t h, float* expanded) const {
  const size_t stride = dims.qk_head_dim() + dims.v_head_dim;
  const FormatFacts& format = facts_of(kv.shape().format);
  for (size_t p = 0; p < n_positions; ++p) {
    float* rotated = expanded + p * stride + dims.qk_nope_head_dim;
    format.decode(kv.k(layer_idx, 0, p) + format.bytes_for(dims.kv_lora_rank), rotated,
                  dims.qk_rope_head_dim / format.block_values);
    rotate_for_cache(ops, format.format, rotated, dims.qk_rope_head_dim, 1);
  }
  v_rows(h).multiply_into(ops, latents, 0, n_positions, expanded + dims.qk_head_dim(), stride);
  if (attn_k_b.empty()) {
    k_rows(h).multiply_into(ops, latents, 0, n_positions, expanded, stride);
    return;
  }
  // k_b has the rows the other way round.
  thread_local std::vector<float> row;
  row.resize(dims.qk_nope_head_dim);
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

void Mla::attend_expanded(Exec& exec, const AttentionCall& call, const MlaSpace& s) const {
  const size_t n_positions = call.position + call.n_tokens;
  const size_t stride = dims.qk_head_dim() + dims.v_head_dim;
  const Activations latents = read_latents(exec, call, dims, n_positions);
  exec.pool.parallel_for(dims.n_head, [&](size_t h, unsigned) {
    thread_local std::vector<float> expanded;
    expanded.resize(n_positions * stride);
    expand_head(exec.ops, latents, n_positions, call.kv, call.layer_idx, h, expanded.data());
    const auto* page = reinterpret_cast<const std::byte*>(expanded.data());
    for (size_t t = 0; t < call.n_tokens; t += kAttendRows)
      attend(exec.ops, {.args = {.q = s.q.row(t) + h * dims.qk_head_dim(),
                                 .q_stride = s.q.n_cols(),
                                 .n_tokens = std::min(kAttendRows, call.n_tokens - t),
                                 .n_heads = 1,
                                 .position = call.position + t,
                                 .k_dim = dims.qk_head_dim(),
                                 .v_dim = dims.v_head_dim,
                                 .k_stride = stride * sizeof(float),
                                 .v_stride = stride * sizeof(float),
                                 .pages = &page,
                                 .page_size = n_positions,
                                 .k_offset = 0,
                                 .v_offset = dims.qk_head_dim() * sizeof(float),
                                 .kv_format = Format::f32,
                                 .scale = scale},
                        .sinks = nullptr,
                        .out = s.attended.row(t) + h * dims.v_head_dim,
                        .out_stride = s.attended.values().n_cols()});
  });
}

void Mla::forward(Exec& exec, const AttentionCall& call, const MlaSpace& space, MlaMode mode) const {
  const KvShape& shape = call.kv.shape();
  const size_t n = call.n_tokens;
  OGAS_CHECK(call.kv.n_positions() >= call.position + n && shape.k_dim == dims.latent_dim() && shape.v_dim == 0,
             "{} positions of {} and {}", call.kv.n_positions(), shape.k_dim, shape.v_dim);
  project(exec, call, space);
  exec.pool.parallel_for(n, [&](size_t t, unsigned) { rotate_and_store(exec.ops, call, space, t); });
  if (indexer.dims.top_k > 0) indexer.prepare(exec, call, space.q_lora, space.indexer);
  const bool fits = n * dims.n_head <= space.q_nope.values().max_rows();
  const bool expand =
      mode == MlaMode::expanded || !fits || (mode == MlaMode::automatic && n >= dims.n_tokens_to_expand());
  if (indexer.has_to_choose(call))
    attend_chosen(exec, call, space);
  else
    expand ? attend_expanded(exec, call, space) : attend_absorbed(exec, call, space);
  exec.pool.parallel_for(n, [&](size_t t, unsigned) { space.attended.quantize_row(exec.ops, t); });
  multiply(exec, space.attended, n, {{attn_output, call.y}});
}

}  // namespace ogas
