// Multi-head latent attention (DeepSeek-V2, 2.1): keys and values of all heads come from one small latent vector, and
// the cache holds that and one rotated key for all heads.
//
// Two ways to the same result. Absorbed: the matrix from latent to keys moves over to the query, and attention runs on
// the latents themselves; little is read a position, so generated tokens take it. Expanded: keys and values are made
// for each position, which costs once what then is cheaper for every token of a long batch; prompts take it, short ones
// too, since the last bits differ and must not depend on how a prompt is cut.
//
// With an indexer (DeepSeek-V3.2) a token attends to chosen positions only, always absorbed: their latents are copied
// together, once for all heads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "nn/attention.h"
#include "nn/lightning_indexer.h"
#include "ops/latent_attention.h"

namespace ogas {

struct MlaDims {
  uint32_t n_embd, n_head;
  uint32_t q_lora_rank;  // 0: queries come straight from the input
  uint32_t kv_lora_rank;
  uint32_t qk_nope_head_dim, qk_rope_head_dim;  // of a key: not rotated, rotated
  uint32_t v_head_dim;

  uint32_t qk_head_dim() const { return qk_nope_head_dim + qk_rope_head_dim; }
  // What the cache holds of a position: latent, then rotated key.
  uint32_t latent_dim() const { return kv_lora_rank + qk_rope_head_dim; }
  uint64_t n_q() const { return uint64_t{n_head} * qk_head_dim(); }
  LatentSizes latent_sizes() const {
    return {.n_head = n_head,
            .rank = kv_lora_rank,
            .nope_dim = qk_nope_head_dim,
            .rope_dim = qk_rope_head_dim,
            .v_dim = v_head_dim};
  }
  // Whether expanding can cost less. With P positions before it, a token costs a head P (2 kv_lora_rank + rope)
  // absorbed and P (nope + rope + v) expanded; expanding costs P kv_lora_rank (nope + v) once.
  bool expands() const { return 2 * kv_lora_rank > qk_nope_head_dim + v_head_dim; }
};

// Activations of a batch, shared by all layers.
struct MlaWorkspace {
  static constexpr size_t kAbsorbedTogether = 32;
  MlaWorkspace(const MlaDims& dims, size_t n_batch, const IndexerDims& indexer_dims = {});
  static uint64_t bytes_per_token(const MlaDims& dims, const IndexerDims& indexer_dims = {});
  // With what is here for tokens that are absorbed together, and the latents that a layer reads for expanding.
  static ScratchBytes scratch_bytes(const MlaDims& dims, const IndexerDims& indexer_dims, const PassLimits& limits);

  Activations q_lora;    // [n, q_lora_rank]
  Matrix q;              // [n, n_head * qk_head_dim]
  Matrix kv;             // [n, latent_dim]
  Activations attended;  // [n, n_head * v_head_dim]
  // Of tokens that are absorbed together, at most kAbsorbedTogether: rows (token, head).
  Activations q_nope;  // [rows, qk_nope_head_dim]
  Matrix q_latent;     // [rows, latent_dim]
  Activations latent;  // [rows, kv_lora_rank]
  IndexerWorkspace indexer;
  Matrix chosen;  // [top_k, latent_dim]: latents of the positions chosen for a token, as the cache has them
};

// by_kind: prompts expanded, generated tokens absorbed.
enum class MlaMode : uint8_t { by_kind, absorbed, expanded };

struct Mla {
  MlaDims dims{};
  float norm_eps = 0;
  float scale = 0;            // of scores: qk_head_dim^-0.5, times YaRN's factor squared where there is one
  Linear attn_q;              // [n_head * qk_head_dim, n_embd], or from the rank below:
  Linear attn_q_a, attn_q_b;  // [q_lora_rank, n_embd], [n_head * qk_head_dim, q_lora_rank]
  Linear attn_kv_a_mqa;       // [latent_dim, n_embd]
  Linear attn_kv_b;           // [n_head * (nope + v), kv_lora_rank], or in two:
  std::vector<Linear> attn_k_b, attn_v_b;  // of each head [kv_lora_rank, nope] and [v, kv_lora_rank]
  Linear attn_output;                      // [n_embd, n_head * v_head_dim]
  std::vector<float> attn_q_a_norm;        // [q_lora_rank]
  std::vector<float> attn_kv_a_norm;       // [kv_lora_rank]
  const Rope* rope = nullptr;              // one of the model's; never null
  LightningIndexer indexer;                // without top_k: none
  KvStreamId kv_stream;                    // of its latents

  void add_to(TensorTable& table, const MlaDims& mla_dims, float eps);
  // Declares its stream, and that of the indexer.
  void add_to(KvLayout& layout);
  // Once they are bound: matrices whose rows are also decoded one by one keep them when they are packed.
  void keep_key_rows();
  void forward(Exec& exec, const AttentionCall& call, const MlaWorkspace& workspace,
               MlaMode mode = MlaMode::by_kind) const;

 private:
  LatentSizes sizes() const { return dims.latent_sizes(); }
  LatentHeads heads() const { return {.sizes = sizes(), .kv_b = attn_kv_b, .k_b = attn_k_b, .v_b = attn_v_b}; }
  void project(Exec& exec, const AttentionCall& call, const MlaWorkspace& s) const;
  void rope_and_store(Exec& exec, const AttentionCall& call, const MlaWorkspace& s) const;
  void absorb(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, RowRange rows) const;
  void attend_rows(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, MlaMode mode) const;
  void attend_absorbed(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                       RowRange rows) const;
  void attend_chosen(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                     RowRange rows) const;
  void attend_expanded(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                       RowRange rows) const;
};

}  // namespace ogas
