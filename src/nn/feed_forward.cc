#include "nn/feed_forward.h"

#include <algorithm>

#include "base/check.h"

namespace ogas {
namespace {

size_t divide_up(size_t n, size_t by) { return (n + by - 1) / by; }

// Outputs a chunk where n_groups groups have n_out each: whole blocks, no more than a group has. Every chunk reads from
// a new place, which takes memory a moment: all groups together have as many chunks as one layer of that size.
size_t chunk_of_group(size_t n_out, size_t n_groups, unsigned n_threads) {
  const size_t most = divide_up(n_out, kActivationBlock) * kActivationBlock;
  return std::min(most, outputs_per_chunk(n_out * n_groups, n_threads));
}

// Gate, up and activation for outputs o_begin..o_end of a group: whole blocks, so that their 8-bit form is made here,
// too.
void activate(const Ops& ops, const Activations& x, const GatedRows& group, const FeedForwardSpace& space,
              size_t o_begin, size_t o_end) {
  MatmulCall{group.gate, x, space.gate.values(), group.first_row, group.n_rows, o_begin, o_end}.run(ops);
  MatmulCall{group.up, x, space.up, group.first_row, group.n_rows, o_begin, o_end}.run(ops);
  const size_t n = o_end - o_begin;
  for (size_t row = group.first_row; row < group.first_row + group.n_rows; ++row) {
    float *gate = space.gate.row(row) + o_begin, *up = space.up.row(row) + o_begin;
    if (group.gate_bias) ops.add(gate, group.gate_bias + o_begin, n);
    if (group.up_bias) ops.add(up, group.up_bias + o_begin, n);
    group.clamp ? ops.swiglu_clamped(gate, up, n, *group.clamp) : ops.swiglu(gate, up, n);
    space.gate.quantize_part(ops, row, o_begin, o_end, x.kind(row));
  }
}

}  // namespace

void feed_forward(Exec& exec, const Activations& x, std::span<const GatedRows> groups, const FeedForwardSpace& space,
                  const Matrix& y) {
  if (groups.empty()) return;
  const size_t n_ff = groups.front().gate.n_out(), n_embd = groups.front().down.n_out();
  OGAS_CHECK(space.gate.values().n_cols() == n_ff, "space for {} columns, {} needed", space.gate.values().n_cols(),
             n_ff);
  const size_t ff_chunk = chunk_of_group(n_ff, groups.size(), exec.pool.size());
  const size_t n_ff_chunks = divide_up(n_ff, ff_chunk);
  exec.pool.parallel_for(groups.size() * n_ff_chunks, [&](size_t chunk_idx, unsigned) {
    const size_t begin = chunk_idx % n_ff_chunks * ff_chunk;
    activate(exec.ops, x, groups[chunk_idx / n_ff_chunks], space, begin, std::min(n_ff, begin + ff_chunk));
  });
  const size_t out_chunk = chunk_of_group(n_embd, groups.size(), exec.pool.size());
  const size_t n_out_chunks = divide_up(n_embd, out_chunk);
  exec.pool.parallel_for(groups.size() * n_out_chunks, [&](size_t chunk_idx, unsigned) {
    const GatedRows& group = groups[chunk_idx / n_out_chunks];
    const size_t begin = chunk_idx % n_out_chunks * out_chunk, end = std::min(n_embd, begin + out_chunk);
    MatmulCall{group.down, space.gate, y, group.first_row, group.n_rows, begin, end}.run(exec.ops);
    if (!group.down_bias) return;
    for (size_t row = group.first_row; row < group.first_row + group.n_rows; ++row)
      exec.ops.add(y.row(row) + begin, group.down_bias + begin, end - begin);
  });
}

void FeedForward::add_to(TensorTable& table, uint64_t n_embd, uint64_t n_ff) {
  table.linear({"ffn_gate.weight", "mlp.gate_proj.weight"}, ffn_gate, n_ff, n_embd);
  table.linear({"ffn_up.weight", "mlp.up_proj.weight"}, ffn_up, n_ff, n_embd);
  table.linear({"ffn_down.weight", "mlp.down_proj.weight"}, ffn_down, n_embd, n_ff);
}

void FeedForward::forward(Exec& exec, const Activations& x, size_t n_tokens, const FeedForwardSpace& space,
                          const Matrix& y) const {
  const GatedRows rows{ffn_gate, ffn_up, ffn_down, 0, n_tokens};
  feed_forward(exec, x, {&rows, 1}, space, y);
}

}  // namespace ogas
