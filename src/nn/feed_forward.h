// The gated feed-forward block, down(f(gate(x)) * up(x)) (Shazeer 2020).
#pragma once

#include <cstddef>
#include <cstdint>

#include "nn/tensor_table.h"
#include "ops/exec.h"
#include "ops/gated_ffn.h"
#include "ops/linear.h"
#include "ops/matrix.h"

namespace ogas {

struct FeedForward {
  Linear ffn_gate, ffn_up;  // [n_ff, n_embd]
  Linear ffn_down;          // [n_embd, n_ff]
  Glu glu;

  // By the names everybody uses.
  void add_to(TensorTable& table, uint64_t n_embd, uint64_t n_ff);
  // Rows 0..n_tokens; what is given must live as long as they do.
  GatedRows rows_of(const Activations& x, size_t n_tokens, const Activations& gated, const Matrix& y) const;
  void forward(Exec& exec, const Activations& x, size_t n_tokens, const Activations& gated, const Matrix& y) const;
};

}  // namespace ogas
