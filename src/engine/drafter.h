// Drafts of the next tokens, which a pass verifies: where they are right, one pass gives several tokens. An answer has
// the same bits with any drafter.
#pragma once

#include <cstddef>
#include <span>

#include "text/vocab.h"

namespace ogas {

// Belongs to one sequence.
class Drafter {
 public:
  virtual ~Drafter() = default;
  // At most n_max tokens that may follow these, valid until the next call. May be called again before learn().
  virtual std::span<const TokenId> propose(std::span<const TokenId> sequence, size_t n_max) = 0;
  // How many of the last proposal's first tokens came.
  virtual void learn(size_t n_accepted) = 0;
};

class NoDrafter final : public Drafter {
 public:
  std::span<const TokenId> propose(std::span<const TokenId>, size_t) override { return {}; }
  void learn(size_t) override {}
};

}  // namespace ogas
