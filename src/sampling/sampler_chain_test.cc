// Compares the whole chain of cuts with slow, literal readings of its sources: probabilities in one vector, and every
// step written out. The draws of the sampler must agree with the result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "sampling/sampler.h"

namespace ogas {
namespace {

using Probabilities = std::vector<double>;  // by id; 0: cut

constexpr SamplingOptions kOff = {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .seed = 5};

void normalise(Probabilities& p) {
  const double total = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& share : p) share /= total;
}

Probabilities softmax(const std::vector<float>& logits, float temperature) {
  Probabilities p;
  for (const float logit : logits) p.push_back(std::exp(static_cast<double>(logit) / static_cast<double>(temperature)));
  normalise(p);
  return p;
}

// Those that have a probability, the likeliest first.
std::vector<size_t> in_order(const Probabilities& p) {
  std::vector<size_t> ids(p.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::erase_if(ids, [&](size_t id) { return p[id] == 0; });
  std::ranges::stable_sort(ids, [&](size_t a, size_t b) { return p[a] > p[b]; });
  return ids;
}

void keep_only(Probabilities& p, const std::vector<size_t>& ids) {
  Probabilities kept(p.size(), 0);
  for (const size_t id : ids) kept[id] = p[id];
  p = kept;
  normalise(p);
}

// From the front of the list, as few as add up to `share`; at least one.
std::vector<size_t> covering(const Probabilities& p, const std::vector<size_t>& ids, double share) {
  std::vector<size_t> kept;
  double covered = 0;
  for (const size_t id : ids) {
    if (!kept.empty() && covered >= share) break;
    kept.push_back(id);
    covered += p[id];
  }
  return kept;
}

void cut_top_k(Probabilities& p, size_t k) {
  auto ids = in_order(p);
  ids.resize(std::min(k, ids.size()));
  keep_only(p, ids);
}

void cut_typical(Probabilities& p, double tau) {
  double entropy = 0;
  for (const double share : p)
    if (share > 0) entropy -= share * std::log(share);
  auto ids = in_order(p);
  std::ranges::stable_sort(ids, [&](size_t a, size_t b) {
    return std::abs(-std::log(p[a]) - entropy) < std::abs(-std::log(p[b]) - entropy);
  });
  keep_only(p, covering(p, ids, tau));
}

void cut_min_p(Probabilities& p, double share) {
  const double largest = std::ranges::max(p);
  std::vector<size_t> kept;
  for (const size_t id : in_order(p))
    if (p[id] >= share * largest) kept.push_back(id);
  keep_only(p, kept);
}

Probabilities after_cuts(Probabilities p, const SamplingOptions& o) {
  if (o.top_k > 0) cut_top_k(p, o.top_k);
  if (o.typical_p < 1) cut_typical(p, static_cast<double>(o.typical_p));
  if (o.top_p < 1) keep_only(p, covering(p, in_order(p), static_cast<double>(o.top_p)));
  if (o.min_p > 0) cut_min_p(p, static_cast<double>(o.min_p));
  return p;
}

// Where XTC strikes.
Probabilities without_top_choices(const Probabilities& p, double threshold) {
  const auto ids = in_order(p);
  std::vector<size_t> kept;
  for (size_t idx = 0; idx < ids.size(); ++idx) {
    const bool next_reaches_it = idx + 1 < ids.size() && p[ids[idx + 1]] >= threshold;
    if (!next_reaches_it) kept.push_back(ids[idx]);
  }
  Probabilities rest = p;
  keep_only(rest, kept);
  return rest;
}

// What the sampler should draw, and how often.
Probabilities expected(const SamplingOptions& o, const std::vector<float>& logits) {
  const Probabilities cut = after_cuts(softmax(logits, o.temperature), o);
  const Probabilities struck = without_top_choices(cut, static_cast<double>(o.xtc_threshold));
  const auto chance = static_cast<double>(o.xtc_probability);
  Probabilities mixed(cut.size());
  for (size_t id = 0; id < mixed.size(); ++id) mixed[id] = chance * struck[id] + (1 - chance) * cut[id];
  return mixed;
}

std::vector<float> random_logits(std::mt19937& random, size_t n, float deviation = 2) {
  std::vector<float> logits(n);
  for (float& logit : logits) logit = std::normal_distribution<float>(0, deviation)(random);
  return logits;
}

// Draws n times; each token must come as often as expected, within 5 standard deviations, and never where it is cut.
void compare(const SamplingOptions& options, const std::vector<float>& logits, int n = 20'000) {
  const Probabilities p = expected(options, logits);
  std::vector<int> counts(logits.size());
  Sampler sampler(options);
  for (int idx = 0; idx < n; ++idx) ++counts[static_cast<size_t>(*sampler.sample(logits, {}))];
  for (size_t id = 0; id < p.size(); ++id) {
    if (p[id] == 0) {
      EXPECT_EQ(counts[id], 0) << "token " << id << " is cut";
      continue;
    }
    const double deviation = std::sqrt(n * p[id] * (1 - p[id]));
    EXPECT_NEAR(counts[id], n * p[id], 5 * deviation + 1) << "token " << id;
  }
}

TEST(SamplerChain, TypicalKeepsWhatIsNearestToTheEntropy) {
  std::mt19937 random(1);
  for (const float typical_p : {0.0F, 0.2F, 0.5F, 0.9F, 0.99F}) {
    SCOPED_TRACE(typical_p);
    SamplingOptions options = kOff;
    options.typical_p = typical_p;
    compare(options, random_logits(random, 60));
    options.temperature = 0.7F;
    compare(options, random_logits(random, 60));
  }
}

TEST(SamplerChain, TypicalMayLeaveOutTheLikeliest) {
  SamplingOptions options = kOff;
  options.typical_p = 0.1F;
  // Entropy 1.07 (natural): 0.3 with its surprise of 1.20 is nearer than 0.55 with 0.60.
  const std::vector<float> logits = {std::log(0.55F), std::log(0.3F), std::log(0.05F), std::log(0.1F)};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    options.seed = seed;
    EXPECT_EQ(*Sampler(options).sample(logits, {}), 1);
  }
}

TEST(SamplerChain, XtcKeepsOneOfTheTopTokens) {
  std::mt19937 random(2);
  for (const float threshold : {0.0F, 0.02F, 0.1F, 0.3F, 0.6F}) {
    for (const float probability : {0.5F, 1.0F}) {
      SCOPED_TRACE(testing::Message() << threshold << " " << probability);
      SamplingOptions options = kOff;
      options.xtc_threshold = threshold;
      options.xtc_probability = probability;
      compare(options, random_logits(random, 40));
      options.top_k = 12;
      compare(options, random_logits(random, 40));
    }
  }
}

TEST(SamplerChain, XtcTakesNothingFromASingleLikelyToken) {
  SamplingOptions options = kOff;
  options.xtc_probability = 1;
  options.min_p = 0.5F;
  EXPECT_EQ(*Sampler(options).sample(std::vector<float>{0, 5, 0}, {}), 1);
}

TEST(SamplerChain, XtcOfEqualsSparesTheLast) {
  for (const uint32_t top_k : {0U, 3U}) {
    SamplingOptions options = kOff;
    options.top_k = top_k;
    options.xtc_probability = 1;
    options.xtc_threshold = 0.3F;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      options.seed = seed;
      EXPECT_EQ(*Sampler(options).sample(std::vector<float>{1, 1, 1}, {}), 2);
    }
  }
}

TEST(SamplerChain, CutsFollowTheirOrder) {
  std::mt19937 random(3);
  const auto one_of = [&](std::initializer_list<float> values) { return values.begin()[random() % values.size()]; };
  for (int round = 0; round < 60; ++round) {
    SamplingOptions o = kOff;
    o.temperature = one_of({0.5F, 1, 1.5F});
    o.top_k = static_cast<uint32_t>(one_of({0, 5, 20, 500}));
    o.typical_p = one_of({0.3F, 0.8F, 1});
    o.top_p = one_of({0.5F, 0.9F, 1});
    o.min_p = one_of({0, 0.05F, 0.2F});
    o.xtc_probability = one_of({0, 0.5F});
    o.seed = static_cast<uint64_t>(round);
    SCOPED_TRACE(testing::Message() << "round " << round);
    compare(o, random_logits(random, 50), 5000);
  }
}

TEST(SamplerChain, LargeVocabulariesAreCutAsSmallOnes) {
  std::mt19937 random(4);
  for (const float typical_p : {0.2F, 0.95F}) {
    SCOPED_TRACE(typical_p);
    SamplingOptions options = kOff;
    options.typical_p = typical_p;
    compare(options, random_logits(random, 20'000, 3), 300);
    options.top_p = 0.9F;
    compare(options, random_logits(random, 20'000, 3), 300);
  }
}

// Algorithm 2: surprises in bits by the whole distribution, those above mu cut, then mu moved against the error.
class LiteralMirostat {
 public:
  LiteralMirostat(float tau, float eta)
      : tau_(static_cast<double>(tau)), eta_(static_cast<double>(eta)), mu_(2 * tau_) {}

  Probabilities cut(const Probabilities& p) const {
    std::vector<size_t> kept = {in_order(p).front()};
    for (size_t id = 0; id < p.size(); ++id)
      if (id != kept.front() && -std::log2(p[id]) <= mu_) kept.push_back(id);
    Probabilities rest = p;
    keep_only(rest, kept);
    return rest;
  }
  void learn(const Probabilities& p, TokenId drawn) {
    mu_ -= eta_ * (-std::log2(p[static_cast<size_t>(drawn)]) - tau_);
  }

 private:
  double tau_, eta_, mu_;
};

SamplingOptions mirostat(float tau, float eta) {
  SamplingOptions options = kOff;
  options.mirostat = 2;
  options.mirostat_tau = tau;
  options.mirostat_eta = eta;
  return options;
}

TEST(SamplerMirostat, CutsAtTwiceTheTargetFirst) {
  std::mt19937 random(5);
  for (const float tau : {0.0F, 0.7F, 1.5F, 3.0F}) {
    SCOPED_TRACE(tau);
    SamplingOptions options = mirostat(tau, 0);  // learns nothing, so that all draws are the first
    options.temperature = 0.8F;
    options.top_k = 1;  // has no say
    const auto logits = random_logits(random, 40);
    const Probabilities p = LiteralMirostat(tau, 0).cut(softmax(logits, options.temperature));
    std::vector<int> counts(p.size());
    Sampler sampler(options);
    constexpr int kDraws = 20'000;
    for (int idx = 0; idx < kDraws; ++idx) ++counts[static_cast<size_t>(*sampler.sample(logits, {}))];
    for (size_t id = 0; id < p.size(); ++id)
      EXPECT_NEAR(counts[id], kDraws * p[id], 5 * std::sqrt(kDraws * p[id] * (1 - p[id]))) << id;
  }
}

TEST(SamplerMirostat, LearnsAsItsPaperSays) {
  std::mt19937 random(6);
  Sampler sampler(mirostat(1.5F, 0.3F));
  LiteralMirostat literal(1.5F, 0.3F);
  int n_near_bar = 0;
  for (int step = 0; step < 2000; ++step) {
    const auto logits = random_logits(random, 30);
    const Probabilities p = softmax(logits, 1);
    const Probabilities allowed = literal.cut(p);
    const TokenId id = *sampler.sample(logits, {});
    ASSERT_GT(allowed[static_cast<size_t>(id)], 0) << "step " << step;
    // A wrong bar shows where tokens are drawn that lie close to it.
    const double min = std::ranges::min(allowed, {}, [](double share) { return share > 0 ? share : 1; });
    n_near_bar += allowed[static_cast<size_t>(id)] < 4 * min;
    literal.learn(p, id);
  }
  EXPECT_GT(n_near_bar, 50);
}

TEST(SamplerMirostat, SteersToItsTarget) {
  // Zipf's law with exponent 1: entropy 9.5 bits, which no cut but mirostat's brings near the targets.
  std::vector<float> logits(5000);
  for (size_t id = 0; id < logits.size(); ++id) logits[id] = -std::log(static_cast<float>(id + 1));
  const Probabilities p = softmax(logits, 1);
  for (const float tau : {3.5F, 5.0F, 7.0F}) {
    Sampler sampler(mirostat(tau, 0.1F));
    double total = 0;
    constexpr int kSteps = 2000, kLearning = 200;
    for (int step = 0; step < kSteps + kLearning; ++step) {
      const double surprise = -std::log2(p[static_cast<size_t>(*sampler.sample(logits, {}))]);
      if (step >= kLearning) total += surprise;
    }
    EXPECT_NEAR(total / kSteps, static_cast<double>(tau), 0.1) << tau;
  }
}

TEST(SamplerReproducible, TheSeedDecidesWhateverTheMethod) {
  std::mt19937 random(7);
  const auto logits = random_logits(random, 300);
  SamplingOptions xtc = kOff, typical = kOff;
  xtc.xtc_probability = 0.5F;
  typical.typical_p = 0.5F;
  for (SamplingOptions options : {kOff, xtc, typical, mirostat(3, 0.1F)}) {
    const auto draws = [&](uint64_t seed) {
      options.seed = seed;
      Sampler sampler(options), neighbour(options);
      std::vector<TokenId> ids;
      for (int idx = 0; idx < 20; ++idx) {
        ids.push_back(*sampler.sample(logits, {}));
        if (seed % 2 == 0) *neighbour.sample(random_logits(random, 10), {});  // another sequence of the batch
      }
      return ids;
    };
    const auto alone = draws(1);
    EXPECT_EQ(alone, draws(1));
    const auto with_others = draws(2);
    EXPECT_EQ(with_others, draws(2));
    EXPECT_NE(alone, with_others);
  }
}

}  // namespace
}  // namespace ogas
