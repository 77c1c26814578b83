// The steps of a transformer layer between its linear layers, cut into chunks and run on all threads.
#pragma once

#include <cstddef>
#include <span>

#include "nn/exec.h"
#include "nn/kv_cache.h"
#include "nn/matrix.h"
#include "nn/rope.h"

namespace ogas {

// Rows 0..n_tokens of y = RMSNorm(x), ready for multiply().
void rms_norm(Exec& exec, const Matrix& x, size_t n_tokens, std::span<const float> weight, float eps,
              const Activations& y);

// Rows 0..n_tokens of gate = silu(gate) * up, ready for multiply().
void swiglu(Exec& exec, const Activations& gate, const Matrix& up, size_t n_tokens);

// Rows 0..n_tokens of y += x.
void add(Exec& exec, const Matrix& y, const Matrix& x, size_t n_tokens);

// Causal attention of n_tokens consecutive positions of one sequence, from `position` on.
struct AttentionArgs {
  size_t layer_idx;
  size_t n_head;    // a multiple of the key-value heads: head h reads key-value head h / (n_head / n_head_kv)
  size_t position;  // of the first token; kv holds room for position + n_tokens
  size_t n_tokens;
  const Rope& rope;
  const Matrix& cos_sin;  // of these positions (Rope::prepare)
  const Matrix& q;        // [n_tokens, n_head * head_dim], rotated in place
  const Matrix& k;        // [n_tokens, n_head_kv * head_dim], rotated in place, then stored
  const Matrix& v;        // likewise, stored as it is
  KvSequence& kv;
  const Activations& out;  // [n_tokens, n_head * head_dim], ready for multiply()
};
void attend(Exec& exec, const AttentionArgs& args);

}  // namespace ogas
