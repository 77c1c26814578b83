#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "engine/largest.h"

namespace ogas {
namespace {

// The difference to the largest; 0 also where both are infinite.
double below(float logit, float largest) {
  return logit == largest ? 0.0 : static_cast<double>(logit) - static_cast<double>(largest);
}

}  // namespace

Logprobs logprobs_of(std::span<const float> logits, TokenId chosen, size_t n_top) {
  OGAS_CHECK(chosen >= 0 && static_cast<size_t>(chosen) < logits.size(), "token {} of {}", chosen, logits.size());
  float largest = -INFINITY;
  for (const float logit : logits) largest = logit > largest ? logit : largest;
  double total = 0;
  for (const float logit : logits)
    if (logit > -INFINITY) total += std::exp(below(logit, largest));
  const double log_total = std::log(total);
  const auto logprob = [&](float logit) {
    return logit > -INFINITY ? static_cast<float>(below(logit, largest) - log_total) : -INFINITY;
  };

  Logprobs result{.chosen = logprob(logits[static_cast<size_t>(chosen)])};
  std::vector<Candidate> likeliest;
  find_largest(logits, std::min(n_top, logits.size()), likeliest);
  for (const auto& [id, logit] : likeliest) result.top.push_back({.id = id, .logprob = logprob(logit)});
  return result;
}

}  // namespace ogas
