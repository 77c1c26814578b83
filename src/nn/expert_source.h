// Where the weights of a layer's experts come from while tokens take them, if they are not all in memory.
//
//   compute with those of source.start(layer, uses, n_tokens)
//   for (auto some = OGAS_TRY(source.next()); !some.empty(); some = OGAS_TRY(source.next())) compute with them
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "nn/expert_cache.h"
#include "ops/linear.h"

namespace ogas {

struct Moe;

struct ExpertMatrices {
  Linear gate, up, down;
};

class ExpertSource {
 public:
  virtual ~ExpertSource() = default;

  // Begins with a layer whose experts n_tokens take so. Returns those that are in memory; they stay there until the
  // next start().
  virtual std::span<const uint32_t> start(uint32_t layer, std::span<const ExpertCache::Use> uses,
                                          uint32_t n_tokens) = 0;
  // The next that have come, after waiting for them; those of the call before may go. None: that was all. Errors: those
  // of reading; the pass is then to be given up, and the next one begins with start().
  virtual Result<std::span<const uint32_t>> next() = 0;
  virtual const ExpertMatrices& matrices(uint32_t expert) const = 0;  // of this layer, while it is in memory

  // The layer after this one, to predict which experts it takes; null where that would not help.
  virtual const Moe* next_layer() const = 0;
  // Those that it will probably take, the likeliest first. Read when there is nothing else to read, if that has been
  // worth it.
  virtual void predict(std::span<const uint32_t> experts) = 0;
};

}  // namespace ogas
