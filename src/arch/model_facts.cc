#include "arch/model_facts.h"

#include <cmath>
#include <numeric>

namespace ogas {

double ModelFacts::pass_bytes(uint64_t n_tokens) const {
  const double n = static_cast<double>(n_tokens);
  const double share = n_expert > 0 ? 1 - std::pow(1 - double(n_expert_used) / n_expert, n) : 0;
  return static_cast<double>(work.row_bytes) * n + static_cast<double>(work.n_bytes + work.output_bytes) +
         static_cast<double>(work.expert_bytes) * share;
}

std::array<double, kWeightKinds> ModelFacts::products_by_kind(uint64_t n_tokens, uint64_t n_logits) const {
  const double share = n_expert > 0 ? double(n_expert_used) / n_expert : 0;
  std::array<double, kWeightKinds> products;
  for (size_t kind = 0; kind < kWeightKinds; ++kind)
    products[kind] =
        (static_cast<double>(work.weights[kind]) + static_cast<double>(work.expert_weights[kind]) * share) *
            static_cast<double>(n_tokens) +
        static_cast<double>(work.output_weights[kind]) * static_cast<double>(n_logits);
  return products;
}

double ModelFacts::pass_products(uint64_t n_tokens, uint64_t n_logits) const {
  const auto products = products_by_kind(n_tokens, n_logits);
  return std::accumulate(products.begin(), products.end(), 0.0);
}

}  // namespace ogas
