// The second half of a layer: one feed-forward block, or routed experts with shared ones.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "nn/feed_forward.h"
#include "nn/moe.h"

namespace ogas {

struct FfnDims {
  uint64_t n_embd = 0;
  uint64_t n_ff = 0;         // of dense layers; 0: there are none
  uint64_t n_ff_exp = 0;     // of a routed expert; 0: there are none
  uint64_t n_ff_shared = 0;  // of all shared experts together; 0: there are none
  RouterRules rules = {};
  Glu glu = {};
};

// Activations of a batch, shared by all layers.
struct FfnWorkspace {
  FfnWorkspace(const FfnDims& dims, size_t n_batch);
  static uint64_t bytes_per_token(const FfnDims& dims);
  static ScratchBytes scratch_bytes(const FfnDims& dims, const PassLimits& limits);

  std::optional<Activations> dense, shared;  // of n_ff columns
  std::optional<MoeWorkspace> moe;
  Matrix shared_result;
};

struct FfnLayer {
  bool has_experts = false;
  FeedForward dense;  // without experts
  Moe moe;            // with
  FeedForward shared;
  Linear
      ffn_gate_inp_shexp;  // [1, n_embd]: shared experts count by the sigmoid of it (Qwen2-MoE); n_out 0: always whole

  void add_dense(TensorTable& table, const FfnDims& dims);
  // Router, routed experts, and shared ones if there are, by the names most use.
  void add_experts(TensorTable& table, const FfnDims& dims, std::string_view hf_shared = "mlp.shared_experts");
  // Rows 0..n_tokens. Errors: as Moe::forward.
  Result<> forward(Exec& exec, const Activations& x, size_t n_tokens, FfnWorkspace& workspace, const Matrix& y) const;

 private:
  bool has_shared_ = false;
};

}  // namespace ogas
