#include "sampling/dry.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace ogas {

DryPenalty::DryPenalty(const SamplingOptions& options)
    : multiplier_(static_cast<double>(options.dry_multiplier)),
      base_(static_cast<double>(options.dry_base)),
      allowed_length_(options.dry_allowed_length),
      window_(options.dry_penalty_last_n < 0 ? std::numeric_limits<size_t>::max()
                                             : static_cast<size_t>(options.dry_penalty_last_n)) {
  if (multiplier_ <= 0) return;
  for (const TokenId id : options.dry_sequence_breakers) {
    OGAS_CHECK(id >= 0, "token {}", id);
    if (breakers_.size() <= static_cast<size_t>(id)) breakers_.resize(static_cast<size_t>(id) + 1);
    breakers_[static_cast<size_t>(id)] = true;
  }
}

bool DryPenalty::is_breaker(TokenId id) const {
  return static_cast<size_t>(id) < breakers_.size() && breakers_[static_cast<size_t>(id)];
}

// matches_[k]: how many of the last n_usable tokens, from the end, are those before the last k. This is the Z function
// (Gusfield 1997, 1.3) of the window read backwards: [begin, begin + length) is the match that reaches furthest, and
// within it matches repeat those at its mirror image.
void DryPenalty::find_matches(std::span<const TokenId> window, size_t n_usable) {
  const size_t n = window.size();
  const auto backwards = [&](size_t idx) { return window[n - 1 - idx]; };
  matches_.resize(n);
  size_t begin = 0, end = 0;
  for (size_t k = 1; k < n; ++k) {
    size_t length = k < end ? std::min(matches_[k - begin], end - k) : 0;
    while (length < n_usable && k + length < n && backwards(k + length) == backwards(length)) ++length;
    matches_[k] = length;
    if (k + length > end) begin = k, end = k + length;
  }
}

void DryPenalty::apply(std::span<float> logits, std::span<const TokenId> sequence) {
  if (multiplier_ <= 0) return;
  const auto window = sequence.last(std::min(sequence.size(), window_));
  size_t n_usable = 0;
  while (n_usable < window.size() && !is_breaker(window[window.size() - 1 - n_usable])) ++n_usable;
  if (n_usable == 0) return;
  find_matches(window, n_usable);

  continued_.clear();  // the token that would continue a match, and its length
  continued_.reserve(matches_.capacity());
  for (size_t k = 1; k < window.size(); ++k) {
    const TokenId next = window[window.size() - k];
    if (matches_[k] < std::max<size_t>(allowed_length_, 1) || is_breaker(next)) continue;
    continued_.emplace_back(next, matches_[k]);
  }
  std::ranges::sort(continued_, std::ranges::greater{});
  const auto others = std::ranges::unique(continued_, {}, &std::pair<TokenId, size_t>::first);  // the longest stay
  continued_.erase(others.begin(), others.end());
  // However long the match, the logit stays finite: a penalty makes tokens unlikely, but it bans none.
  constexpr double kMax = 1e30;
  for (const auto& [id, length] : continued_)
    logits[static_cast<size_t>(id)] -= static_cast<float>(
        std::min(kMax, multiplier_ * std::pow(base_, static_cast<double>(length - allowed_length_))));
}

std::vector<TokenId> tokens_containing(const Tokenizer& tokenizer, std::span<const std::string> strings) {
  std::vector<TokenId> ids;
  for (TokenId id = 0; static_cast<size_t>(id) < tokenizer.vocab().kinds.size(); ++id) {
    const std::string_view bytes = tokenizer.bytes_of(id);
    if (std::ranges::any_of(strings, [&](const std::string& text) { return bytes.contains(text); })) ids.push_back(id);
  }
  return ids;
}

}  // namespace ogas
