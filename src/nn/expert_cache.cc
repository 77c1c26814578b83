#include "nn/expert_cache.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace ogas {

ExpertCache::ExpertCache(uint32_t n_expert, uint32_t n_places, double half_life)
    : n_places_(std::min(n_places, n_expert)),
      half_life_(half_life),
      counts_(n_expert),
      place_(n_expert, kNone),
      expert_in_(n_places_, kNone),
      is_held_(n_expert) {}

void ExpertCache::count(std::span<const Use> uses, uint32_t n_tokens) {
  constexpr double kLargest = 1e30;
  unit_ *= std::exp2(n_tokens / half_life_);
  if (unit_ > kLargest) {
    for (double& one : counts_) one /= unit_;
    unit_ = 1;
  }
  for (const Use& use : uses) counts_[use.expert] += unit_ * use.n_tokens;
}

std::optional<uint32_t> ExpertCache::place_of(uint32_t expert) const {
  return place_[expert] == kNone ? std::nullopt : std::optional(place_[expert]);
}

std::optional<uint32_t> ExpertCache::admit(uint32_t expert) {
  OGAS_CHECK(place_[expert] == kNone, "expert {} has place {}", expert, place_[expert]);
  std::optional<uint32_t> found;
  double least = counts_[expert];
  for (uint32_t place = 0; place < n_places_; ++place) {
    const uint32_t there = expert_in_[place];
    if (there == kNone) {
      found = place;
      break;
    }
    if (is_held_[there] || counts_[there] >= least) continue;
    found = place;
    least = counts_[there];
  }
  if (!found) return found;
  if (expert_in_[*found] != kNone) place_[expert_in_[*found]] = kNone;
  expert_in_[*found] = expert;
  place_[expert] = *found;
  return found;
}

std::vector<ExpertCache::Move> ExpertCache::resize(uint32_t n_places) {
  n_places_ = std::min<uint32_t>(n_places, static_cast<uint32_t>(counts_.size()));
  std::vector<uint32_t> there;
  for (const uint32_t expert : expert_in_)
    if (expert != kNone) there.push_back(expert);
  std::ranges::stable_sort(there, std::ranges::greater{}, [&](uint32_t expert) { return counts_[expert]; });
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
  std::vector<float> now(counts_.size());
  for (size_t expert = 0; expert < now.size(); ++expert) now[expert] = static_cast<float>(counts_[expert] / unit_);
  return now;
}

void ExpertCache::set_counts(std::span<const float> counts) {
  OGAS_CHECK(counts.size() == counts_.size(), "{} counts of {}", counts.size(), counts_.size());
  unit_ = 1;
  std::ranges::copy(counts, counts_.begin());
}

std::vector<uint32_t> ExpertCache::favourites() const {
  std::vector<uint32_t> best(counts_.size());
  std::iota(best.begin(), best.end(), 0U);
  std::ranges::stable_sort(best, std::ranges::greater{}, [&](uint32_t expert) { return counts_[expert]; });
  best.resize(n_places_);
  return best;
}

}  // namespace ogas
