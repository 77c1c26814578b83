#include "ops/router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace ogas {
namespace {

std::vector<Routed> routed(const RouterRules& rules, const std::vector<float>& logits,
                           const std::vector<float>& bias = {}) {
  std::vector<Routed> chosen(rules.n_used);
  ScratchArena arena;
  route(rules, logits, bias, arena, chosen);
  EXPECT_LE(arena.peak_bytes(), route_scratch_bytes(rules));
  return chosen;
}

std::vector<uint32_t> experts_of(const std::vector<Routed>& chosen) {
  std::vector<uint32_t> experts;
  for (const Routed& slot : chosen) experts.push_back(slot.expert_idx);
  return experts;
}

TEST(Router, TakesTheBestOfTheSoftmax) {
  const RouterRules rules{.n_expert = 4, .n_used = 2};
  const auto chosen = routed(rules, {std::log(1.0F), std::log(3.0F), std::log(2.0F), std::log(4.0F)});
  EXPECT_EQ(experts_of(chosen), (std::vector<uint32_t>{3, 1}));
  EXPECT_NEAR(chosen[0].weight, 0.4, 1e-6);
  EXPECT_NEAR(chosen[1].weight, 0.3, 1e-6);
}

TEST(Router, NormalizesAndScales) {
  const RouterRules rules{.n_expert = 4, .n_used = 2, .normalize = true, .scale = 7};
  const auto chosen = routed(rules, {std::log(1.0F), std::log(3.0F), std::log(2.0F), std::log(4.0F)});
  EXPECT_NEAR(chosen[0].weight, 4, 1e-5);
  EXPECT_NEAR(chosen[1].weight, 3, 1e-5);
}

TEST(Router, EqualExpertsGoByNumber) {
  EXPECT_EQ(experts_of(routed({.n_expert = 5, .n_used = 3}, {1, 2, 2, 2, 1})), (std::vector<uint32_t>{1, 2, 3}));
}

TEST(Router, ABiasChoosesButDoesNotWeigh) {
  const RouterRules rules{.n_expert = 3, .n_used = 1, .scores = RouterScores::sigmoid};
  const auto chosen = routed(rules, {0, 1, 2}, {1, 0, 0});
  EXPECT_EQ(chosen[0].expert_idx, 0U);
  EXPECT_NEAR(chosen[0].weight, 0.5, 1e-6);
}

TEST(Router, SoftmaxOfTheChosenAlone) {
  const RouterRules rules{.n_expert = 3, .n_used = 2, .scores = RouterScores::softmax_selected};
  const auto chosen = routed(rules, {std::log(2.0F), 9, std::log(6.0F) + 9});
  EXPECT_EQ(experts_of(chosen), (std::vector<uint32_t>{2, 1}));
  EXPECT_NEAR(chosen[0].weight, 6.0 / 7, 1e-6);
  EXPECT_NEAR(chosen[1].weight, 1.0 / 7, 1e-6);
}

// Groups {0, 1}, {2, 3}, {4, 5}: by their best expert the first and the last win, by their best two the last two.
TEST(Router, GroupsLimitTheChoice) {
  const std::vector<float> logits = {2.0F, -9, 1.8F, 1.7F, 1.9F, 1.0F};
  RouterRules rules{.n_expert = 6,
                    .n_used = 3,
                    .scores = RouterScores::sigmoid,
                    .n_group = 3,
                    .n_group_used = 2,
                    .group_scores = GroupScores::largest};
  EXPECT_EQ(experts_of(routed(rules, logits)), (std::vector<uint32_t>{0, 4, 5}));
  rules.group_scores = GroupScores::two_largest;
  EXPECT_EQ(experts_of(routed(rules, logits)), (std::vector<uint32_t>{4, 2, 3}));
}

TEST(Router, NansDoNoHarm) {
  const float nan = std::nanf("");
  for (const RouterScores scores : {RouterScores::softmax, RouterScores::softmax_selected, RouterScores::sigmoid}) {
    const auto chosen = routed({.n_expert = 3, .n_used = 3, .scores = scores}, {nan, INFINITY, 1});
    EXPECT_EQ(chosen[0].expert_idx, 1U);
    auto experts = experts_of(chosen);
    std::ranges::sort(experts);
    EXPECT_EQ(experts, (std::vector<uint32_t>{0, 1, 2}));
  }
}

// Of more experts than that, no logits give all the weight.
TEST(Router, SaysHowManyExpertsCanHaveAWeight) {
  const RouterRules rules{.n_expert = 16, .n_used = 8, .normalize = true};
  EXPECT_EQ(max_experts_of_weight(rules, 0, false), 8U);
  EXPECT_EQ(max_experts_of_weight(rules, 0.01F, false), 8U);
  EXPECT_EQ(max_experts_of_weight(rules, 0.2F, false), 5U);
  EXPECT_EQ(max_experts_of_weight(rules, 0.2F, true), 6U);
  EXPECT_EQ(max_experts_of_weight(rules, 0.99F, false), 1U);
  RouterRules scaled = rules;
  scaled.scale = 2.5F;
  EXPECT_EQ(max_experts_of_weight(scaled, 0.5F, false), 5U);
  scaled.scores = RouterScores::sigmoid;
  EXPECT_EQ(max_experts_of_weight(scaled, 0.5F, false), 5U);
  scaled.normalize = false;
  EXPECT_EQ(max_experts_of_weight(scaled, 0.5F, false), 8U) << "each expert's weight is its own";
  // As many as weigh alike have it.
  for (uint32_t n = 1; n <= 8; ++n) {
    RouterRules alike = rules;
    alike.n_used = n;
    for (const Routed& slot : routed(alike, std::vector<float>(16, 1)))
      EXPECT_GE(max_experts_of_weight(rules, slot.weight, false), n);
  }
}

}  // namespace
}  // namespace ogas
