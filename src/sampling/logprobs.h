// How likely the model held a token, and what it held likelier.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "text/vocab.h"

namespace ogas {

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0;  // natural logarithm
};

struct Logprobs {
  float chosen = 0;                    // of the token drawn
  std::vector<TokenLogprob> top = {};  // the likeliest, in falling order; equal ones by id
};

// The logarithm of the softmax of some logits, summed in double. NaN counts as -inf, which stays -inf.
class LogSoftmax {
 public:
  explicit LogSoftmax(std::span<const float> logits);
  double of(float logit) const;
  TokenId likeliest() const { return likeliest_; }  // of equal ones the first; -1 where all are -inf

 private:
  TokenId likeliest_ = -1;
  float largest_;
  double log_total_;
};

// By the log-softmax of the model's own logits: no bias, penalty or temperature. A logit of NaN counts as -inf; what is
// at -inf has no probability (its log-probability is -inf) and does not appear in `top`, which may be shorter then.
Logprobs logprobs_of(std::span<const float> logits, TokenId chosen, size_t n_top);

}  // namespace ogas
