// What gated DeltaNet (Yang, Kautz & Hatamizadeh 2024) is made of between its matrices, for a device (device.h): a
// short convolution, then the delta rule. Both bring forward what a layer keeps of a sequence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "ops/attention.h"
#include "ops/matrix.h"
#include "ops/row_kind.h"
#include "ops/scratch.h"

namespace ogas {

// Consecutive rows of one sequence, and the layer's state of it before the first of them.
struct StateRun {
  std::span<float> state;
  size_t first_row, n_rows;
  // Receives the state before one of the rows but the first, of this index in the batch; empty: nothing does.
  std::span<float> snapshot = {};
  size_t snapshot_row = 0;

  size_t end_row() const { return first_row + n_rows; }
};

// The rows of a batch.
struct StateRows {
  std::span<const StateRun> runs;
  std::span<const uint32_t> run_of_row;  // [n_rows]
  std::span<const RowKind> kinds;        // [n_rows]

  size_t size() const { return run_of_row.size(); }
};

// Part of each group of columns, which comes to a matrix of its own: group g to columns first_col + g * n on.
struct ColumnPart {
  const Matrix& y;
  size_t first_col, n;
};

// Heads of a matrix, one after the other from first_col on, that are normed.
struct NormedHeads {
  size_t n_heads, dim, first_col;
  HeadNorm norm;
};

// A causal convolution that mixes each channel with its own past, then silu, then norms.
struct ShortConvInput {
  const Matrix& x;                // [n_rows, n_channels]
  std::span<const float> weight;  // [n_taps, n_channels]
  size_t n_taps;
  const StateRows& rows;  // their states begin with the inputs before these: [n_taps - 1, n_channels]
  std::initializer_list<NormedHeads> normed;  // heads of the result
};

// Heads of queries and keys, each shared by some of values.
struct DeltaHeads {
  size_t n_head_k, n_head_v, k_dim, v_dim;
  bool is_tiled = false;  // heads of values that share a key are n_head_k apart, not neighbours

  size_t key_head_of(size_t value_head) const {
    return is_tiled ? value_head % n_head_k : value_head / (n_head_v / n_head_k);
  }
  size_t n_k() const { return n_head_k * k_dim; }
  size_t n_v() const { return n_head_v * v_dim; }
};

// A number of each head of values, in groups of columns that are `stride` apart.
struct HeadColumns {
  const Matrix& x;
  size_t first_col, group, stride;

  float at(size_t row, size_t head) const { return x.row(row)[first_col + head / group * stride + head % group]; }
};

// The gated delta rule (kernels/cpu_kernels.h), then the gated norm of its outputs.
struct DeltaRuleInput {
  DeltaHeads heads;
  const Matrix& qkv;  // [n_rows, 2 n_k + n_v] queries, keys and values
  const Matrix& z;    // [n_rows, n_v] gates of the outputs; overwritten
  HeadColumns alpha, beta;
  std::span<const float> a, dt;  // [n_head_v]: decay = e^(a softplus(alpha + dt))
  HeadNorm norm;                 // [v_dim]
  const StateRows& rows;
  size_t state_offset;  // in a state, of [n_head_v, v_dim, k_dim]
};

// Scratch of Device::short_conv.
ScratchBytes short_conv_scratch_bytes(size_t n_taps);

}  // namespace ogas
