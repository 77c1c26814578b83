// Gated DeltaNet (Yang, Kautz & Hatamizadeh 2024): linear attention over a recurrent state of fixed size.
//
// Each head of values has a matrix that maps keys to values. A position lets it decay, corrects what it holds for the
// key of this position, and reads it with the query. Queries, keys and values first go through a short causal
// convolution, channel by channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nn/rows.h"
#include "nn/tensor_table.h"
#include "ops/delta_rule.h"
#include "ops/exec.h"
#include "ops/linear.h"
#include "ops/matrix.h"

namespace ogas {

struct DeltaNetDims {
  uint32_t n_embd;
  uint32_t n_head_k, n_head_v;  // heads of queries and keys; of values, a multiple: consecutive ones share a key
  uint32_t k_dim, v_dim;        // of a head
  uint32_t n_taps;              // positions the convolution sees, this one included
  bool is_tiled = false;        // values: heads that share a key are n_head_k apart instead (GGUF of Qwen3.5)

  DeltaHeads heads() const { return {n_head_k, n_head_v, k_dim, v_dim, is_tiled}; }
  uint64_t n_k() const { return uint64_t{n_head_k} * k_dim; }
  uint64_t n_v() const { return uint64_t{n_head_v} * v_dim; }
  uint64_t n_qkv() const { return 2 * n_k() + n_v(); }  // channels of the convolution: queries, keys, values
  // Numbers of all heads of values, n_of_head of each, and all channels, as they are divided by heads of keys
  // (nn/shard.h).
  std::vector<uint64_t> value_sections(uint64_t n_of_head) const;
  std::vector<uint64_t> qkv_sections() const;
  // Floats of a layer's state: the last n_taps - 1 inputs of the convolution, then [n_head_v, v_dim, k_dim].
  uint64_t n_past() const { return (uint64_t{n_taps} - 1) * n_qkv(); }
  uint64_t n_state() const { return n_past() + n_v() * k_dim; }
};

// Activations of a batch, one row a token, shared by all layers.
struct DeltaNetWorkspace {
  DeltaNetWorkspace(const DeltaNetDims& dims, size_t n_batch);
  static uint64_t bytes_per_token(const DeltaNetDims& dims);
  static ScratchBytes scratch_bytes(const DeltaNetDims& dims, const PassLimits& limits) {
    return ScratchBytes{.shared = ScratchArena::bytes_for<StateRun>(limits.n_batch)} +
           short_conv_scratch_bytes(dims.n_taps);
  }

  Matrix mixed;           // [n, n_qkv + n_v] as ssm_in gives it
  Matrix qkv, convolved;  // [n, n_qkv]
  Matrix z;               // [n, n_v] gates of the output
  Matrix beta_alpha;      // [n, 2 n_head_v] as ssm_ba gives it
  Matrix beta, alpha;     // [n, n_head_v]
  Activations attended;   // [n, n_v]
};

// What a layer is called with. Each run is the last positions that its sequence has space for.
struct DeltaNetCall {
  const Rows& rows;
  const Activations& x;  // [n_rows, n_embd], normed
  const Matrix& y;       // [n_rows, n_embd] receives the output
};

struct DeltaNet {
  DeltaNetDims dims{};
  float norm_eps = 0;           // of ssm_norm
  Linear ssm_in;                // [n_qkv + n_v, n_embd], for each head of keys: q, k, its v, its z; or in two:
  Linear attn_qkv, attn_gate;   // [n_qkv, n_embd] all q, all k, all v; [n_v, n_embd] all z
  Linear ssm_ba;                // [2 n_head_v, n_embd], for each head of keys: its betas, its alphas; or in two:
  Linear ssm_beta, ssm_alpha;   // [n_head_v, n_embd]
  Linear ssm_out;               // [n_embd, n_v]
  std::vector<float> ssm_conv;  // [n_taps, n_qkv]
  std::vector<float> ssm_a;     // [n_head_v] -e^A_log: decay = e^(a softplus(alpha + dt))
  std::vector<float> ssm_dt;    // [n_head_v]
  std::vector<float> ssm_norm;  // [v_dim]
  KvStateId state;              // of what it keeps of a sequence

  void add_to(TensorTable& table, const DeltaNetDims& delta_dims, float eps);
  void add_to(KvLayout& layout) { state = layout.add_state(dims.n_state()); }
  // Once bound: what the file has in another form. is_hf: A_log as it was trained.
  void finish(bool is_hf);
  void forward(Exec& exec, const DeltaNetCall& call, const DeltaNetWorkspace& workspace) const;

 private:
  void add_projections(TensorTable& table);
  void project(Exec& exec, const DeltaNetCall& call, const DeltaNetWorkspace& s) const;
  // What betas (0) and alphas (1) are of each head, as they were projected.
  HeadColumns gates(const DeltaNetWorkspace& s, size_t part) const;

  std::vector<float> unit_, query_unit_;  // [k_dim] weights that make RMSNorm the norms of keys and of queries
};

}  // namespace ogas
