// What attention is made of between its matrices: heads are made ready and stored, then queries attend to what is
// stored. Descriptions of both for a device (device.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "ops/kv_view.h"
#include "ops/matrix.h"
#include "ops/rope.h"
#include "ops/scratch.h"

namespace ogas {

// Of each head on its own: RMSNorm, or LayerNorm where there is a bias (Ba et al. 2016).
struct HeadNorm {
  std::span<const float> weight = {};  // [dim]; empty: no norm
  std::span<const float> bias = {};    // [dim]; empty: none
  float eps = 0;
};

// Heads of each row, `stride` columns apart from first_col on, as a matrix gave them. In this order, as far as it is
// asked for: a gate is split from each head, a bias added, the head normed, its first dimensions rotated by the row's
// position, and the whole head rotated as the format of the cache wants it (CpuKernels::hadamard).
struct HeadsOfRows {
  const Matrix& x;
  size_t n_heads, dim;
  size_t first_col = 0, stride = dim;
  const Matrix* gates = nullptr;  // [n_rows, n_heads * dim]: x holds each head's query, then its gate, which goes here
  std::span<const float> bias = {};  // [n_heads * dim]; empty: none
  HeadNorm norm = {};
  const Rope* rope = nullptr;           // null: not rotated
  std::optional<RopeStyle> style = {};  // other than that of the rotation
  bool is_for_cache = true;             // will be stored, or compared with what is
};

// Rows and where they are stored.
struct StoredRows {
  const KvRows& rows;
  const RopeAngles& angles;  // of their positions
  const KvStreamView& stream;
  const Matrix* keys = nullptr;    // [n_rows, n_heads * k_dim of the stream]; null: none are stored
  const Matrix* values = nullptr;  // [n_rows, n_heads * v_dim of the stream]
};

// Queries of rows that attend to what their sequences hold up to them. Consecutive query heads share a head of the
// stream (Ainslie et al. 2023: GQA).
struct AttendInput {
  const Matrix& q;  // [n_rows, n_head * k_dim], made ready
  size_t n_head;
  const KvRows& rows;
  const KvStreamView& stream;
  float scale;                        // of scores
  size_t window = 0;                  // positions a token sees, itself included; 0: all
  float soft_cap = 0;                 // scores s become soft_cap * tanh(s / soft_cap); 0: none
  std::span<const float> sinks = {};  // [n_head] scores that take part in the softmax without a value; empty: none
  const Matrix* gates = nullptr;      // [n_rows, n_head * v_dim], whose sigmoid multiplies the result; null: none
};

// Scratch of Device::attend.
struct AttendSizes {
  size_t n_head, k_dim, v_dim;
};
ScratchBytes attend_scratch_bytes(const PassLimits& limits, const AttendSizes& sizes);

}  // namespace ogas
