// What a model is: sizes, parameters and work of a pass.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "nn/kv_layout.h"
#include "nn/weight_work.h"

namespace ogas {

// What a model is, from its metadata and tensor table alone; no weights are touched.
struct ModelFacts {
  std::string architecture;  // "llama"
  std::string name;          // general.name, or empty
  uint32_t n_vocab = 0;
  uint32_t n_layer = 0;
  uint32_t n_embd = 0;
  uint32_t n_head = 0;
  uint32_t n_head_kv = 0;
  uint32_t n_ff = 0;               // of a dense layer; 0: all layers have experts
  uint32_t n_expert = 0;           // routed experts of a layer; 0: none
  uint32_t n_expert_used = 0;      // of these for one token, at most
  uint32_t n_expert_used_min = 0;  // and at least: fewer where those of little weight are left out
  uint32_t n_expert_trained = 0;   // as many as it was trained with
  uint32_t n_ff_exp = 0;           // of an expert
  uint32_t n_ctx_train = 0;        // positions it was trained for
  bool prompts_differ = false;     // prompts and generated tokens are computed in two ways, whatever the operations
  uint32_t n_mtp = 0;              // MTP heads (DeepSeek-V3 technical report, 2.2)
  uint64_t n_params = 0;           // weights in the bound tensors, shared ones counted once
  uint64_t n_params_active = 0;    // of these, read for one token (fewer than n_params with experts)
  uint64_t weight_bytes = 0;       // bytes of the bound tensors
  uint64_t token_bytes = 0;        // working memory for each token of a batch
  KvLayout kv;                     // what its layers keep of a sequence
  uint32_t latent_dim = 0;         // values of what a layer of latent attention caches of a position; 0: none has it
  uint32_t indexer_dim = 0;        // values of an indexer's key; 0: a token attends to all positions it sees
  WeightWork work;                 // what a pass reads and multiplies with

  // Of a pass over n tokens that keeps n_logits rows of logits: bytes of weights it reads, and weights it multiplies
  // each token with, summed over the tokens. As if experts were drawn independently of each other: n tokens then read
  // n_expert (1 - (1 - n_expert_used / n_expert)^n) of a layer's.
  double pass_bytes(uint64_t n_tokens) const;
  double pass_products(uint64_t n_tokens, uint64_t n_logits) const;
  // The same by WeightKind.
  std::array<double, kWeightKinds> products_by_kind(uint64_t n_tokens, uint64_t n_logits) const;
};

}  // namespace ogas
