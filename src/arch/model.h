// What every architecture offers the engine, and what the engine gives it. One file per architecture implements it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/pass.h"
#include "base/result.h"
#include "files/tensor_file.h"
#include "nn/kv_cache.h"
#include "nn/tensor_table.h"
#include "ops/linear.h"

namespace ogas {

class Embeddings;
struct Moe;

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

class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelFacts& facts() const = 0;
  // The matrices it multiplies with, which may be packed before the first forward pass.
  virtual std::span<Linear* const> linears() const = 0;
  // The layers that have experts, which may come from disk as tokens take them (nn/expert_store.h).
  virtual std::span<Moe* const> moes() const = 0;
  // Those of the model and of its MTP head, which may be read from the file as tokens need them.
  virtual std::vector<Embeddings*> embeddings() = 0;
  // What passes take for intermediate results in addition to facts().token_bytes for each row.
  virtual ScratchBytes scratch_bytes(const PassLimits& limits) const = 0;
  // How each of its tensors is divided among ranks.
  virtual std::span<const TensorShard> shards() const = 0;
  // Those that one token is multiplied with, as if it took the first experts of each layer.
  virtual std::span<const Linear* const> linears_of_token() const = 0;
  // Computes the batch, whose positions the sequences hold afterwards. The caller checks that tokens are below n_vocab
  // and that parts are of different sequences. A token's logits are the same bits in any batch. Errors: io, where
  // weights are read from disk; the new positions of the sequences are then to be given up.
  virtual Result<Pass> forward(Exec& exec, Batch batch) = 0;
};

}  // namespace ogas
