#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "base/check.h"

namespace ogas {
namespace {

Result<> check_range(std::string_view name, float value, float min, float max) {
  if (value >= min && value <= max) return {};  // false for NaN, too
  return fail(ErrorCode::usage, "{} is {}; it must lie between {} and {}", name, value, min, max);
}

// SplitMix64 (Steele et al. 2014): neighbouring seeds start far apart.
uint64_t scramble(uint64_t seed) {
  seed += 0x9E3779B97F4A7C15;
  seed = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9;
  seed = (seed ^ seed >> 27) * 0x94D049BB133111EB;
  return seed ^ seed >> 31;
}

}  // namespace

Result<> SamplingOptions::validate() const {
  OGAS_TRY(check_range("temperature", temperature, 0, 100));
  OGAS_TRY(check_range("top_p", top_p, 0, 1));
  OGAS_TRY(check_range("min_p", min_p, 0, 1));
  OGAS_TRY(check_range("repetition_penalty", repetition_penalty, 0.01F, 100));
  OGAS_TRY(check_range("frequency_penalty", frequency_penalty, -100, 100));
  OGAS_TRY(check_range("presence_penalty", presence_penalty, -100, 100));
  return {};
}

Sampler::Sampler(const SamplingOptions& options) : options_(options), state_(scramble(options.seed)) {}

TokenId Sampler::sample(std::span<const float> logits, std::span<const TokenId> recent) {
  OGAS_CHECK(!logits.empty());
  // A damaged model may give NaN, which has no place in an order.
  adjusted_.resize(logits.size());
  std::ranges::transform(logits, adjusted_.begin(), [](float x) { return std::isnan(x) ? -INFINITY : x; });
  penalise(recent);
  if (options_.temperature <= 0 || options_.top_k == 1)
    return static_cast<TokenId>(std::ranges::max_element(adjusted_) - adjusted_.begin());
  keep_most_likely();
  keep_nucleus();

  const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  double rest = next_uniform() * total;
  for (size_t idx = 0; idx < weights_.size(); ++idx) {
    rest -= weights_[idx];
    if (rest < 0) return candidates_[idx].id;
  }
  return candidates_[weights_.size() - 1].id;
}

void Sampler::penalise(std::span<const TokenId> recent) {
  const auto& o = options_;
  if (o.repetition_penalty == 1 && o.frequency_penalty == 0 && o.presence_penalty == 0) return;
  std::unordered_map<TokenId, uint32_t> counts;
  for (const TokenId id : recent.last(std::min<size_t>(recent.size(), o.penalty_window))) ++counts[id];
  for (const auto& [id, count] : counts) {
    float& logit = adjusted_[static_cast<size_t>(id)];
    logit = logit > 0 ? logit / o.repetition_penalty : logit * o.repetition_penalty;
    logit -= static_cast<float>(count) * o.frequency_penalty + o.presence_penalty;
  }
}

// Fills candidates_ with the top_k largest logits, in falling order; equal ones by id, so that order never depends on
// how the sort works.
void Sampler::keep_most_likely() {
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  candidates_.clear();
  for (size_t id = 0; id < adjusted_.size(); ++id) candidates_.push_back({static_cast<TokenId>(id), adjusted_[id]});
  const size_t k = options_.top_k == 0 ? candidates_.size() : std::min<size_t>(options_.top_k, candidates_.size());
  std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<ptrdiff_t>(k - 1), candidates_.end(), better);
  candidates_.resize(k);
  std::ranges::sort(candidates_, better);
}

// Turns logits into weights and drops what top_p and min_p leave out; the likeliest always stays.
void Sampler::keep_nucleus() {
  weights_.clear();
  const double largest = static_cast<double>(candidates_.front().logit);
  for (const Candidate& candidate : candidates_)
    weights_.push_back(
        std::exp((static_cast<double>(candidate.logit) - largest) / static_cast<double>(options_.temperature)));
  const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  double covered = 0;
  size_t n_kept = 0;
  for (; n_kept < weights_.size(); ++n_kept) {
    const bool nucleus_full =
        n_kept > 0 && options_.top_p < 1 && covered >= static_cast<double>(options_.top_p) * total;
    if (nucleus_full || weights_[n_kept] < static_cast<double>(options_.min_p) * weights_.front()) break;
    covered += weights_[n_kept];
  }
  weights_.resize(std::max<size_t>(1, n_kept));
}

// PCG-XSH-RR (O'Neill 2014), two draws for 53 bits.
double Sampler::next_uniform() {
  const auto draw = [&]() -> uint32_t {
    const uint64_t old = state_;
    state_ = old * 6364136223846793005 + 1442695040888963407;
    const auto shifted = static_cast<uint32_t>((old >> 18 ^ old) >> 27);
    const auto turn = static_cast<uint32_t>(old >> 59);
    return shifted >> turn | shifted << (-turn & 31);
  };
  const uint64_t high = draw();
  const uint64_t bits = (high << 32 | draw()) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

}  // namespace ogas
