#include "sampling/token_mask.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ogas {

TokenListMask::TokenListMask(std::vector<TokenId> required, std::vector<TokenId> banned)
    : required_(std::move(required)), banned_(std::move(banned)) {}

Result<> TokenListMask::apply(std::span<float> logits) {
  if (!required_.empty()) {
    kept_.clear();
    for (const TokenId id : required_) kept_.push_back(logits[static_cast<size_t>(id)]);
    std::ranges::fill(logits, -INFINITY);
    for (size_t idx = 0; idx < required_.size(); ++idx) logits[static_cast<size_t>(required_[idx])] = kept_[idx];
  }
  for (const TokenId id : banned_) logits[static_cast<size_t>(id)] = -INFINITY;
  return {};
}

}  // namespace ogas
