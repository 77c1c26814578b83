// Causal self-attention over pages of keys and values, with heads that share them (Ainslie et al. 2023: GQA).
//
// What families add to it is here, too: biases, norms of queries and keys, windows, sinks. Latent attention (MLA)
// is another thing: mla.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nn/rows.h"
#include "nn/tensor_table.h"
#include "ops/attention.h"
#include "ops/exec.h"
#include "ops/linear.h"
#include "ops/matrix.h"
#include "ops/rope.h"

namespace ogas {

struct AttentionDims {
  uint32_t n_embd, n_head, n_head_kv, head_dim;
  bool has_gate = false;  // attn_q gives each head a query and a gate, whose sigmoid multiplies what is attended to

  uint64_t n_q() const { return uint64_t{n_head} * head_dim; }
  uint64_t n_gate() const { return has_gate ? n_q() : 0; }
  uint64_t n_kv() const { return uint64_t{n_head_kv} * head_dim; }
};

// Activations of a batch, one row a token, shared by all layers.
struct AttentionWorkspace {
  AttentionWorkspace(const AttentionDims& dims, size_t n_batch)
      : q(n_batch, dims.n_q() + dims.n_gate()),
        k(n_batch, dims.n_kv()),
        v(n_batch, dims.n_kv()),
        gate(n_batch, dims.n_gate()),
        attended(n_batch, dims.n_q()) {}
  static uint64_t bytes_per_token(const AttentionDims& dims) {
    return (dims.n_q() + 2 * dims.n_gate() + 2 * dims.n_kv()) * sizeof(float) + Activations::bytes_for(dims.n_q());
  }

  static ScratchBytes scratch_bytes(const AttentionDims& dims, const PassLimits& limits);

  Matrix q, k, v, gate;
  Activations attended;
};

// What a layer is called with.
struct AttentionCall {
  const Rows& rows;
  const RopeAngles& angles;  // of these rows' positions
  const Activations& x;      // [n_rows, n_embd], normed
  const Matrix& y;           // [n_rows, n_embd] receives the output
};

struct Attention {
  AttentionDims dims{};
  Linear attn_q;                                // [n_q, n_embd]; with gates [2 n_q, n_embd]
  Linear attn_k, attn_v;                        // [n_kv, n_embd]
  Linear attn_output;                           // [n_embd, n_q]
  std::vector<float> q_bias, k_bias, v_bias;    // [n_q], [n_kv], [n_kv]; empty: none
  std::vector<float> output_bias;               // [n_embd]; empty: none
  std::vector<float> attn_q_norm, attn_k_norm;  // [head_dim], each head on its own before rotation; empty: none
  std::vector<float> attn_sinks;                // [n_head]; empty: none
  float norm_eps = 0;                           // of attn_q_norm and attn_k_norm
  const Rope* rope = nullptr;                   // one of the model's; null: positions are not rotated
  uint32_t window = 0;                          // positions a token sees, itself included; 0: all
  KvStreamId kv_stream;                         // of the keys and values that it attends to
  bool stores_kv = false;  // it makes them; else another layer does, and attn_k and attn_v are empty
  float scale = 0;         // of scores; 0: 1 / sqrt(head_dim)
  float soft_cap = 0;      // of scores (kernels/cpu_kernels.h); 0: none

  // The four matrices by the names everybody uses; the rest is added by those who have it.
  void add_to(TensorTable& table, const AttentionDims& dims);
  void add_qkv_bias(TensorTable& table);
  void add_output_bias(TensorTable& table);
  void add_qk_norm(TensorTable& table, float eps);
  void add_sinks(TensorTable& table);
  // Declares a stream, which it stores: once dims and window are known. A layer that reads the stream of another takes
  // that one's kv_stream instead.
  void add_to(KvLayout& layout);

  void forward(Exec& exec, const AttentionCall& call, const AttentionWorkspace& workspace) const;

 private:
  // Queries, ready to attend, and keys and values where they belong, if it stores them.
  void project(Device& device, const AttentionCall& call, const StoredRows& stored, const AttentionWorkspace& s) const;
};

}  // namespace ogas
