#include "arch/model.h"

#include <cmath>

namespace ogas {

double ModelFacts::pass_bytes(uint64_t n_tokens) const {
  const double n = static_cast<double>(n_tokens);
  const double share = n_expert > 0 ? 1 - std::pow(1 - double(n_expert_used) / n_expert, n) : 0;
  return static_cast<double>(work.row_bytes) * n + static_cast<double>(work.n_bytes + work.output_bytes) +
         static_cast<double>(work.expert_bytes) * share;
}

double ModelFacts::pass_products(uint64_t n_tokens, uint64_t n_logits) const {
  const double share = n_expert > 0 ? double(n_expert_used) / n_expert : 0;
  return (static_cast<double>(work.n_weights) + static_cast<double>(work.n_expert_weights) * share) *
             static_cast<double>(n_tokens) +
         static_cast<double>(work.n_output_weights) * static_cast<double>(n_logits);
}

}  // namespace ogas
