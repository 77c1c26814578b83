// Which tokens may come next, given those so far: what grammars and schemas implement. A sampler asks before it draws.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/vocab.h"

namespace ogas {

// Belongs to one sequence.
class TokenMask {
 public:
  virtual ~TokenMask() = default;
  // Sets the logits [n_vocab] of tokens that may not come next to -infinity, and leaves the others. Errors: it cannot
  // be said which may (unsupported); the answer ends with this error.
  virtual Result<> apply(std::span<float> logits) = 0;
  // Before the first token: text that came already, as the end of a token of something else.
  virtual void begin_with(std::string_view) {}
  // The token that was taken: drawn, or the next one of forced().
  virtual void accept(TokenId id) = 0;
  // Nothing more is accepted before the next apply(), so that another thread may begin with its work.
  virtual void prepare() {}
  // Tokens that come next whatever the logits are, as far as they are known. They depend on the tokens so far alone.
  virtual std::vector<TokenId> forced() { return {}; }
};

// The same tokens at every step: none but those required, unless that list is empty, and none of those banned.
class TokenListMask final : public TokenMask {
 public:
  TokenListMask(std::vector<TokenId> required, std::vector<TokenId> banned);
  Result<> apply(std::span<float> logits) override;
  void accept(TokenId) override {}

 private:
  std::vector<TokenId> required_, banned_;
  std::vector<float> kept_;  // logits of those required; kept for its capacity
};

}  // namespace ogas
