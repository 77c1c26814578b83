#include "engine/sampling_options.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace ogas {
namespace {

Result<> check_range(std::string_view name, float value, float min, float max) {
  if (value >= min && value <= max) return {};  // false for NaN, too
  return fail(ErrorCode::usage, "{} is {}; it must lie between {} and {}", name, value, min, max);
}

Result<> check_id(std::string_view name, TokenId id, size_t n_vocab) {
  if (id >= 0 && static_cast<size_t>(id) < n_vocab) return {};
  return fail(ErrorCode::usage, "{} names token {}; it must lie between 0 and {}", name, id, n_vocab - 1);
}

Result<> check_ids(std::string_view name, std::span<const TokenId> ids, size_t n_vocab) {
  for (const TokenId id : ids) OGAS_TRY(check_id(name, id, n_vocab));
  return {};
}

}  // namespace

Result<> SamplingOptions::validate() const {
  OGAS_TRY(check_range("temperature", temperature, 0, 100));
  OGAS_TRY(check_range("typical_p", typical_p, 0, 1));
  OGAS_TRY(check_range("top_p", top_p, 0, 1));
  OGAS_TRY(check_range("min_p", min_p, 0, 1));
  OGAS_TRY(check_range("xtc_probability", xtc_probability, 0, 1));
  OGAS_TRY(check_range("xtc_threshold", xtc_threshold, 0, 1));
  OGAS_TRY(check_range("repetition_penalty", repetition_penalty, 0.01F, 100));
  OGAS_TRY(check_range("frequency_penalty", frequency_penalty, -100, 100));
  OGAS_TRY(check_range("presence_penalty", presence_penalty, -100, 100));
  OGAS_TRY(check_range("dry_multiplier", dry_multiplier, 0, 100));
  OGAS_TRY(check_range("dry_base", dry_base, 1, 100));
  if (dry_penalty_last_n < -1)
    return fail(ErrorCode::usage, "dry_penalty_last_n is {}; it must be -1 or more", dry_penalty_last_n);
  if (mirostat != 0 && mirostat != 2) return fail(ErrorCode::usage, "mirostat is {}; it must be 0 or 2", mirostat);
  OGAS_TRY(check_range("mirostat_tau", mirostat_tau, 0, 100));
  OGAS_TRY(check_range("mirostat_eta", mirostat_eta, 0, 1));
  for (const auto& [id, bias] : logit_bias)
    OGAS_TRY(check_range(fmt::format("logit_bias of token {}", id), bias, -100, 100));
  return {};
}

Result<> SamplingOptions::check_tokens(size_t n_vocab) const {
  for (const LogitBias& entry : logit_bias) OGAS_TRY(check_id("logit_bias", entry.id, n_vocab));
  OGAS_TRY(check_ids("banned_tokens", banned_tokens, n_vocab));
  OGAS_TRY(check_ids("required_tokens", required_tokens, n_vocab));
  OGAS_TRY(check_ids("dry_sequence_breakers", dry_sequence_breakers, n_vocab));
  if (banned_tokens.empty() && required_tokens.empty()) return {};
  const std::vector<bool> allowed = allowed_tokens(n_vocab);
  if (std::ranges::find(allowed, true) != allowed.end()) return {};
  return fail(ErrorCode::usage, "banned_tokens leaves none of the {}",
              required_tokens.empty() ? fmt::format("{} tokens of the vocabulary", n_vocab)
                                      : fmt::format("{} required_tokens", required_tokens.size()));
}

std::vector<bool> SamplingOptions::allowed_tokens(size_t n_vocab) const {
  std::vector<bool> allowed(n_vocab, required_tokens.empty());
  for (const TokenId id : required_tokens) allowed[static_cast<size_t>(id)] = true;
  for (const TokenId id : banned_tokens) allowed[static_cast<size_t>(id)] = false;
  return allowed;
}

}  // namespace ogas
