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
  if (options_.top_k == 0 && options_.top_p >= 1 && options_.min_p <= 0) return draw_from_all();
  choose_candidates();

  double rest = next_uniform() * std::accumulate(weights_.begin(), weights_.end(), 0.0);
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

// Of a logit, beside that of the largest one.
double Sampler::weight_of(float logit, float largest) const {
  return std::exp((static_cast<double>(logit) - static_cast<double>(largest)) /
                  static_cast<double>(options_.temperature));
}

double Sampler::total_weight(float largest) const {
  double total = 0;
  for (const float logit : adjusted_) total += weight_of(logit, largest);
  return total;
}

// Nothing left out: no order is needed, and none is made of 150,000 tokens.
TokenId Sampler::draw_from_all() {
  const float largest = std::ranges::max(adjusted_);
  double rest = next_uniform() * total_weight(largest);
  size_t last = 0;
  for (size_t id = 0; id < adjusted_.size(); ++id) {
    const double weight = weight_of(adjusted_[id], largest);
    if (weight > 0) last = id;
    rest -= weight;
    if (rest < 0) break;
  }
  return static_cast<TokenId>(last);
}

// The k largest logits, in falling order; equal ones by id, so that order never depends on how the sort works.
void Sampler::select_largest(size_t k) {
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  const auto drop_others = [&] {
    if (candidates_.size() <= k) return;
    std::ranges::nth_element(candidates_, candidates_.begin() + static_cast<ptrdiff_t>(k - 1), better);
    candidates_.resize(k);
  };
  candidates_.clear();
  // Once there are k, most logits fall to one comparison. An equal one of a later id is no better.
  float least = -INFINITY;
  for (size_t id = 0; id < adjusted_.size(); ++id) {
    if (candidates_.size() >= k && adjusted_[id] <= least) continue;
    candidates_.push_back({static_cast<TokenId>(id), adjusted_[id]});
    if (candidates_.size() < 2 * k && candidates_.size() != k) continue;
    drop_others();
    least = std::ranges::min(candidates_, {}, &Candidate::logit).logit;
  }
  drop_others();
  std::ranges::sort(candidates_, better);
}

// Candidates and their weights, after top_k, top_p and min_p. Where all tokens count, the few that are kept are looked
// for among the likeliest first.
void Sampler::choose_candidates() {
  constexpr size_t kFirstLook = 64, kGrowth = 16;
  const size_t n = adjusted_.size();
  if (options_.top_k > 0) {
    select_largest(std::min<size_t>(options_.top_k, n));
    weigh_candidates();
    keep_nucleus(std::accumulate(weights_.begin(), weights_.end(), 0.0), true);
    return;
  }
  const double total = options_.top_p < 1 ? total_weight(std::ranges::max(adjusted_)) : 0;
  for (size_t k = std::min(kFirstLook, n);; k = std::min(k * kGrowth, n)) {
    select_largest(k);
    weigh_candidates();
    if (keep_nucleus(total, k == n)) return;
  }
}

void Sampler::weigh_candidates() {
  weights_.clear();
  for (const Candidate& candidate : candidates_)
    weights_.push_back(weight_of(candidate.logit, candidates_.front().logit));
}

// Drops the weights that top_p (of this total) and min_p leave out; the likeliest always stays. False where none is
// left out and these are not all.
bool Sampler::keep_nucleus(double total, bool are_all) {
  double covered = 0;
  size_t n_kept = 0;
  for (; n_kept < weights_.size(); ++n_kept) {
    const bool nucleus_full =
        n_kept > 0 && options_.top_p < 1 && covered >= static_cast<double>(options_.top_p) * total;
    if (nucleus_full || weights_[n_kept] < static_cast<double>(options_.min_p) * weights_.front()) break;
    covered += weights_[n_kept];
  }
  if (n_kept == weights_.size() && !are_all) return false;
  weights_.resize(std::max<size_t>(1, n_kept));
  return true;
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
