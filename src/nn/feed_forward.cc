#include "nn/feed_forward.h"

namespace ogas {

void FeedForward::add_to(TensorTable& table, uint64_t n_embd, uint64_t n_ff) {
  const Shard rows = Shard::rows(ShardUnit::ff, n_ff), columns = Shard::columns(ShardUnit::ff, n_ff);
  table.linear({"ffn_gate.weight", "mlp.gate_proj.weight"}, ffn_gate, n_ff, n_embd, rows);
  table.linear({"ffn_up.weight", "mlp.up_proj.weight"}, ffn_up, n_ff, n_embd, rows);
  table.linear({"ffn_down.weight", "mlp.down_proj.weight"}, ffn_down, n_embd, n_ff, columns);
}

GatedRows FeedForward::rows_of(const Activations& x, size_t n_tokens, const Activations& gated, const Matrix& y) const {
  return {.gate = ffn_gate,
          .up = ffn_up,
          .down = ffn_down,
          .x = x,
          .gated = gated,
          .y = y,
          .first_row = 0,
          .n_rows = n_tokens,
          .glu = glu};
}

void FeedForward::forward(Exec& exec, const Activations& x, size_t n_tokens, const Activations& gated,
                          const Matrix& y) const {
  const GatedRows rows = rows_of(x, n_tokens, gated, y);
  exec.device.gated_ffn({&rows, 1});
}

}  // namespace ogas
