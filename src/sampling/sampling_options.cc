#include "sampling/sampling_options.h"

#include <algorithm>
#include <random>
#include <span>
#include <string_view>

#include "sampling/sampling_settings.h"
#include "sampling/token_mask.h"

namespace ogas {
namespace {

Result<> check_id(std::string_view name, TokenId id, size_t n_vocab) {
  if (id >= 0 && static_cast<size_t>(id) < n_vocab) return {};
  return fail(ErrorCode::usage, "{} names token {}; it must lie between 0 and {}", name, id, n_vocab - 1);
}

Result<> check_ids(std::string_view name, std::span<const TokenId> ids, size_t n_vocab) {
  for (const TokenId id : ids) OGAS_TRY(check_id(name, id, n_vocab));
  return {};
}

}  // namespace

void SamplingOptions::draw_seed() {
  if (seed == kRandomSeed) seed = std::random_device{}();
}

Result<> SamplingOptions::validate() const {
  for (const SamplingSetting& setting : sampling_settings()) OGAS_TRY(setting.check(*this));
  for (const auto& [id, bias] : logit_bias)
    if (!(bias >= -100 && bias <= 100))  // NaN, too
      return fail(ErrorCode::usage, "logit_bias of token {} is {}; it must lie between -100 and 100", id, bias);
  return {};
}

Result<> SamplingOptions::check_tokens(size_t n_vocab) const {
  for (const LogitBias& entry : logit_bias) OGAS_TRY(check_id("logit_bias", entry.id, n_vocab));
  OGAS_TRY(check_ids("banned_tokens", banned_tokens, n_vocab));
  OGAS_TRY(check_ids("required_tokens", required_tokens, n_vocab));
  OGAS_TRY(check_ids("dry_sequence_breakers", dry_sequence_breakers, n_vocab));
  if (banned_tokens.empty() && required_tokens.empty()) return {};
  std::vector<float> logits(n_vocab);
  TokenListMask(required_tokens, banned_tokens).apply(logits);
  if (std::ranges::find(logits, 0.0F) != logits.end()) return {};
  return fail(ErrorCode::usage, "banned_tokens leaves none of the {}",
              required_tokens.empty() ? fmt::format("{} tokens of the vocabulary", n_vocab)
                                      : fmt::format("{} required_tokens", required_tokens.size()));
}

}  // namespace ogas
