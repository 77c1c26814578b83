#include "nn/expert_cache.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace ogas {
namespace {

TEST(ExpertCacheTest, KeepsTheLargestCounts) {
  ExpertCache cache(8, 2, 64);
  const auto take = [&](uint32_t expert) {
    const ExpertCache::Use use{expert, 1};
    cache.count({&use, 1}, 1);
    return cache.slot_of(expert) || cache.admit(expert);
  };
  EXPECT_TRUE(take(3));
  EXPECT_TRUE(take(3));
  EXPECT_TRUE(take(5));
  EXPECT_TRUE(take(5));
  EXPECT_FALSE(take(1)) << "it counts less than both";
  EXPECT_TRUE(cache.slot_of(3) && cache.slot_of(5));
  EXPECT_TRUE(take(1)) << "a second use, later than theirs, counts more";
  EXPECT_FALSE(cache.slot_of(3)) << "the oldest uses count least";
}

TEST(ExpertCacheTest, ForgetsWithTime) {
  ExpertCache cache(4, 1, /*half_life=*/10);
  const ExpertCache::Use often{0, 100}, once{1, 1};
  cache.count({&often, 1}, 100);
  ASSERT_TRUE(cache.admit(0));
  cache.count({&once, 1}, 1);
  EXPECT_FALSE(cache.admit(1));
  for (int token = 0; token < 200; ++token) cache.count({}, 1);
  cache.count({&once, 1}, 1);
  EXPECT_TRUE(cache.admit(1)) << "100 uses that were made 20 half-lives ago are nothing";
}

// Counts grow by the half-life instead of being aged; they must stay finite, and their order the same.
TEST(ExpertCacheTest, CountsStayFinite) {
  ExpertCache cache(4, 2, /*half_life=*/2);
  const ExpertCache::Use uses[] = {{2, 2}, {3, 1}};
  for (int token = 0; token < 10'000; ++token) cache.count(uses, 1);
  const std::vector<float> counts = cache.counts();
  EXPECT_GT(counts[2], counts[3]);
  EXPECT_NEAR(counts[2], 2 / (1 - std::exp2(-0.5)), 1e-3);
  EXPECT_EQ(cache.top_experts(), (std::vector<uint32_t>{2, 3}));
}

// The share of uses that find their expert in memory, of 4,000 tokens that take one each.
double hits_of(ExpertCache cache, const auto& expert_of_token) {
  constexpr uint32_t kTokens = 4'000;
  uint32_t n_hits = 0;
  for (uint32_t token = 0; token < kTokens; ++token) {
    const ExpertCache::Use use{expert_of_token(token), 1};
    n_hits += cache.slot_of(use.expert).has_value();
    cache.count({&use, 1}, 1);
    if (!cache.slot_of(use.expert)) cache.admit(use.expert);
  }
  return n_hits / double{kTokens};
}

TEST(ExpertCacheTest, ForgetsSoonerWhereSubjectsAreShort) {
  // 4 of 32 experts for 40 tokens, then others.
  const auto expert_of_token = [](uint32_t token) { return (token / 40 * 5 + token % 4) % 32; };
  EXPECT_GT(hits_of(ExpertCache(32, 4, /*half_life=*/64), expert_of_token), 0.6);
}

TEST(ExpertCacheTest, ForgetsLaterWhereHabitsLast) {
  uint32_t state = 1;
  // Half of the tokens take one of 4 experts, the others one of all 32.
  const auto expert_of_token = [&](uint32_t) {
    state = state * 1664525 + 1013904223;
    return (state >> 16) % ((state >> 31) != 0 ? 32 : 4);
  };
  EXPECT_GT(hits_of(ExpertCache(32, 4, /*half_life=*/4), expert_of_token), 0.5) << "0.56 if it knew them";
}

TEST(ExpertCacheTest, GoesOnFromCounts) {
  ExpertCache first(4, 2, 16);
  const ExpertCache::Use uses[] = {{2, 3}, {3, 1}};
  for (int token = 0; token < 100; ++token) first.count(uses, 1);
  ExpertCache second(4, 2, 16);
  second.set_counts(first.counts());
  EXPECT_EQ(second.counts(), first.counts());
  EXPECT_EQ(second.top_experts(), (std::vector<uint32_t>{2, 3}));
  for (ExpertCache* cache : {&first, &second}) cache->count(uses, 1);
  EXPECT_NEAR(second.counts()[2], first.counts()[2], 1e-3);
}

TEST(ExpertCacheTest, WhatIsHeldStays) {
  ExpertCache cache(4, 1, 64);
  ASSERT_TRUE(cache.admit(0));
  cache.hold(0);
  const ExpertCache::Use use{1, 50};
  cache.count({&use, 1}, 1);
  EXPECT_FALSE(cache.admit(1));
  cache.release_all();
  EXPECT_TRUE(cache.admit(1));
  EXPECT_FALSE(cache.slot_of(0));
}

TEST(ExpertCacheTest, WithFewerSlotsTheLargestCountsStay) {
  ExpertCache cache(6, 5, 64);
  for (const uint32_t expert : {4U, 2U, 0U, 1U, 5U}) {
    const ExpertCache::Use use{expert, 1 + expert};
    cache.count({&use, 1}, 1);
    ASSERT_TRUE(cache.admit(expert));
  }
  const auto moves = cache.resize(3);
  EXPECT_EQ(cache.n_slots(), 3U);
  ASSERT_EQ(moves.size(), 1U) << "4 and 2 are in the first places";
  EXPECT_EQ(moves[0].expert, 5U);
  EXPECT_EQ(moves[0].from, 4U);
  EXPECT_EQ(moves[0].to, 2U);
  EXPECT_EQ(cache.slot_of(5), 2U);
  EXPECT_TRUE(cache.slot_of(4) && cache.slot_of(2));
  EXPECT_FALSE(cache.slot_of(0) || cache.slot_of(1));
  EXPECT_TRUE(cache.resize(0).empty());
  EXPECT_FALSE(cache.slot_of(5));
  EXPECT_FALSE(cache.admit(5));
  EXPECT_TRUE(cache.resize(9).empty());
  EXPECT_EQ(cache.n_slots(), 6U);
  EXPECT_TRUE(cache.admit(5));
}

TEST(ExpertCacheTest, NoTwoHaveOnePlace) {
  ExpertCache cache(64, 17, 64);
  uint32_t state = 1;
  for (int step = 0; step < 5'000; ++step) {
    state = state * 1664525 + 1013904223;
    const uint32_t expert = (state >> 16) % 64 * ((state >> 24) % 2);
    const ExpertCache::Use use{expert, 1};
    cache.count({&use, 1}, 1);
    if (!cache.slot_of(expert)) cache.admit(expert);
    std::set<uint32_t> slots;
    uint32_t n_there = 0;
    for (uint32_t e = 0; e < 64; ++e) {
      const auto slot = cache.slot_of(e);
      if (!slot) continue;
      ++n_there;
      slots.insert(*slot);
      ASSERT_LT(*slot, 17U);
    }
    ASSERT_EQ(slots.size(), n_there);
  }
}

}  // namespace
}  // namespace ogas
