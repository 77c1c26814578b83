#include "nn/feed_forward.h"

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace ogas {
namespace {

struct GroupChunk {
  size_t group_idx, o_begin, o_end;
};

// The outputs of some groups, n_out of each, cut into chunks for a parallel region. Every chunk reads from a new place,
// which takes memory a moment: all groups together have as many chunks as one layer of that size. Chunks are whole
// blocks, and none has outputs of two groups. Valid until this thread's next call.
std::span<const GroupChunk> cut_groups(std::span<const GatedRows> groups, unsigned n_threads, const auto& n_out) {
  size_t n_all = 0, n_products = 0;
  for (const GatedRows& group : groups) {
    n_all += n_out(group);
    n_products += n_out(group) * group.n_rows;
  }
  const size_t most = outputs_per_chunk(n_all, n_threads, n_products / n_all);
  thread_local std::vector<GroupChunk> chunks;
  chunks.clear();
  for (size_t group_idx = 0; group_idx < groups.size(); ++group_idx)
    for (size_t begin = 0, n = n_out(groups[group_idx]); begin < n; begin += most)
      chunks.push_back({group_idx, begin, std::min(n, begin + most)});
  return chunks;
}

// Gate, up and activation for outputs o_begin..o_end of a group: whole blocks, so that their 8-bit form is made here,
// too.
void activate(const Ops& ops, const GatedRows& group, size_t o_begin, size_t o_end) {
  const FeedForwardSpace& space = group.space;
  MatmulCall{group.gate, group.x, space.gate.values(), group.first_row, group.n_rows, o_begin, o_end}.run(ops);
  MatmulCall{group.up, group.x, space.up, group.first_row, group.n_rows, o_begin, o_end}.run(ops);
  const size_t n = o_end - o_begin;
  for (size_t row = group.first_row; row < group.first_row + group.n_rows; ++row) {
    float *gate = space.gate.row(row) + o_begin, *up = space.up.row(row) + o_begin;
    if (group.gate_bias) ops.add(gate, group.gate_bias + o_begin, n);
    if (group.up_bias) ops.add(up, group.up_bias + o_begin, n);
    group.clamp ? ops.swiglu_clamped(gate, up, n, *group.clamp) : ops.swiglu(gate, up, n);
    space.gate.quantize_part(ops, row, o_begin, o_end, group.x.kind(row));
  }
}

void project_down(const Ops& ops, const GatedRows& group, size_t o_begin, size_t o_end) {
  MatmulCall{group.down, group.space.gate, group.y, group.first_row, group.n_rows, o_begin, o_end}.run(ops);
  if (!group.down_bias) return;
  for (size_t row = group.first_row; row < group.first_row + group.n_rows; ++row)
    ops.add(group.y.row(row) + o_begin, group.down_bias + o_begin, o_end - o_begin);
}

}  // namespace

void feed_forward(Exec& exec, std::span<const GatedRows> groups) {
  if (groups.empty()) return;
  for (const GatedRows& group : groups)
    OGAS_CHECK(group.space.gate.values().n_cols() == group.gate.n_out(), "space for {} columns, {} needed",
               group.space.gate.values().n_cols(), group.gate.n_out());
  const auto for_chunks = [&](const auto& n_out, const auto& run) {
    const std::span<const GroupChunk> chunks = cut_groups(groups, exec.pool.size(), n_out);
    exec.pool.parallel_for(chunks.size(), [&](size_t chunk_idx, unsigned) {
      const auto [group_idx, o_begin, o_end] = chunks[chunk_idx];
      run(exec.ops, groups[group_idx], o_begin, o_end);
    });
  };
  for_chunks([](const GatedRows& group) { return group.gate.n_out(); }, activate);
  for_chunks([](const GatedRows& group) { return group.down.n_out(); }, project_down);
}

void FeedForward::add_to(TensorTable& table, uint64_t n_embd, uint64_t n_ff) {
  table.linear({"ffn_gate.weight", "mlp.gate_proj.weight"}, ffn_gate, n_ff, n_embd);
  table.linear({"ffn_up.weight", "mlp.up_proj.weight"}, ffn_up, n_ff, n_embd);
  table.linear({"ffn_down.weight", "mlp.down_proj.weight"}, ffn_down, n_embd, n_ff);
}

GatedRows FeedForward::rows_of(const Activations& x, size_t n_tokens, const FeedForwardSpace& space,
                               const Matrix& y) const {
  return {.gate = ffn_gate,
          .up = ffn_up,
          .down = ffn_down,
          .x = x,
          .space = space,
          .y = y,
          .first_row = 0,
          .n_rows = n_tokens};
}

void FeedForward::forward(Exec& exec, const Activations& x, size_t n_tokens, const FeedForwardSpace& space,
                          const Matrix& y) const {
  const GatedRows rows = rows_of(x, n_tokens, space, y);
  feed_forward(exec, {&rows, 1});
}

}  // namespace ogas
