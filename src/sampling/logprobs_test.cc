#include "sampling/logprobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "sampling/sampler.h"

namespace ogas {
namespace {

using ::testing::ElementsAre;

std::vector<TokenId> ids_of(const Logprobs& logprobs) {
  std::vector<TokenId> ids;
  for (const auto& [id, logprob] : logprobs.top) ids.push_back(id);
  return ids;
}

TEST(Logprobs, AreTheLogSoftmaxOfTheLogits) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<float> logits(200);
    for (float& logit : logits) logit = std::round(std::normal_distribution<float>(0, 3)(random) * 8) / 8;  // with ties
    long double total = 0;
    for (const float logit : logits) total += std::exp(static_cast<long double>(logit));
    const auto literal = [&](TokenId id) {
      return static_cast<double>(std::log(std::exp(static_cast<long double>(logits[static_cast<size_t>(id)])) / total));
    };
    std::vector<TokenId> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::greater(), [&](TokenId id) { return logits[static_cast<size_t>(id)]; });
    const auto chosen = static_cast<TokenId>(random() % logits.size());
    const Logprobs found = logprobs_of(logits, chosen, 7);
    EXPECT_NEAR(static_cast<double>(found.chosen), literal(chosen), 1e-6);
    order.resize(7);
    EXPECT_EQ(ids_of(found), order);
    for (const auto& [id, logprob] : found.top) EXPECT_NEAR(static_cast<double>(logprob), literal(id), 1e-6);
  }
}

TEST(Logprobs, OfTheGreedyTokenIsExactlyTheLargest) {
  std::mt19937 random(2);
  Sampler sampler({.temperature = 0});
  for (int round = 0; round < 200; ++round) {
    std::vector<float> logits(300);
    for (float& logit : logits) logit = std::normal_distribution<float>(0, 5)(random);
    const TokenId id = *sampler.sample(logits, {});
    const Logprobs found = logprobs_of(logits, id, 3);
    EXPECT_EQ(found.top.front().id, id);
    EXPECT_EQ(found.top.front().logprob, found.chosen);
  }
}

TEST(Logprobs, StaySoundForLargeLogits) {
  const Logprobs large = logprobs_of(std::vector<float>{3e38F, -3e38F}, 0, 2);
  EXPECT_EQ(large.chosen, 0);
  EXPECT_EQ(logprobs_of(std::vector<float>{1000, 1000}, 1, 0).chosen, std::log(0.5F));
  EXPECT_EQ(logprobs_of(std::vector<float>{-1000, -1000}, 1, 0).chosen, std::log(0.5F));
  // A sum of a million floats of 1e-6 would lose digits that doubles keep.
  std::vector<float> many(1'000'001, 0);
  many[0] = std::log(1e6F);
  EXPECT_NEAR(static_cast<double>(logprobs_of(many, 0, 0).chosen), std::log(0.5), 1e-6);
}

TEST(Logprobs, LeaveOutWhatHasNoProbability) {
  const std::vector<float> logits = {NAN, 2, -INFINITY, 2};
  const Logprobs found = logprobs_of(logits, 0, 4);
  EXPECT_EQ(found.chosen, -INFINITY);
  EXPECT_THAT(ids_of(found), ElementsAre(1, 3));
  EXPECT_EQ(found.top[0].logprob, std::log(0.5F));
  const Logprobs none = logprobs_of(std::vector<float>{NAN, -INFINITY}, 1, 2);
  EXPECT_EQ(none.chosen, -INFINITY);
  EXPECT_TRUE(none.top.empty());
  const Logprobs infinite = logprobs_of(std::vector<float>{INFINITY, 1, INFINITY}, 2, 3);
  EXPECT_EQ(infinite.chosen, std::log(0.5F));
  EXPECT_EQ(infinite.top[2].logprob, -INFINITY);
}

TEST(Logprobs, AreAsManyAsTheVocabularyHas) {
  EXPECT_THAT(ids_of(logprobs_of(std::vector<float>{1, 3, 2}, 0, 20)), ElementsAre(1, 2, 0));
  EXPECT_THAT(ids_of(logprobs_of(std::vector<float>{1, 3, 2}, 0, 0)), ElementsAre());
  EXPECT_EQ(logprobs_of(std::vector<float>{4}, 0, 1).top.front().logprob, 0);
}

}  // namespace
}  // namespace ogas
