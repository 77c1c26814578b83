// Multi-head latent attention (DeepSeek-V2, 2.1): keys and values of all heads come from one small latent vector, and
// the cache holds that and one rotated key for all heads.
//
// Two ways to the same result. Absorbed: the matrix from latent to keys moves over to the query, and attention runs on
// the latents themselves; little is read a position, so generated tokens take it. Expanded: keys and values are made
// for each position, which costs once what then is cheaper for every token of a long batch; prompts take it, short ones
// too, since the last bits differ and must not hang on how a prompt is cut.
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
#include "ops/cpu/attend_jobs.h"

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
  // Whether expanding can cost less. With P positions behind it, a token costs a head P (2 kv_lora_rank + rope)
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
  // Latents that a token attends to, in pages as those of the cache.
  struct Latents {
    const std::byte* const* pages;
    size_t n_positions, offset;  // offset: bytes from the start of a page
    Format format;
  };
  void project(Exec& exec, const AttentionCall& call, const MlaWorkspace& s) const;
  void rotate_latent_for_cache(const CpuKernels& kernels, Format format, float* latent) const;
  void rotate_and_store(const CpuKernels& kernels, const AttentionCall& call, const MlaWorkspace& s, size_t t) const;
  void absorb_query(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, size_t first, size_t n_tokens,
                    ScratchArena& own, size_t h) const;
  void sum_key_rows(ScratchArena& own, const MlaWorkspace& s, size_t n_tokens, size_t h) const;
  size_t heads_a_job(const Exec& exec, size_t n_tokens) const;
  AttendJob job_of_latents(const Latents& latents, const MlaWorkspace& s, const Matrix& attended, size_t first_row,
                           size_t n_heads) const;
  void values_of_latent(const CpuKernels& kernels, Format format, const MlaWorkspace& s, size_t row, float* values,
                        size_t h) const;
  void attend_rows(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                   MlaMode mode) const;
  void attend_absorbed(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                       RowRange rows) const;
  void attend_chosen(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                     RowRange rows) const;
  void attend_expanded(Exec& exec, const AttentionCall& call, const MlaWorkspace& s, const Matrix& attended,
                       RowRange rows) const;
  void expand_head(const CpuKernels& kernels, ScratchArena& own, const Activations& latents, size_t n_positions,
                   const KvSequence& kv, size_t h, float* expanded) const;
  // Rows of kv_b that make a head's keys, and its values.
  Linear k_rows(size_t h) const;
  Linear v_rows(size_t h) const;
};

}  // namespace ogas
