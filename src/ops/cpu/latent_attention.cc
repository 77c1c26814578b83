// Latent attention: absorbed, or expanded.
#include "ops/latent_attention.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "ops/cpu/attend_jobs.h"
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/rotate_for_cache.h"

namespace ogas {
namespace {

// A query as the latents see it: its two parts are rotated apart, since values are the first alone.
void rotate_latent_for_cache(const CpuKernels& kernels, const LatentSizes& sizes, Format format, float* latent) {
  rotate_for_cache(kernels, format, latent, sizes.rank, 1);
  rotate_for_cache(kernels, format, latent + sizes.rank, sizes.rope_dim, 1);
}

// kv_b has the rows the other way round: the latent query is their sum, each times its part of the query.
void sum_key_rows(ScratchArena& own, const AbsorbInput& a, const Matrix& latent, size_t h) {
  const auto& [n_head, rank, nope_dim, rope_dim, v_dim] = a.heads.sizes;
  const size_t n_tokens = a.rows.n_rows;
  const ScratchArena::Frame frame(own);
  const std::span<float> row = own.take<float>(rank);
  const Linear rows = a.heads.k_rows(h);
  for (size_t t = 0; t < n_tokens; ++t) std::fill_n(latent.row(t * n_head + h), rank, 0.0F);
  for (size_t d = 0; d < nope_dim; ++d) {
    rows.decode_row(d, row.data());
    for (size_t t = 0; t < n_tokens; ++t) {
      const float q = a.nope.row(t * n_head + h)[d];
      float* out = latent.row(t * n_head + h);
      for (size_t c = 0; c < rank; ++c) out[c] += q * row[c];
    }
  }
}

void absorb_head(const CpuKernels& kernels, ScratchArena& own, const AbsorbInput& a, const Matrix& latent, size_t h) {
  const LatentSizes& sizes = a.heads.sizes;
  const auto row_of = [&](size_t t) { return t * sizes.n_head + h; };
  for (size_t t = 0; t < a.rows.n_rows; ++t) {
    const float* q = a.q.row(a.rows.first_row + t) + h * sizes.key_dim();
    std::copy_n(q, sizes.nope_dim, a.nope.write(row_of(t), 1).row(row_of(t)));
    std::copy_n(q + sizes.nope_dim, sizes.rope_dim, latent.row(row_of(t)) + sizes.rank);
    a.nope.quantize_row(kernels, row_of(t), RowKind::decode);
  }
  if (!a.heads.k_b.empty()) {
    for (size_t t = 0; t < a.rows.n_rows; ++t)
      a.heads.k_b[h].multiply_into(kernels, a.nope, row_of(t), 1, latent.row(row_of(t)), sizes.latent_dim());
  } else {
    sum_key_rows(own, a, latent, h);
  }
  for (size_t t = 0; t < a.rows.n_rows; ++t)
    rotate_latent_for_cache(kernels, sizes, a.kv_format, latent.row(row_of(t)));
}

// Heads of a token that attend together, sharing the loads of latents: fewer where there would else be less to do at
// once than threads.
size_t heads_a_job(unsigned n_threads, size_t n_head, size_t n_tokens) {
  const size_t even = (n_tokens * n_head + n_threads - 1) / n_threads;
  return std::min({kAttendRows, even, n_head});
}

// Rows row_idx.. of q, which are some heads of one token, attend to all of these latents.
AttendJob job_of_latents(const LatentAttendInput& a, const SeenPositions& seen, const Matrix& latent, size_t row_idx,
                         size_t n_heads) {
  const LatentSizes& sizes = a.heads.sizes;
  return {.args = {.q = a.q.row(row_idx),
                   .q_stride = 0,
                   .n_tokens = 1,
                   .n_heads = n_heads,
                   .position = seen.n_positions - 1,
                   .k_dim = sizes.latent_dim(),
                   .v_dim = sizes.rank,
                   .k_stride = a.stream.k_bytes,
                   .v_stride = a.stream.k_bytes,
                   .pages = seen.pages,
                   .page_size = a.stream.page_size,
                   .k_offset = a.stream.k_offset,
                   .v_offset = a.stream.k_offset,
                   .kv_format = a.stream.format,
                   .scale = a.scale},
          .sinks = nullptr,
          .out = latent.row(row_idx),
          .out_stride = 0};
}

// What a row attended to, from latents to values.
void values_of_latent(const CpuKernels& kernels, const LatentAttendInput& a, size_t row, float* values, size_t h) {
  const Matrix& latent = a.latent.write(row, 1);
  rotate_for_cache(kernels, a.stream.format, latent.row(row), a.heads.sizes.rank, 1);
  a.latent.quantize_row(kernels, row, RowKind::decode);
  a.heads.v_rows(h).multiply_into(kernels, a.latent, row, 1, values, 0);
}

// Positions that a page of the cache holds are read by the hundred.
Activations read_latents(ThreadPool& pool, const CpuKernels& kernels, const ExpandInput& a, size_t n_positions) {
  const size_t rank = a.heads.sizes.rank;
  Activations latents(n_positions, rank);
  const Matrix& values = latents.write(0, n_positions);
  const FormatFacts& format = facts_of(a.stream.format);
  pool.parallel_for(n_positions, [&](size_t p, unsigned) {
    format.decode(a.stream.k(a.run.pages, 0, p), values.row(p), rank / format.block_values);
    rotate_for_cache(kernels, format.format, values.row(p), rank, 1);
    latents.quantize_row(kernels, p, RowKind::prefill);
  });
  return latents;
}

// A head's keys and values of all positions: [n_positions][nope | rope | v].
void expand_head(const CpuKernels& kernels, ScratchArena& own, const ExpandInput& a, const Activations& latents,
                 size_t n_positions, size_t h, float* expanded) {
  const auto& [n_head, rank, nope_dim, rope_dim, v_dim] = a.heads.sizes;
  const size_t stride = nope_dim + rope_dim + v_dim;
  const FormatFacts& format = facts_of(a.stream.format);
  for (size_t p = 0; p < n_positions; ++p) {
    float* rotated = expanded + p * stride + nope_dim;
    format.decode(a.stream.k(a.run.pages, 0, p) + format.bytes_for(rank), rotated, rope_dim / format.block_values);
    rotate_for_cache(kernels, format.format, rotated, rope_dim, 1);
  }
  a.heads.v_rows(h).multiply_into(kernels, latents, 0, n_positions, expanded + nope_dim + rope_dim, stride);
  if (a.heads.k_b.empty()) {
    a.heads.k_rows(h).multiply_into(kernels, latents, 0, n_positions, expanded, stride);
    return;
  }
  // k_b has the rows the other way round.
  const ScratchArena::Frame frame(own);
  const std::span<float> row = own.take<float>(nope_dim);
  for (size_t p = 0; p < n_positions; ++p) std::fill_n(expanded + p * stride, nope_dim, 0.0F);
  for (size_t c = 0; c < rank; ++c) {
    a.heads.k_b[h].decode_row(c, row.data());
    for (size_t p = 0; p < n_positions; ++p) {
      const float latent = latents.row(p)[c];
      float* key = expanded + p * stride;
      for (size_t d = 0; d < nope_dim; ++d) key[d] += latent * row[d];
    }
  }
}

// One head of some rows, to its expanded keys and values.
AttendJob job_of_expanded(const ExpandInput& a, const Matrix& y, RowRange rows, size_t h, const std::byte* const* page,
                          bool by_tiles) {
  const LatentSizes& sizes = a.heads.sizes;
  const size_t stride = sizes.key_dim() + sizes.v_dim;
  return {.args = {.q = a.q.row(rows.first_row) + h * sizes.key_dim(),
                   .q_stride = a.q.n_cols(),
                   .n_tokens = rows.n_rows,
                   .n_heads = 1,
                   .position = a.run.position + (rows.first_row - a.run.first_row),
                   .k_dim = sizes.key_dim(),
                   .v_dim = sizes.v_dim,
                   .k_stride = stride * sizeof(float),
                   .v_stride = stride * sizeof(float),
                   .pages = page,
                   .page_size = a.run.position + a.run.n_rows,
                   .k_offset = 0,
                   .v_offset = sizes.key_dim() * sizeof(float),
                   .kv_format = Format::f32,
                   .scale = a.scale,
                   .by_tiles = by_tiles},
          .sinks = nullptr,
          .out = y.row(rows.first_row) + h * sizes.v_dim,
          .out_stride = y.n_cols()};
}

}  // namespace

void CpuDevice::absorb(const AbsorbInput& input, const Matrix& latent) {
  const LatentSizes& sizes = input.heads.sizes;
  OGAS_CHECK(input.q.n_cols() == sizes.n_head * sizes.key_dim() && latent.n_cols() == sizes.latent_dim(),
             "queries of {} columns, to {}, in {} heads of {}", input.q.n_cols(), latent.n_cols(), sizes.n_head,
             sizes.key_dim());
  pool_.parallel_for(sizes.n_head, [&](size_t h, unsigned thread_idx) {
    absorb_head(kernels_, scratch_.of_thread(thread_idx), input, latent, h);
  });
}

void CpuDevice::attend_latents(const LatentAttendInput& input, const Matrix& y, size_t first_y_row) {
  const LatentSizes& sizes = input.heads.sizes;
  const size_t n_tokens = input.seen.size(), n_head = sizes.n_head;
  OGAS_CHECK(input.stream.n_heads == 1 && input.stream.k_dim == sizes.latent_dim() && input.stream.v_dim == 0 &&
                 y.n_cols() == n_head * sizes.v_dim,
             "latents of {} and {}, {} columns", input.stream.k_dim, input.stream.v_dim, y.n_cols());
  const size_t n_heads = heads_a_job(pool_.size(), n_head, n_tokens), jobs_a_token = (n_head + n_heads - 1) / n_heads;
  const Matrix& latent = input.latent.write(input.first_row, n_tokens * n_head);
  // Of one run the last tokens have the longest way back.
  run_attend_jobs(pool_, kernels_, scratch_, n_tokens * jobs_a_token, [&](size_t job_idx) {
    const size_t idx = n_tokens - 1 - job_idx / jobs_a_token, h = job_idx % jobs_a_token * n_heads;
    return job_of_latents(input, input.seen[idx], latent, input.first_row + idx * n_head + h,
                          std::min(n_heads, n_head - h));
  });
  pool_.parallel_for(n_tokens * n_head, [&](size_t idx, unsigned) {
    const size_t h = idx % n_head;
    values_of_latent(kernels_, input, input.first_row + idx, y.row(first_y_row + idx / n_head) + h * sizes.v_dim, h);
  });
}

void CpuDevice::attend_expanded(const ExpandInput& input, const Matrix& y) {
  const LatentSizes& sizes = input.heads.sizes;
  const KvRun& run = input.run;
  const size_t n_positions = run.position + run.n_rows;
  OGAS_CHECK(input.stream.k_dim == sizes.latent_dim() && y.n_cols() == sizes.n_head * sizes.v_dim,
             "latents of {}, {} columns", input.stream.k_dim, y.n_cols());
  const bool by_tiles = attends_by_tiles(kernels_, run.kind, sizes.key_dim(), sizes.v_dim);
  const size_t max = max_attend_rows(kernels_, by_tiles);
  const Activations latents = read_latents(pool_, kernels_, input, n_positions);
  pool_.parallel_for(sizes.n_head, [&](size_t h, unsigned thread_idx) {
    ScratchArena& own = scratch_.of_thread(thread_idx);
    const ScratchArena::Frame frame(own);
    const std::span<float> expanded = own.take<float>(n_positions * (sizes.key_dim() + sizes.v_dim));
    expand_head(kernels_, own, input, latents, n_positions, h, expanded.data());
    const auto* page = reinterpret_cast<const std::byte*>(expanded.data());
    for (size_t idx = 0; idx < run.n_rows; idx += max)
      run_attend_job(
          kernels_, own,
          job_of_expanded(input, y, {run.first_row + idx, std::min(max, run.n_rows - idx)}, h, &page, by_tiles));
  });
}

ScratchBytes absorbed_scratch_bytes(const PassLimits& limits, const LatentSizes& sizes, uint64_t n_together,
                                    uint64_t n_positions) {
  return max({.per_thread = ScratchArena::bytes_for<float>(sizes.rank)},
             attend_jobs_scratch_bytes(limits, {.k_dim = sizes.latent_dim(),
                                                .v_dim = sizes.rank,
                                                .kv_format = limits.kv_format,
                                                .n_positions = n_positions,
                                                .n_rows = n_together * sizes.n_head}));
}

ScratchBytes expanded_scratch_bytes(const PassLimits& limits, const LatentSizes& sizes, uint64_t n_positions) {
  const auto floats = [](uint64_t n) { return ScratchArena::bytes_for<float>(n); };
  return ScratchBytes{.shared = Activations::bytes_of_rows(limits.kernels, n_positions, sizes.rank, RowKind::prefill),
                      .per_thread = floats(n_positions * (sizes.key_dim() + sizes.v_dim))} +
         max({.per_thread = floats(sizes.nope_dim)}, attend_jobs_scratch_bytes(limits, {.k_dim = sizes.key_dim(),
                                                                                        .v_dim = sizes.v_dim,
                                                                                        .kv_format = Format::f32,
                                                                                        .n_positions = n_positions,
                                                                                        .n_rows = 0}));
}

}  // namespace ogas
