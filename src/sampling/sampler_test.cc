#include "sampling/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <tuple>

namespace ogas {
namespace {

constexpr SamplingOptions kPlain = {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .seed = 7};

// How often each token came in n draws.
std::map<TokenId, int> draw(SamplingOptions options, const std::vector<float>& logits, int n = 20'000,
                            const std::vector<TokenId>& recent = {}) {
  Sampler sampler(options);
  std::map<TokenId, int> counts;
  for (int idx = 0; idx < n; ++idx) ++counts[*sampler.sample(logits, recent)];
  return counts;
}

std::vector<float> log_of(std::vector<float> probabilities) {
  for (float& p : probabilities) p = std::log(p);
  return probabilities;
}

TEST(Sampler, TemperatureZeroTakesTheLargest) {
  Sampler sampler({.temperature = 0});
  EXPECT_EQ(*sampler.sample(std::vector<float>{1, 5, 3}, {}), 1);
  EXPECT_EQ(*sampler.sample(std::vector<float>{2, 2, 2}, {}), 0);  // the first of equals
}

TEST(Sampler, DrawsInProportion) {
  const auto counts = draw(kPlain, log_of({0.5F, 0.3F, 0.2F}));
  // Standard deviations are below 71 draws.
  EXPECT_NEAR(counts.at(0), 10'000, 300);
  EXPECT_NEAR(counts.at(1), 6'000, 300);
  EXPECT_NEAR(counts.at(2), 4'000, 300);
}

TEST(Sampler, TemperatureSharpens) {
  SamplingOptions options = kPlain;
  options.temperature = 0.5F;  // probabilities squared: 0.25, 0.09, 0.04 of 0.38
  const auto counts = draw(options, log_of({0.5F, 0.3F, 0.2F}));
  EXPECT_NEAR(counts.at(0), 20'000 * 0.25 / 0.38, 300);
  EXPECT_NEAR(counts.at(2), 20'000 * 0.04 / 0.38, 300);
}

TEST(Sampler, TopKKeepsTheLikeliest) {
  SamplingOptions options = kPlain;
  options.top_k = 2;
  const auto counts = draw(options, log_of({0.2F, 0.5F, 0.3F}));
  EXPECT_FALSE(counts.contains(0));
  EXPECT_EQ(counts.size(), 2U);
}

// The same by sorting everything; the set that may be drawn.
std::vector<TokenId> kept_by_sorting(const SamplingOptions& o, const std::vector<float>& logits) {
  std::vector<TokenId> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto logit = [&](TokenId id) { return static_cast<double>(logits[static_cast<size_t>(id)]); };
  std::ranges::stable_sort(ids, [&](TokenId a, TokenId b) { return logit(a) > logit(b); });
  if (o.top_k > 0) ids.resize(std::min<size_t>(o.top_k, ids.size()));
  const auto weight = [&](TokenId id) {
    return std::exp((logit(id) - logit(ids.front())) / static_cast<double>(o.temperature));
  };
  double total = 0, covered = 0;
  for (const TokenId id : ids) total += weight(id);
  size_t n = 0;
  for (; n < ids.size(); ++n) {
    if (n > 0 && o.top_p < 1 && covered >= static_cast<double>(o.top_p) * total) break;
    if (weight(ids[n]) < static_cast<double>(o.min_p)) break;
    covered += weight(ids[n]);
  }
  ids.resize(std::max<size_t>(1, n));
  return ids;
}

TEST(Sampler, LargeVocabulariesAreCutAsIfAllWereSorted) {
  std::mt19937 random(3);
  for (const auto& [top_k, top_p, min_p] :
       {std::tuple{40U, 0.95F, 0.05F}, std::tuple{0U, 0.9F, 0.0F}, std::tuple{0U, 1.0F, 0.02F},
        std::tuple{1000U, 1.0F, 0.0F}, std::tuple{0U, 0.999F, 0.0F}, std::tuple{100'000U, 0.5F, 0.0F}}) {
    SamplingOptions options = kPlain;
    options.top_k = top_k, options.top_p = top_p, options.min_p = min_p;
    std::vector<float> logits(5000);
    // Few different values, so that many are equal.
    for (float& logit : logits) logit = std::round(std::normal_distribution<float>(0, 3)(random) * 4) / 4;
    const auto kept = kept_by_sorting(options, logits);
    const bool are_few = kept.size() < 50;
    const auto counts = draw(options, logits, are_few ? 20'000 : 300);
    for (const auto& [id, count] : counts) EXPECT_THAT(kept, ::testing::Contains(id)) << top_k << " " << top_p;
    if (are_few) {
      EXPECT_EQ(counts.size(), kept.size()) << top_k << " " << top_p << " " << min_p;
    }
  }
}

TEST(Sampler, TopPKeepsTheSmallestSetThatCovers) {
  SamplingOptions options = kPlain;
  const auto logits = log_of({0.5F, 0.3F, 0.15F, 0.05F});
  options.top_p = 0.45F;
  EXPECT_EQ(draw(options, logits).size(), 1U);
  options.top_p = 0.75F;
  EXPECT_EQ(draw(options, logits).size(), 2U);
  options.top_p = 0;
  EXPECT_EQ(draw(options, logits).size(), 1U);
}

TEST(Sampler, MinPIsRelativeToTheLikeliest) {
  SamplingOptions options = kPlain;
  options.min_p = 0.35F;  // of 0.5: drops what is below 0.175
  EXPECT_EQ(draw(options, log_of({0.5F, 0.3F, 0.15F, 0.05F})).size(), 2U);
}

TEST(Sampler, PenaltiesFollowTheirPapers) {
  Sampler repetition({.temperature = 0, .repetition_penalty = 2});
  // 3 / 2 < 2, and -1 * 2 < -1.5.
  EXPECT_EQ(*repetition.sample(std::vector<float>{3, 2}, std::vector<TokenId>{0}), 1);
  EXPECT_EQ(*repetition.sample(std::vector<float>{-1, -1.5F}, std::vector<TokenId>{0}), 1);
  Sampler frequency({.temperature = 0, .frequency_penalty = 0.6F});
  EXPECT_EQ(*frequency.sample(std::vector<float>{3, 2}, std::vector<TokenId>{0}), 0);
  EXPECT_EQ(*frequency.sample(std::vector<float>{3, 2}, std::vector<TokenId>{0, 0}), 1);
  Sampler presence({.temperature = 0, .presence_penalty = 0.6F});
  EXPECT_EQ(*presence.sample(std::vector<float>{3, 2}, std::vector<TokenId>{0, 0, 0}), 0);
}

TEST(Sampler, PenaltiesLookBackOnlySoFar) {
  Sampler sampler({.temperature = 0, .presence_penalty = 10, .repeat_last_n = 2});
  EXPECT_EQ(*sampler.sample(std::vector<float>{3, 2, 1}, std::vector<TokenId>{0, 1, 2}), 0);
  EXPECT_EQ(*sampler.sample(std::vector<float>{3, 2, 1}, std::vector<TokenId>{1, 2, 0}), 1);
}

TEST(Sampler, TheSeedDecides) {
  const std::vector<float> logits(1000, 0.0F);
  const auto first_draws = [&](uint64_t seed) {
    SamplingOptions options = kPlain;
    options.seed = seed;
    Sampler sampler(options);
    std::vector<TokenId> ids;
    for (int idx = 0; idx < 8; ++idx) ids.push_back(*sampler.sample(logits, {}));
    return ids;
  };
  EXPECT_EQ(first_draws(1), first_draws(1));
  EXPECT_NE(first_draws(1), first_draws(2));
}

TEST(Sampler, SurvivesDamagedLogits) {
  Sampler sampler(kPlain);
  EXPECT_EQ(*sampler.sample(std::vector<float>{NAN, 1, NAN}, {}), 1);
  const TokenId id = *sampler.sample(std::vector<float>{NAN, NAN}, {});
  EXPECT_TRUE(id == 0 || id == 1);
  const TokenId infinite = *sampler.sample(std::vector<float>{INFINITY, INFINITY, 0}, {});
  EXPECT_TRUE(infinite >= 0 && infinite < 3);
}

}  // namespace
}  // namespace ogas
