// A mixture of experts: each token goes through a few of many feed-forward blocks (Shazeer et al. 2017), and through
// shared ones where the model has them (DeepSeekMoE, Dai et al. 2024).
//
// Tokens are grouped by expert, so that an expert's weights are read once a batch, and all experts of a layer run as
// one parallel region. A token's sum is formed in the order of its experts' ranks: it does not depend on threads or
// batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "nn/expert_source.h"
#include "nn/feed_forward.h"
#include "ops/experts.h"
#include "ops/router.h"

namespace ogas {

// Which row of the gathered matrix each (token, rank) has, and the rows of each expert.
struct ExpertGrouping {
  std::vector<size_t> row_of;         // [n_tokens * n_used]
  std::vector<size_t> first, n_rows;  // [n_expert]
};

// Activations of a batch, shared by all layers: a row for each token and expert it goes to. And where the tokens of the
// last layer went.
struct MoeWorkspace {
  MoeWorkspace(const RouterRules& rules, uint64_t n_embd, uint64_t n_ff, size_t n_batch)
      : logits(n_batch, rules.n_expert),
        gathered(Activations::shared(n_rows(rules, n_batch), n_embd)),
        expert(n_rows(rules, n_batch), n_ff),
        result(n_rows(rules, n_batch), n_embd),
        predicted(1, n_embd) {}
  // With those that are left out where an expert's rows begin with a tile (CpuKernels::tile_rows), which take no
  // memory.
  static size_t n_rows(const RouterRules& rules, size_t n_batch) {
    const size_t n = n_batch * rules.n_used;
    return n + std::min<size_t>(n, rules.n_expert) * (Activations::kMaxTileRows - 1);
  }
  static uint64_t bytes_per_token(const RouterRules& rules, uint64_t n_embd, uint64_t n_ff) {
    return rules.n_expert * sizeof(float) + rules.n_used * (Activations::bytes_of_shared(n_embd) +
                                                            Activations::bytes_for(n_ff) + n_embd * sizeof(float));
  }

  Matrix logits;
  Activations gathered;  // x, rows of the same expert together
  Activations expert;
  Matrix result;
  std::vector<Routed> routed;  // [n_tokens * n_used]
  ExpertGrouping grouping;
  std::vector<GatedRows> groups;
  std::vector<ExpertCache::Use> uses;
  Activations predicted;  // [1, n_embd], see Moe::predict_next_layer()
};

struct Moe {
  RouterRules rules;
  Linear ffn_gate_inp;                             // [n_expert, n_embd]: the router
  std::vector<float> exp_probs_b;                  // [n_expert] for choosing; empty: none
  std::vector<Linear> ffn_gate_exps, ffn_up_exps;  // each [n_ff, n_embd]
  std::vector<Linear> ffn_down_exps;               // each [n_embd, n_ff]
  std::vector<float> ffn_gate_inp_b;               // [n_expert], of the router's logits; empty: none
  std::vector<float> ffn_gate_exps_b, ffn_up_exps_b,
      ffn_down_exps_b;                             // [n_expert, n_ff], ..., [n_expert, n_embd], or none
  Glu glu;                                         // of experts
  ExpertSource* source = nullptr;                  // of experts that come as they are needed; null: they are in memory
  uint32_t source_layer = 0;                       // the layer's number there
  const std::vector<float>* input_norm = nullptr;  // [n_embd] weights of the norm in front; null: unknown

  // The number of the expert whose matrix it is, if it is one's.
  std::optional<uint32_t> expert_of(const Linear& linear) const;
  bool has(const Linear& linear) const { return expert_of(linear).has_value(); }
  // Router and experts by the names most use: mlp.gate and mlp.experts.N on Hugging Face, or all experts in one tensor.
  void add_to(TensorTable& table, const RouterRules& router_rules, uint64_t n_embd, uint64_t n_ff);
  // Rows 0..n_tokens of y = sum of the chosen experts. others: what runs in the same parallel regions, such as
  // shared experts. Errors: of reading experts from disk.
  Result<> forward(Exec& exec, const Activations& x, size_t n_tokens, MoeWorkspace& workspace, const Matrix& y,
                   std::span<const GatedRows> others = {}) const;

 private:
  RoutingRules routing() const { return {rules, ffn_gate_inp_b, exp_probs_b}; }
  GatedRows rows_of_expert(const MoeWorkspace& workspace, uint32_t expert_idx) const;
  void predict_next_layer(Exec& exec, const Activations& x, MoeWorkspace& workspace) const;
  Result<> run_experts(Exec& exec, const Activations& x, size_t n_tokens, MoeWorkspace& workspace) const;
  void route_all(Exec& exec, const Activations& x, size_t n_tokens, MoeWorkspace& workspace) const;
};

}  // namespace ogas
