// Which tokens may come next, given those so far: what grammars and schemas implement. A sampler asks before it draws.
#pragma once

#include <span>
#include <vector>

#include "text/vocab.h"

namespace ogas {

// Belongs to one sequence.
class TokenMask {
 public:
  virtual ~TokenMask() = default;
  // Sets the logits [n_vocab] of tokens that may not come next to -infinity, and leaves the others.
  virtual void apply(std::span<float> logits) = 0;
  // The token that was drawn.
  virtual void accept(TokenId id) = 0;
};

// The same tokens at every step: none but those required, unless that list is empty, and none of those banned.
class TokenListMask final : public TokenMask {
 public:
  TokenListMask(std::vector<TokenId> required, std::vector<TokenId> banned);
  void apply(std::span<float> logits) override;
  void accept(TokenId) override {}

 private:
  std::vector<TokenId> required_, banned_;
  std::vector<float> kept_;  // logits of those required; kept for its capacity
};

}  // namespace ogas
