// The lightning indexer (DeepSeek-V3.2 technical report, 2.1): chooses the positions that a token attends to.
//
// A position's score is the sum over a few small heads of weight * ReLU(query . key), weights coming from the token and
// one key for all heads from the position; the top_k best are attended to. The published code quantizes queries and
// keys to FP8 after a Hadamard rotation; neither is done here, since the rotation changes no product and rounding only
// costs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "nn/attention.h"

namespace ogas {

struct IndexerDims {
  uint32_t n_head = 0, head_dim = 0;
  uint32_t top_k = 0;  // positions a token attends to; 0: there is no indexer, and it attends to all

  uint64_t n_q() const { return uint64_t{n_head} * head_dim; }
};

// Activations of a batch, shared by all layers.
struct IndexerWorkspace {
  IndexerWorkspace(const IndexerDims& dims, size_t n_batch)
      : q(n_batch, dims.n_q()), k(n_batch, dims.head_dim), weights(n_batch, dims.n_head) {}
  static uint64_t bytes_per_token(const IndexerDims& dims) {
    return (dims.n_q() + dims.head_dim + dims.n_head) * sizeof(float);
  }

  static ScratchBytes scratch_bytes(const IndexerDims& dims, const PassLimits& limits);

  Matrix q, k, weights;
};

struct LightningIndexer {
  IndexerDims dims{};
  Linear attn_q_b;                         // [n_head * head_dim, q_lora_rank]
  Linear attn_k;                           // [head_dim, n_embd]
  Linear proj;                             // [n_head, n_embd]: weights of heads
  std::vector<float> k_norm, k_norm_bias;  // [head_dim]
  KvStreamId kv_stream;                    // of its keys
  const Rope* rope = nullptr;              // the layer's; never null where there is an indexer

  void add_to(TensorTable& table, const IndexerDims& indexer_dims, uint64_t n_embd, uint64_t q_lora_rank);
  void add_to(KvLayout& layout) { kv_stream = layout.add({.n_heads = 1, .k_dim = dims.head_dim, .v_dim = 0}); }
  // Whether a token sees more than top_k positions.
  bool has_to_choose(size_t position) const { return dims.top_k > 0 && position >= dims.top_k; }
  // Puts the batch's keys into the cache and, where there will be a choice, makes queries and weights. q_lora: normed.
  void prepare(Exec& exec, const AttentionCall& call, const Activations& q_lora,
               const IndexerWorkspace& workspace) const;
  // The top_k best positions for row t, which sees more, in ascending order; equals rank by position.
  void choose(Exec& exec, const AttentionCall& call, const IndexerWorkspace& workspace, size_t t,
              std::span<uint32_t> chosen) const;
};

}  // namespace ogas
