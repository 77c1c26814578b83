// What gated feed-forward blocks are made of: down(f(gate(x)) * up(x)) (Shazeer 2020), for many sets of matrices at
// once, such as experts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/linear.h"
#include "ops/matrix.h"
#include "ops/scratch.h"

namespace ogas {

// What becomes of gate and up (kernels/cpu_kernels.h).
struct Glu {
  enum class Kind : uint8_t { silu, gelu_tanh, clamped_silu };
  Kind kind = Kind::silu;
  SwigluClamp clamp = {};  // of clamped_silu
};

// Rows first_row..first_row + n_rows of x through one set of matrices, to the same rows of y.
struct GatedRows {
  const Linear& gate;  // [n_ff, n_embd]
  const Linear& up;    // [n_ff, n_embd]
  const Linear& down;  // [n_embd, n_ff]
  const Activations& x;
  const Activations& gated;  // workspace of n_ff columns: f(gate(x)) * up(x)
  const Matrix& y;
  size_t first_row, n_rows;
  Glu glu = {};
  std::span<const float> gate_bias = {};  // [n_ff]; empty: none
  std::span<const float> up_bias = {};    // [n_ff]
  std::span<const float> down_bias = {};  // [n_embd]
};

// Sizes of at most n_groups sets of matrices, which n_rows rows go through in all.
struct GatedSizes {
  size_t n_embd, n_ff, n_groups, n_rows;
};
// Scratch of Device::gated_ffn.
ScratchBytes gated_ffn_scratch_bytes(const PassLimits& limits, const GatedSizes& sizes);

}  // namespace ogas
