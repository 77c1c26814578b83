#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace ogas {

Sampler::Sampler(const SamplingOptions& options, std::unique_ptr<TokenMask> mask)
    : options_(options),
      lists_(options.required_tokens, options.banned_tokens),
      mask_(std::move(mask)),
      random_(options.seed),
      dry_(options),
      mirostat_mu_(2 * static_cast<double>(options.mirostat_tau)) {}

Result<TokenId> Sampler::sample(std::span<const float> logits, std::span<const TokenId> sequence) {
  const TokenId id = OGAS_TRY(choose(logits, sequence));
  accept(id);
  return id;
}

Result<TokenId> Sampler::choose(std::span<const float> logits, std::span<const TokenId> sequence) {
  OGAS_CHECK(!logits.empty());
  OGAS_TRY(adjust(logits, sequence));
  if (options_.temperature <= 0) {
    const auto largest = std::ranges::max_element(adjusted_);
    return *largest > -INFINITY ? static_cast<TokenId>(largest - adjusted_.begin()) : first_allowed();
  }
  if (options_.mirostat == 2) return draw_mirostat();
  const bool is_cut = options_.top_k > 0 || options_.typical_p < 1 || options_.top_p < 1 || options_.min_p > 0;
  return is_cut ? draw_from_candidates() : draw_from_all();
}

// Logits with all that depends on single tokens and on the sequence.
Result<> Sampler::adjust(std::span<const float> logits, std::span<const TokenId> sequence) {
  // A damaged model may give NaN, which cannot be ordered.
  adjusted_.resize(logits.size());
  std::ranges::transform(logits, adjusted_.begin(), [](float x) { return std::isnan(x) ? -INFINITY : x; });
  for (const auto& [id, bias] : options_.logit_bias) adjusted_[static_cast<size_t>(id)] += bias;
  OGAS_TRY(lists_.apply(adjusted_));
  if (mask_) OGAS_TRY(mask_->apply(adjusted_));
  penalise(sequence);
  dry_.apply(adjusted_, sequence);
  return {};
}

void Sampler::penalise(std::span<const TokenId> sequence) {
  const auto& o = options_;
  if (o.repetition_penalty == 1 && o.frequency_penalty == 0 && o.presence_penalty == 0) return;
  const auto window = sequence.last(std::min<size_t>(sequence.size(), o.repeat_last_n));
  seen_.clear();
  seen_.insert(seen_.end(), window.begin(), window.end());
  std::ranges::sort(seen_);
  for (auto begin = seen_.begin(), end = begin; begin != seen_.end(); begin = end) {
    end = std::find_if(begin, seen_.end(), [&](TokenId id) { return id != *begin; });
    const auto count = end - begin;
    float& logit = adjusted_[static_cast<size_t>(*begin)];
    logit = logit > 0 ? logit / o.repetition_penalty : logit * o.repetition_penalty;
    logit -= static_cast<float>(count) * o.frequency_penalty + o.presence_penalty;
  }
}

Result<TokenId> Sampler::first_allowed() {
  std::ranges::fill(adjusted_, 0.0F);
  OGAS_TRY(lists_.apply(adjusted_));
  if (mask_) OGAS_TRY(mask_->apply(adjusted_));
  const auto first = std::ranges::find(adjusted_, 0.0F);
  if (first != adjusted_.end()) return static_cast<TokenId>(first - adjusted_.begin());
  if (!mask_) return 0;
  return fail(ErrorCode::unsupported,
              "no token may come next: the request's grammar allows none that its lists of tokens leave");
}

// The weight of a logit relative to the largest one's.
double Sampler::weight_of(float logit, float largest) const {
  if (logit == largest) return 1;  // both may be infinite
  return std::exp((static_cast<double>(logit) - static_cast<double>(largest)) /
                  static_cast<double>(options_.temperature));
}

double Sampler::total_weight() const {
  const float largest = std::ranges::max(adjusted_);
  double total = 0;
  for (const float logit : adjusted_) total += weight_of(logit, largest);
  return total;
}

// Weighs all tokens by id; their sum, which is 0 where no token has any weight.
double Sampler::weigh_all() {
  const float largest = std::ranges::max(adjusted_);
  weights_.assign(adjusted_.size(), 0);
  if (largest == -INFINITY) return 0;
  std::ranges::transform(adjusted_, weights_.begin(), [&](float logit) { return weight_of(logit, largest); });
  return std::accumulate(weights_.begin(), weights_.end(), 0.0);
}

void Sampler::weigh_candidates() {
  weights_.clear();
  if (candidates_.empty()) return;
  const float largest = std::ranges::max(candidates_, {}, &Candidate::logit).logit;
  for (const Candidate& candidate : candidates_) weights_.push_back(weight_of(candidate.logit, largest));
}

// An index by its share of the weights, which may not all be 0; never one whose weight is.
size_t Sampler::draw() {
  double rest = random_.next_uniform() * std::accumulate(weights_.begin(), weights_.end(), 0.0);
  size_t last = 0;
  for (size_t idx = 0; idx < weights_.size(); ++idx) {
    if (weights_[idx] <= 0) continue;
    last = idx;
    rest -= weights_[idx];
    if (rest < 0) break;
  }
  return last;
}

// Nothing left out: no order is needed, and none is made of 150,000 tokens.
Result<TokenId> Sampler::draw_from_all() {
  if (weigh_all() == 0) return first_allowed();
  exclude_top_choices();
  return static_cast<TokenId>(draw());
}

Result<TokenId> Sampler::draw_from_candidates() {
  choose_candidates();
  if (candidates_.empty()) return first_allowed();
  if (options_.top_k == 1) return candidates_.front().id;
  exclude_top_choices();
  return candidates_[draw()].id;
}

// Tokens of more surprise than mu are left out; mu then moves against the error of the one drawn. Surprise is by the
// distribution before the cut, as algorithm 2 has it. The likeliest always stays.
Result<TokenId> Sampler::draw_mirostat() {
  const double total = weigh_all();
  if (total == 0) return first_allowed();
  const double min = std::min(1.0, total * std::exp2(-mirostat_mu_));
  const auto surprise = [&](double weight) { return std::log2(total / weight); };
  std::ranges::replace_if(weights_, [&](double weight) { return weight < min; }, 0.0);
  const size_t id = draw();
  const double error = surprise(weights_[id]) - static_cast<double>(options_.mirostat_tau);
  mirostat_mu_ -= static_cast<double>(options_.mirostat_eta) * error;
  return static_cast<TokenId>(id);
}

// Candidates in falling order and their weights, after all cuts; there may be more candidates than weights, which are
// cut then. Where top_k keeps all tokens, the few that others keep are looked for among the likeliest first.
void Sampler::choose_candidates() {
  constexpr size_t kFirstLook = 64, kGrowth = 16;
  const size_t n = adjusted_.size();
  if (options_.top_k > 0 || options_.typical_p < 1) {
    if (options_.top_k > 0)
      find_largest(adjusted_, std::min<size_t>(options_.top_k, n), candidates_);
    else
      take_all_candidates();
    weigh_candidates();
    if (options_.typical_p < 1) keep_typical();
    keep_nucleus(std::accumulate(weights_.begin(), weights_.end(), 0.0), true);
    return;
  }
  const double total = options_.top_p < 1 ? total_weight() : 0;
  for (size_t k = std::min(kFirstLook, n);; k = std::min(k * kGrowth, n)) {
    find_largest(adjusted_, k, candidates_);
    weigh_candidates();
    if (keep_nucleus(total, candidates_.size() < k || k == n)) return;
  }
}

// In no order that counts.
void Sampler::take_all_candidates() {
  candidates_.clear();
  for (size_t id = 0; id < adjusted_.size(); ++id)
    if (adjusted_[id] > -INFINITY) candidates_.push_back({static_cast<TokenId>(id), adjusted_[id]});
}

// Keeps the candidates whose surprise -log p lies nearest to the entropy H, which is the mean of -log p, until they
// cover typical_p; leaves them in falling order. The total cancels: -log p - H = mean of x - x, with x the logarithm of
// a weight.
void Sampler::keep_typical() {
  if (candidates_.empty()) return;
  const float largest = std::ranges::max(candidates_, {}, &Candidate::logit).logit;
  const auto log_weight = [&](float logit) {
    return logit == largest ? 0.0
                            : (static_cast<double>(logit) - static_cast<double>(largest)) /
                                  static_cast<double>(options_.temperature);
  };
  double total = 0, weighted = 0;
  for (size_t idx = 0; idx < weights_.size(); ++idx) {
    if (weights_[idx] <= 0) continue;
    total += weights_[idx];
    weighted += weights_[idx] * log_weight(candidates_[idx].logit);
  }
  const double mean = weighted / total;
  surprises_.clear();
  for (size_t idx = 0; idx < weights_.size(); ++idx)
    if (weights_[idx] > 0)
      surprises_.push_back({.candidate = candidates_[idx],
                            .weight = weights_[idx],
                            .from_entropy = std::abs(mean - log_weight(candidates_[idx].logit))});
  // Few are kept of many: a heap gives them in order without ordering the rest.
  const auto is_later = [](const Surprise& a, const Surprise& b) {
    return a.from_entropy != b.from_entropy ? a.from_entropy > b.from_entropy : is_likelier(b.candidate, a.candidate);
  };
  std::ranges::make_heap(surprises_, is_later);
  candidates_.clear();
  for (double covered = 0; candidates_.empty() || covered < static_cast<double>(options_.typical_p) * total;) {
    if (surprises_.empty()) break;
    covered += surprises_.front().weight;
    candidates_.push_back(surprises_.front().candidate);
    std::ranges::pop_heap(surprises_, is_later);
    surprises_.pop_back();
  }
  std::ranges::sort(candidates_, is_likelier);
  weigh_candidates();
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

// XTC: all that reach the threshold lose their weight but the least likely of them, the last of equals.
void Sampler::exclude_top_choices() {
  if (options_.xtc_probability <= 0) return;
  if (random_.next_uniform() >= static_cast<double>(options_.xtc_probability)) return;
  const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  const double bar = static_cast<double>(options_.xtc_threshold) * total;
  double* spared = nullptr;
  for (double& weight : weights_) {
    if (weight <= 0 || weight < bar) continue;
    if (!spared) {
      spared = &weight;
    } else if (weight <= *spared) {
      *spared = 0;
      spared = &weight;
    } else {
      weight = 0;
    }
  }
}

}  // namespace ogas
