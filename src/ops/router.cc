#include "ops/router.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace ogas {
namespace {

constexpr float kExcluded = -INFINITY;

void softmax(std::span<float> x) {
  const float largest = *std::ranges::max_element(x);
  float sum = 0;
  for (float& value : x) sum += value = std::exp(value - largest);
  for (float& value : x) value /= sum;
}

float group_score(std::span<const float> scores, GroupScores kind) {
  float first = kExcluded, second = kExcluded;
  for (const float score : scores) {
    if (score > first)
      second = std::exchange(first, score);
    else
      second = std::max(second, score);
  }
  return kind == GroupScores::largest || scores.size() == 1 ? first : first + second;
}

// Excludes all experts but those of the best groups.
void limit_groups(const RouterRules& rules, std::span<float> choice, ScratchArena& own) {
  const size_t group_size = rules.n_expert / rules.n_group;
  const std::span<float> scores = own.take<float>(rules.n_group);
  for (size_t g = 0; g < rules.n_group; ++g)
    scores[g] = group_score(choice.subspan(g * group_size, group_size), rules.group_scores);
  const std::span<bool> kept = own.take<bool>(rules.n_group);
  std::ranges::fill(kept, false);
  for (uint32_t n = 0; n < rules.n_group_used; ++n) {
    size_t best = rules.n_group;
    for (size_t g = 0; g < rules.n_group; ++g)
      if (!kept[g] && (best == rules.n_group || scores[g] > scores[best])) best = g;
    kept[best] = true;
  }
  for (size_t g = 0; g < rules.n_group; ++g)
    if (!kept[g]) std::ranges::fill(choice.subspan(g * group_size, group_size), kExcluded);
}

void choose(std::span<float> choice, std::span<Routed> chosen) {
  for (Routed& slot : chosen) {
    const auto best = std::ranges::max_element(choice);
    slot.expert_idx = static_cast<uint32_t>(best - choice.begin());
    *best = -INFINITY;
  }
}

}  // namespace

void route(const RouterRules& rules, std::span<const float> logits, std::span<const float> bias, ScratchArena& own,
           std::span<Routed> chosen) {
  const size_t n = rules.n_expert;
  OGAS_CHECK(logits.size() == n && chosen.size() == rules.n_used && rules.n_used <= n, "{} logits, {} chosen",
             logits.size(), chosen.size());
  const ScratchArena::Frame frame(own);
  const std::span<float> scores = own.take<float>(n), choice = own.take<float>(n);
  // A damaged model may give NaN, which cannot be ordered.
  std::ranges::transform(logits, scores.begin(),
                         [](float x) { return std::isnan(x) ? -1e30F : std::clamp(x, -1e30F, 1e30F); });
  if (rules.scores == RouterScores::softmax) softmax(scores);
  if (rules.scores == RouterScores::sigmoid)
    for (float& score : scores) score = 1 / (1 + std::exp(-score));
  for (size_t e = 0; e < n; ++e) choice[e] = scores[e] + (bias.empty() ? 0 : bias[e]);
  if (rules.n_group_used < rules.n_group) limit_groups(rules, choice, own);
  choose(choice, chosen);

  float sum = 0;
  if (rules.scores == RouterScores::softmax_selected) {
    for (Routed& slot : chosen) slot.weight = std::exp(scores[slot.expert_idx] - scores[chosen[0].expert_idx]);
  } else {
    for (Routed& slot : chosen) slot.weight = scores[slot.expert_idx];
  }
  for (const Routed& slot : chosen) sum += slot.weight;
  const bool divide = rules.normalize || rules.scores == RouterScores::softmax_selected;
  for (Routed& slot : chosen) slot.weight *= rules.scale / (divide ? sum + 1e-20F : 1);
}

uint64_t route_scratch_bytes(const RouterRules& rules) {
  return 2 * ScratchArena::bytes_for<float>(rules.n_expert) + ScratchArena::bytes_for<float>(rules.n_group) +
         ScratchArena::bytes_for<bool>(rules.n_group);
}

uint32_t max_experts_of_weight(const RouterRules& rules, float min_weight, bool has_bias) {
  // Weights have a sum but where each expert's score is its own.
  const bool have_sum = rules.normalize || rules.scores != RouterScores::sigmoid;
  if (min_weight <= 0 || !have_sum) return rules.n_used;
  const double fitting = std::floor(double{rules.scale} / min_weight * (1 + 1e-5)) + (has_bias ? 1 : 0);
  return static_cast<uint32_t>(std::clamp<double>(fitting, 1, rules.n_used));
}

}  // namespace ogas
