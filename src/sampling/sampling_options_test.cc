// What is said of single tokens: bias, bans and requirements, in the sampler and where they are checked.
#include "sampling/sampling_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "sampling/sampler.h"

namespace ogas {
namespace {

using ::testing::HasSubstr;

constexpr SamplingOptions kPlain = {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .seed = 3};

SamplingOptions greedy() { return {.temperature = 0}; }

// What n seeds draw, by each way through the sampler.
std::set<TokenId> drawn(const SamplingOptions& options, const std::vector<float>& logits, int n = 300) {
  std::set<TokenId> ids;
  SamplingOptions cut = options, unlimited = options, typical = options, mirostat = options, zero = options;
  cut.top_k = 40;
  unlimited.top_p = 0.99999F;
  typical.typical_p = 0.99999F;
  mirostat.mirostat = 2;
  zero.temperature = 0;
  for (SamplingOptions way : {options, cut, unlimited, typical, mirostat, zero}) {
    for (int idx = 0; idx < n; ++idx) {
      way.seed = static_cast<uint64_t>(idx);
      ids.insert(*Sampler(way).sample(logits, {}));
    }
  }
  return ids;
}

std::string error_of(const SamplingOptions& options) {
  const auto result = options.validate();
  EXPECT_FALSE(result);
  return result ? "" : result.error().message;
}

TEST(SamplerTokens, BiasIsAddedToTheLogits) {
  SamplingOptions options = greedy();
  options.logit_bias = {{0, 1.5F}, {2, -100}, {0, 0.6F}};
  EXPECT_EQ(*Sampler(options).sample(std::vector<float>{1, 3, 9}, {}), 0);  // 3.1, 3, -91
  options.logit_bias = {{0, 1.5F}, {2, -100}};
  EXPECT_EQ(*Sampler(options).sample(std::vector<float>{1, 3, 9}, {}), 1);
}

TEST(SamplerTokens, BiasComesBeforePenalties) {
  SamplingOptions options = greedy();
  options.repetition_penalty = 2;
  options.logit_bias = {{0, 4}};
  EXPECT_EQ(*Sampler(options).sample(std::vector<float>{2, 3.5F}, std::vector<TokenId>{0}), 1);  // (2 + 4) / 2
}

TEST(SamplerTokens, BannedTokensAreNeverDrawn) {
  SamplingOptions options = kPlain;
  options.banned_tokens = {1, 3, 1};
  EXPECT_EQ(drawn(options, {1, 9, 1, 1, 1}), (std::set<TokenId>{0, 2, 4}));
  options.xtc_probability = 1;
  options.xtc_threshold = 0;  // spares the least likely of those that can be drawn
  options.temperature = 0.5F;
  EXPECT_EQ(*Sampler(options).sample(std::vector<float>{3, 9, 1, 1, 2}, {}), 2);
}

TEST(SamplerTokens, OnlyRequiredTokensAreDrawn) {
  SamplingOptions options = kPlain;
  options.required_tokens = {4, 0, 4};
  EXPECT_EQ(drawn(options, {1, 9, 9, 1, 1}), (std::set<TokenId>{0, 4}));
  options.banned_tokens = {4};
  EXPECT_EQ(drawn(options, {1, 9, 9, 1, 1}), (std::set<TokenId>{0}));
  options.logit_bias = {{1, 100}};
  EXPECT_EQ(drawn(options, {1, 9, 9, 1, 1}), (std::set<TokenId>{0}));
}

TEST(SamplerTokens, WhereNothingHasAProbabilityTheFirstAllowedIsTaken) {
  SamplingOptions options = kPlain;
  EXPECT_EQ(drawn(options, {-INFINITY, NAN, -INFINITY}), (std::set<TokenId>{0}));
  options.banned_tokens = {0, 1};
  EXPECT_EQ(drawn(options, {5, 4, -INFINITY, NAN}), (std::set<TokenId>{2}));
  options.required_tokens = {3, 0};
  EXPECT_EQ(drawn(options, {5, 4, 3, NAN}), (std::set<TokenId>{3}));
  options.banned_tokens = {0, 3};
  EXPECT_EQ(drawn(options, {5, 4, 3, 2}), (std::set<TokenId>{0}));  // none is: check_tokens refuses this
}

TEST(SamplerTokens, DamagedLogitsNeverWin) {
  EXPECT_EQ(drawn(kPlain, {NAN, 1, NAN, -INFINITY, 1}), (std::set<TokenId>{1, 4}));
  EXPECT_EQ(drawn(kPlain, {0, INFINITY, 50}), (std::set<TokenId>{1}));
  EXPECT_EQ(drawn(kPlain, {2}), (std::set<TokenId>{0}));
}

TEST(SamplerTokens, CutsBeyondTheVocabularyKeepAll) {
  SamplingOptions options = kPlain;
  options.top_k = 1000;
  EXPECT_EQ(drawn(options, {1, 1, 1}), (std::set<TokenId>{0, 1, 2}));
}

TEST(SamplingOptions, RangesAreNamed) {
  EXPECT_TRUE(SamplingOptions{}.validate());
  EXPECT_EQ(error_of({.temperature = -1}), "temperature is -1; it must lie between 0 and 100");
  EXPECT_THAT(error_of({.typical_p = -0.1F}), HasSubstr("typical_p is -0.1; it must lie between 0 and 1"));
  EXPECT_THAT(error_of({.top_p = 1.5F}), HasSubstr("top_p"));
  EXPECT_THAT(error_of({.min_p = NAN}), HasSubstr("min_p"));
  EXPECT_THAT(error_of({.xtc_probability = 2}), HasSubstr("xtc_probability"));
  EXPECT_THAT(error_of({.xtc_threshold = 2}), HasSubstr("xtc_threshold"));
  EXPECT_THAT(error_of({.dry_multiplier = -1}), HasSubstr("dry_multiplier"));
  EXPECT_THAT(error_of({.dry_base = 0.5F}), HasSubstr("dry_base is 0.5; it must lie between 1 and 100"));
  EXPECT_EQ(error_of({.dry_penalty_last_n = -2}), "dry_penalty_last_n is -2; it must be -1 or more");
  EXPECT_EQ(error_of({.mirostat = 1}), "mirostat is 1; it must be 0 or 2");
  EXPECT_THAT(error_of({.mirostat_tau = -1}), HasSubstr("mirostat_tau"));
  EXPECT_THAT(error_of({.mirostat_eta = 2}), HasSubstr("mirostat_eta"));
  EXPECT_EQ(error_of({.logit_bias = {{7, 1}, {8, 101}}}),
            "logit_bias of token 8 is 101; it must lie between -100 and 100");
}

TEST(SamplingOptions, TokensOutsideTheVocabularyAreRefused) {
  EXPECT_TRUE(SamplingOptions{}.check_tokens(10));
  const auto error = [](const SamplingOptions& options) { return options.check_tokens(10).error(); };
  EXPECT_TRUE((SamplingOptions{.logit_bias = {{9, 1}}}).check_tokens(10));
  EXPECT_EQ(error({.logit_bias = {{10, 1}}}).message, "logit_bias names token 10; it must lie between 0 and 9");
  EXPECT_EQ(error({.banned_tokens = {3, -1}}).message, "banned_tokens names token -1; it must lie between 0 and 9");
  EXPECT_THAT(error({.required_tokens = {10}}).message, HasSubstr("required_tokens names token 10"));
  EXPECT_THAT(error({.dry_sequence_breakers = {11}}).message, HasSubstr("dry_sequence_breakers names token 11"));
  EXPECT_EQ(error({.banned_tokens = {10}}).code, ErrorCode::usage);
}

TEST(SamplingOptions, ATokenMustBeLeft) {
  SamplingOptions options;
  options.banned_tokens = {0, 1, 2};
  EXPECT_TRUE(options.check_tokens(4));
  EXPECT_EQ(options.check_tokens(3).error().message, "banned_tokens leaves none of the 3 tokens of the vocabulary");
  options.required_tokens = {1};
  EXPECT_EQ(options.check_tokens(4).error().message, "banned_tokens leaves none of the 1 required_tokens");
  options.required_tokens = {1, 3};
  EXPECT_TRUE(options.check_tokens(4));
}

}  // namespace
}  // namespace ogas
