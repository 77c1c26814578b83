// What every architecture offers the engine, and what the engine gives it. One file per architecture implements it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "arch/model_facts.h"
#include "arch/pass.h"
#include "base/result.h"
#include "nn/shard.h"
#include "ops/scratch.h"

namespace ogas {

class Embeddings;
class Linear;
struct Moe;

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
