#include "nn/expert_cache.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace ogas {

namespace {

constexpr double kFactor = 4;             // between half-lives
constexpr double kLatelyInHalfLives = 8;  // of the one given

}  // namespace

ExpertCache::ExpertCache(uint32_t n_expert, uint32_t n_places, double half_life)
    : n_places_(std::min(n_places, n_expert)),
      keeps_(std::exp2(-1 / (kLatelyInHalfLives * half_life))),
      place_(n_expert, kNone),
      expert_in_(n_places_, kNone),
      is_held_(n_expert) {
  for (size_t idx = 0; idx < ways_.size(); ++idx) {
    ways_[idx].half_life = half_life * std::pow(kFactor, static_cast<double>(idx) - kGiven);
    ways_[idx].counts.resize(n_expert);
  }
}

void ExpertCache::count(std::span<const Use> uses, uint32_t n_tokens) {
  constexpr double kLargest = 1e30;
  choose_way(uses);
  for (Way& way : ways_) {
    way.unit *= std::exp2(n_tokens / way.half_life);
    if (way.unit > kLargest) {
      for (double& one : way.counts) one /= way.unit;
      way.unit = 1;
    }
    for (const Use& use : uses) way.counts[use.expert] += way.unit * use.n_tokens;
  }
}

// Whether it would be in memory, were places given by these counts alone.
bool ExpertCache::is_favourite(const Way& way, uint32_t expert) const {
  const double count = way.counts[expert];
  return std::ranges::count_if(way.counts, [&](double other) { return other > count; }) < n_places_;
}

// By what was counted before these uses. A long prompt takes nearly all experts and so says nothing for any way.
void ExpertCache::choose_way(std::span<const Use> uses) {
  for (Way& way : ways_) {
    way.n_right *= keeps_;
    for (const Use& use : uses) way.n_right += is_favourite(way, use.expert);
  }
  for (size_t idx = 0; idx < ways_.size(); ++idx)
    if (ways_[idx].n_right > ways_[best_].n_right) best_ = idx;
}

std::optional<uint32_t> ExpertCache::place_of(uint32_t expert) const {
  return place_[expert] == kNone ? std::nullopt : std::optional(place_[expert]);
}

std::optional<uint32_t> ExpertCache::admit(uint32_t expert) {
  OGAS_CHECK(place_[expert] == kNone, "expert {} has place {}", expert, place_[expert]);
  std::optional<uint32_t> found;
  const std::vector<double>& counts = ways_[best_].counts;
  double least = counts[expert];
  for (uint32_t place = 0; place < n_places_; ++place) {
    const uint32_t there = expert_in_[place];
    if (there == kNone) {
      found = place;
      break;
    }
    if (is_held_[there] || counts[there] >= least) continue;
    found = place;
    least = counts[there];
  }
  if (!found) return found;
  if (expert_in_[*found] != kNone) place_[expert_in_[*found]] = kNone;
  expert_in_[*found] = expert;
  place_[expert] = *found;
  return found;
}

std::vector<ExpertCache::Move> ExpertCache::resize(uint32_t n_places) {
  n_places_ = std::min<uint32_t>(n_places, static_cast<uint32_t>(place_.size()));
  std::vector<uint32_t> there;
  for (const uint32_t expert : expert_in_)
    if (expert != kNone) there.push_back(expert);
  std::ranges::stable_sort(there, std::ranges::greater{}, [&](uint32_t expert) { return count_of(expert); });
  for (size_t idx = n_places_; idx < there.size(); ++idx) {
    expert_in_[place_[there[idx]]] = kNone;
    place_[there[idx]] = kNone;
  }
  std::vector<Move> moves;
  uint32_t to = 0;
  for (uint32_t from = n_places_; from < expert_in_.size(); ++from) {
    const uint32_t expert = expert_in_[from];
    if (expert == kNone) continue;
    while (expert_in_[to] != kNone) ++to;
    expert_in_[to] = expert;
    place_[expert] = to;
    moves.push_back({.expert = expert, .from = from, .to = to});
  }
  expert_in_.resize(n_places_, kNone);
  return moves;
}

std::vector<float> ExpertCache::counts() const {
  const Way& way = ways_[kGiven];
  std::vector<float> now(way.counts.size());
  for (size_t expert = 0; expert < now.size(); ++expert)
    now[expert] = static_cast<float>(way.counts[expert] / way.unit);
  return now;
}

void ExpertCache::set_counts(std::span<const float> counts) {
  OGAS_CHECK(counts.size() == place_.size(), "{} counts of {}", counts.size(), place_.size());
  for (Way& way : ways_) {
    // As if uses had always been so frequent.
    const double scale = way.half_life / ways_[kGiven].half_life;
    way.unit = 1;
    std::ranges::transform(counts, way.counts.begin(), [&](float one) { return one * scale; });
  }
}

std::vector<uint32_t> ExpertCache::favourites() const {
  std::vector<uint32_t> best(place_.size());
  std::iota(best.begin(), best.end(), 0U);
  std::ranges::stable_sort(best, std::ranges::greater{}, [&](uint32_t expert) { return count_of(expert); });
  best.resize(n_places_);
  return best;
}

}  // namespace ogas
