// The gated feed-forward block, down(f(gate(x)) * up(x)) (Shazeer 2020), alone or for many experts at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "nn/tensor_table.h"
#include "ops/exec.h"
#include "ops/linear.h"
#include "ops/matrix.h"

namespace ogas {

// What becomes of gate and up (kernels/cpu_kernels.h).
struct Glu {
  enum class Kind : uint8_t { silu, gelu_tanh, clamped_silu };
  Kind kind = Kind::silu;
  SwigluClamp clamp = {};  // of clamped_silu

  // gate = f(gate) * up, or what clamped_silu is.
  void apply(const CpuKernels& kernels, float* gate, const float* up, size_t n) const;
};

// Rows first_row..first_row + n_rows of x through one set of matrices, to the same rows of y.
struct GatedRows {
  const Linear& gate;  // [n_ff, n_embd]
  const Linear& up;    // [n_ff, n_embd]
  const Linear& down;  // [n_embd, n_ff]
  const Activations& x;
  const Activations& gated;  // space of n_ff columns: f(gate(x)) * up(x)
  const Matrix& y;
  size_t first_row, n_rows;
  Glu glu = {};
  const float* gate_bias = nullptr;  // [n_ff]; null: none
  const float* up_bias = nullptr;    // [n_ff]
  const float* down_bias = nullptr;  // [n_embd]
};

// y = down(f(gate(x)) * up(x)), with the group's biases and its f, for every group of rows, as two
// parallel regions whatever the number of groups: gate, up and activation in one, down in the other.
void feed_forward(Exec& exec, std::span<const GatedRows> groups);

// Sizes of at most n_groups sets of matrices, which n_rows rows go through in all.
struct GatedSizes {
  size_t n_embd, n_ff, n_groups, n_rows;
};
ScratchBytes feed_forward_scratch_bytes(const PassLimits& limits, const GatedSizes& sizes);

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
