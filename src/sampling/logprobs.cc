#include "sampling/logprobs.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "sampling/top_k.h"

namespace ogas {
namespace {

// The difference to the largest; 0 also where both are infinite.
double below(float logit, float largest) {
  return logit == largest ? 0.0 : static_cast<double>(logit) - static_cast<double>(largest);
}

}  // namespace

LogSoftmax::LogSoftmax(std::span<const float> logits) : largest_(-INFINITY) {
  for (size_t id = 0; id < logits.size(); ++id)
    if (logits[id] > largest_) {
      largest_ = logits[id];
      likeliest_ = static_cast<TokenId>(id);
    }
  double total = 0;
  for (const float logit : logits)
    if (logit > -INFINITY) total += std::exp(below(logit, largest_));
  log_total_ = std::log(total);
}

double LogSoftmax::of(float logit) const { return logit > -INFINITY ? below(logit, largest_) - log_total_ : -INFINITY; }

Logprobs logprobs_of(std::span<const float> logits, TokenId chosen, size_t n_top) {
  OGAS_CHECK(chosen >= 0 && static_cast<size_t>(chosen) < logits.size(), "token {} of {}", chosen, logits.size());
  const LogSoftmax softmax(logits);
  const auto logprob = [&](float logit) { return static_cast<float>(softmax.of(logit)); };

  Logprobs result{.chosen = logprob(logits[static_cast<size_t>(chosen)])};
  std::vector<Candidate> likeliest;
  find_largest(logits, std::min(n_top, logits.size()), likeliest);
  for (const auto& [id, logit] : likeliest) result.top.push_back({.id = id, .logprob = logprob(logit)});
  return result;
}

}  // namespace ogas
