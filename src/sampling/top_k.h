// The likeliest tokens, without an order of all.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "text/vocab.h"

namespace ogas {

struct Candidate {
  TokenId id;
  float logit;
};

// By falling logit; equal ones by id, so that no order depends on how a sort works. An object, which sorts call inline.
inline constexpr auto is_likelier = [](const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
};

// The k largest logits, in falling order; fewer where fewer are above -inf. NaN counts as -inf. Reuses the memory of
// `found`.
void find_largest(std::span<const float> logits, size_t k, std::vector<Candidate>& found);

}  // namespace ogas
