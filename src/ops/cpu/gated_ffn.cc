#include "ops/gated_ffn.h"

#include <algorithm>

#include "base/check.h"
#include "ops/cpu/cpu_device.h"

namespace ogas {
namespace {

// Outputs of some rows of a group.
struct GroupChunk {
  size_t group_idx, first_row, n_rows, o_begin, o_end;
};

size_t n_pieces(size_t n, size_t n_max) { return (n + n_max - 1) / n_max; }

// The outputs of some groups' linear_of(group), cut into chunks for a parallel region. Every chunk reads from a new
// address, which takes memory a moment: all groups together have as many chunks as one layer of that size. Chunks are
// whole blocks, and none has outputs of two groups.
std::span<const GroupChunk> cut_groups(const CpuKernels& kernels, unsigned n_threads, ScratchArena& shared,
                                       std::span<const GatedRows> groups, const auto& linear_of) {
  size_t n_all = 0, n_products = 0;
  for (const GatedRows& group : groups) {
    n_all += linear_of(group).n_out();
    n_products += linear_of(group).n_out() * group.n_rows;
  }
  const size_t max = outputs_per_chunk(n_all, n_threads, n_products / n_all);
  const auto max_rows_of = [&](const GatedRows& group) {
    return rows_per_chunk(kernels, linear_of(group).n_in(), group.n_rows);
  };
  size_t n_chunks = 0;
  for (const GatedRows& group : groups)
    n_chunks += n_pieces(group.n_rows, max_rows_of(group)) * n_pieces(linear_of(group).n_out(), max);
  const std::span<GroupChunk> chunks = shared.take<GroupChunk>(n_chunks);
  size_t n_made = 0;
  for (size_t group_idx = 0; group_idx < groups.size(); ++group_idx) {
    const GatedRows& group = groups[group_idx];
    const size_t n_out = linear_of(group).n_out(), max_rows = max_rows_of(group);
    for (size_t row = 0; row < group.n_rows; row += max_rows)
      for (size_t begin = 0; begin < n_out; begin += max)
        chunks[n_made++] = {group_idx, group.first_row + row, std::min(max_rows, group.n_rows - row), begin,
                            std::min(n_out, begin + max)};
  }
  return chunks;
}

// gate = f(gate) * up.
void apply_glu(const CpuKernels& kernels, const Glu& glu, float* gate, const float* up, size_t n) {
  switch (glu.kind) {
    case Glu::Kind::silu: return kernels.swiglu(gate, up, n);
    case Glu::Kind::gelu_tanh: return kernels.geglu(gate, up, n);
    case Glu::Kind::clamped_silu: return kernels.swiglu_clamped(gate, up, n, glu.clamp);
  }
}

// Gate, up and activation for whole blocks of outputs, whose 8-bit form is made here, too: what the two products are
// stays in this thread's cache.
void activate(const CpuKernels& kernels, ScratchArena& own, const GatedRows& group, const GroupChunk& chunk) {
  const auto [group_idx, first_row, n_rows, o_begin, o_end] = chunk;
  const size_t n = o_end - o_begin;
  const ScratchArena::Frame frame(own);
  float *gates = own.take<float>(2 * n_rows * n).data(), *ups = gates + n_rows * n;
  MatmulCall{group.gate, group.x, first_row, n_rows, o_begin, o_end}.run(kernels, gates, n);
  MatmulCall{group.up, group.x, first_row, n_rows, o_begin, o_end}.run(kernels, ups, n);
  for (size_t idx = 0; idx < n_rows; ++idx) {
    float *gate = gates + idx * n, *up = ups + idx * n;
    if (!group.gate_bias.empty()) kernels.add(gate, group.gate_bias.data() + o_begin, n);
    if (!group.up_bias.empty()) kernels.add(up, group.up_bias.data() + o_begin, n);
    apply_glu(kernels, group.glu, gate, up, n);
    const RowKind kind = group.x.kind(first_row + idx);
    group.gated.quantize_part(kernels, first_row + idx, o_begin, {gate, n}, kind, group.down.reads_values(kernels));
  }
}

void project_down(const CpuKernels& kernels, ScratchArena&, const GatedRows& group, const GroupChunk& chunk) {
  const auto [group_idx, first_row, n_rows, o_begin, o_end] = chunk;
  MatmulCall{group.down, group.gated, first_row, n_rows, o_begin, o_end}.run(kernels, group.y);
  if (group.down_bias.empty()) return;
  for (size_t row = first_row; row < first_row + n_rows; ++row)
    kernels.add(group.y.row(row) + o_begin, group.down_bias.data() + o_begin, o_end - o_begin);
}

}  // namespace

void CpuDevice::gated_ffn(std::span<const GatedRows> groups) {
  if (groups.empty()) return;
  for (const GatedRows& group : groups) {
    OGAS_CHECK(group.gated.n_cols() == group.gate.n_out(), "space for {} columns, {} needed", group.gated.n_cols(),
               group.gate.n_out());
    group.gated.write(group.first_row, group.n_rows);
  }
  const auto for_chunks = [&](const auto& linear_of, const auto& run) {
    const ScratchArena::Frame frame(scratch_.shared());
    const std::span<const GroupChunk> chunks = cut_groups(kernels_, pool_.size(), scratch_.shared(), groups, linear_of);
    pool_.parallel_for(chunks.size(), [&](size_t chunk_idx, unsigned thread_idx) {
      run(kernels_, scratch_.of_thread(thread_idx), groups[chunks[chunk_idx].group_idx], chunks[chunk_idx]);
    });
  };
  for_chunks([](const GatedRows& group) -> const Linear& { return group.gate; }, activate);
  for_chunks([](const GatedRows& group) -> const Linear& { return group.down; }, project_down);
}

ScratchBytes gated_ffn_scratch_bytes(const PassLimits& limits, const GatedSizes& sizes) {
  constexpr size_t kMinOutputs = 32, kManyTokens = 64;
  const auto [n_embd, n_ff, n_groups, n_rows] = sizes;
  const size_t max_rows = std::min(rows_per_chunk(limits.kernels, n_embd, n_rows), limits.n_batch);
  const size_t max = std::min(n_ff, outputs_per_chunk(n_ff * n_groups, limits.n_threads, kManyTokens));
  const size_t n_row_pieces =
      n_groups + n_pieces(n_rows, rows_per_chunk(limits.kernels, std::max(n_ff, n_embd), n_rows));
  const size_t n_chunks = n_row_pieces * n_pieces(std::max(n_ff, n_embd), kMinOutputs);
  return {.shared = ScratchArena::bytes_for<GroupChunk>(n_chunks),
          .per_thread = ScratchArena::bytes_for<float>(2 * max_rows * max)};
}

}  // namespace ogas
