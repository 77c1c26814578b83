#include "nn/expert_cache.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace ogas {

namespace {

constexpr double kFactor = 4;             // between half-lives
constexpr double kRecentInHalfLives = 8;  // of the one given

}  // namespace

ExpertCache::ExpertCache(uint32_t n_expert, uint32_t n_slots, double half_life)
    : n_slots_(std::min(n_slots, n_expert)),
      retention_(std::exp2(-1 / (kRecentInHalfLives * half_life))),
      slot_(n_expert, kNone),
      expert_in_(n_slots_, kNone),
      is_held_(n_expert) {
  for (size_t idx = 0; idx < windows_.size(); ++idx) {
    windows_[idx].half_life = half_life * std::pow(kFactor, static_cast<double>(idx) - kNominal);
    windows_[idx].counts.resize(n_expert);
  }
}

void ExpertCache::count(std::span<const Use> uses, uint32_t n_tokens) {
  constexpr double kLargest = 1e30;
  choose_window(uses);
  for (Window& window : windows_) {
    window.unit *= std::exp2(n_tokens / window.half_life);
    if (window.unit > kLargest) {
      for (double& one : window.counts) one /= window.unit;
      window.unit = 1;
    }
    for (const Use& use : uses) window.counts[use.expert] += window.unit * use.n_tokens;
  }
}

// Whether it would be in memory, were slots given by these counts alone.
bool ExpertCache::is_in_top(const Window& window, uint32_t expert) const {
  const double count = window.counts[expert];
  return std::ranges::count_if(window.counts, [&](double other) { return other > count; }) < n_slots_;
}

// By what was counted before these uses. A long prompt takes nearly all experts and so says nothing for any way.
void ExpertCache::choose_window(std::span<const Use> uses) {
  for (Window& window : windows_) {
    window.n_right *= retention_;
    for (const Use& use : uses) window.n_right += is_in_top(window, use.expert);
  }
  for (size_t idx = 0; idx < windows_.size(); ++idx)
    if (windows_[idx].n_right > windows_[best_].n_right) best_ = idx;
}

std::optional<uint32_t> ExpertCache::slot_of(uint32_t expert) const {
  return slot_[expert] == kNone ? std::nullopt : std::optional(slot_[expert]);
}

std::optional<uint32_t> ExpertCache::admit(uint32_t expert) {
  OGAS_CHECK(slot_[expert] == kNone, "expert {} has slot {}", expert, slot_[expert]);
  std::optional<uint32_t> found;
  const std::vector<double>& counts = windows_[best_].counts;
  double min = counts[expert];
  for (uint32_t slot = 0; slot < n_slots_; ++slot) {
    const uint32_t there = expert_in_[slot];
    if (there == kNone) {
      found = slot;
      break;
    }
    if (is_held_[there] || counts[there] >= min) continue;
    found = slot;
    min = counts[there];
  }
  if (!found) return found;
  if (expert_in_[*found] != kNone) slot_[expert_in_[*found]] = kNone;
  expert_in_[*found] = expert;
  slot_[expert] = *found;
  return found;
}

std::vector<ExpertCache::Move> ExpertCache::resize(uint32_t n_slots) {
  n_slots_ = std::min<uint32_t>(n_slots, static_cast<uint32_t>(slot_.size()));
  std::vector<uint32_t> there;
  for (const uint32_t expert : expert_in_)
    if (expert != kNone) there.push_back(expert);
  std::ranges::stable_sort(there, std::ranges::greater{}, [&](uint32_t expert) { return count_of(expert); });
  for (size_t idx = n_slots_; idx < there.size(); ++idx) {
    expert_in_[slot_[there[idx]]] = kNone;
    slot_[there[idx]] = kNone;
  }
  std::vector<Move> moves;
  uint32_t to = 0;
  for (uint32_t from = n_slots_; from < expert_in_.size(); ++from) {
    const uint32_t expert = expert_in_[from];
    if (expert == kNone) continue;
    while (expert_in_[to] != kNone) ++to;
    expert_in_[to] = expert;
    slot_[expert] = to;
    moves.push_back({.expert = expert, .from = from, .to = to});
  }
  expert_in_.resize(n_slots_, kNone);
  return moves;
}

std::vector<float> ExpertCache::counts() const {
  const Window& window = windows_[kNominal];
  std::vector<float> now(window.counts.size());
  for (size_t expert = 0; expert < now.size(); ++expert)
    now[expert] = static_cast<float>(window.counts[expert] / window.unit);
  return now;
}

void ExpertCache::set_counts(std::span<const float> counts) {
  OGAS_CHECK(counts.size() == slot_.size(), "{} counts of {}", counts.size(), slot_.size());
  for (Window& window : windows_) {
    // As if uses had always been so frequent.
    const double scale = window.half_life / windows_[kNominal].half_life;
    window.unit = 1;
    std::ranges::transform(counts, window.counts.begin(), [&](float one) { return one * scale; });
  }
}

std::vector<uint32_t> ExpertCache::top_experts() const {
  std::vector<uint32_t> best(slot_.size());
  std::iota(best.begin(), best.end(), 0U);
  std::ranges::stable_sort(best, std::ranges::greater{}, [&](uint32_t expert) { return count_of(expert); });
  best.resize(n_slots_);
  return best;
}

}  // namespace ogas
