#include "sampling/dry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "base/unicode.h"
#include "sampling/sampler.h"

namespace ogas {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Dry {
  double multiplier = 1, base = 2;
  int allowed_length = 2, last_n = -1;
  std::vector<TokenId> breakers = {};
};

SamplingOptions options_of(const Dry& dry) {
  return {.dry_multiplier = static_cast<float>(dry.multiplier),
          .dry_base = static_cast<float>(dry.base),
          .dry_allowed_length = static_cast<uint32_t>(dry.allowed_length),
          .dry_penalty_last_n = dry.last_n,
          .dry_sequence_breakers = dry.breakers};
}

// As its author describes it: for every token, look for the longest match that it would continue, token by token.
std::map<TokenId, double> literal_penalties(const Dry& dry, std::vector<TokenId> sequence) {
  if (dry.last_n >= 0 && sequence.size() > static_cast<size_t>(dry.last_n))
    sequence.erase(sequence.begin(), sequence.end() - dry.last_n);
  const auto is_breaker = [&](TokenId id) { return std::ranges::count(dry.breakers, id) > 0; };
  const int n = static_cast<int>(sequence.size());
  const auto at = [&](int idx) { return sequence[static_cast<size_t>(idx)]; };
  std::map<TokenId, double> penalties;
  for (int next = 1; next < n; ++next) {
    if (is_breaker(at(next))) continue;
    int length = 0;
    while (next - 1 - length >= 0 && at(next - 1 - length) == at(n - 1 - length) && !is_breaker(at(n - 1 - length)))
      ++length;
    if (length == 0 || length < dry.allowed_length) continue;
    double& penalty = penalties[at(next)];
    penalty = std::max(penalty, dry.multiplier * std::pow(dry.base, length - dry.allowed_length));
  }
  return penalties;
}

std::map<TokenId, double> penalties(const Dry& dry, const std::vector<TokenId>& sequence, size_t n_vocab = 100) {
  std::vector<float> logits(n_vocab, 0);
  DryPenalty(options_of(dry)).apply(logits, sequence);
  std::map<TokenId, double> found;
  for (size_t id = 0; id < n_vocab; ++id)
    if (logits[id] != 0) found[static_cast<TokenId>(id)] = -static_cast<double>(logits[id]);
  return found;
}

using Penalties = std::map<TokenId, double>;

TEST(Dry, PenalisesWhatWouldContinueARepetition) {
  // 1 2 3 came before 4; 2 3 before 5.
  EXPECT_EQ(penalties({}, {1, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3}), (Penalties{{4, 2}, {5, 1}}));
  EXPECT_EQ(penalties({.allowed_length = 3}, {1, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3}), (Penalties{{4, 1}}));
  EXPECT_EQ(penalties({}, {1, 2, 3}), Penalties());
  EXPECT_EQ(penalties({}, {}), Penalties());
  EXPECT_EQ(penalties({.multiplier = 0}, {1, 1, 1, 1}), Penalties());
}

TEST(Dry, MatchesMayOverlap) { EXPECT_EQ(penalties({}, {7, 7, 7, 7, 7}), (Penalties{{7, 4}})); }

TEST(Dry, BreakersEndMatches) {
  const std::vector<TokenId> sequence = {1, 2, 3, 4, 9, 1, 2, 3};
  EXPECT_EQ(penalties({.breakers = {1}}, sequence), (Penalties{{4, 1}}));
  EXPECT_EQ(penalties({.breakers = {2}}, sequence), Penalties());  // 3 alone is shorter than allowed
  EXPECT_EQ(penalties({.breakers = {3}}, sequence), Penalties());
  EXPECT_EQ(penalties({.breakers = {4}}, sequence), Penalties());  // and are not penalised
}

TEST(Dry, LooksBackOnlySoFar) {
  const std::vector<TokenId> sequence = {1, 2, 3, 4, 9, 1, 2, 3};
  EXPECT_EQ(penalties({.last_n = 8}, sequence), (Penalties{{4, 2}}));
  EXPECT_EQ(penalties({.last_n = 7}, sequence), (Penalties{{4, 1}}));
  EXPECT_EQ(penalties({.last_n = 6}, sequence), Penalties());
  EXPECT_EQ(penalties({.last_n = 0}, sequence), Penalties());
  EXPECT_EQ(penalties({.last_n = 900}, sequence), (Penalties{{4, 2}}));
}

TEST(Dry, IsWhatALiteralReadingGives) {
  std::mt19937 random(1);
  const auto below = [&](uint32_t n) { return static_cast<int>(random() % n); };
  size_t n_penalised = 0;
  for (int round = 0; round < 3000; ++round) {
    Dry dry{.multiplier = 0.5, .base = 1.5, .allowed_length = below(5), .last_n = below(4) == 0 ? below(60) : -1};
    const auto n_letters = static_cast<uint32_t>(2 + below(4));
    for (int idx = below(3); idx > 0; --idx) dry.breakers.push_back(below(8));
    std::vector<TokenId> sequence(static_cast<size_t>(below(80)));
    for (TokenId& id : sequence) id = below(n_letters);
    const auto literal = literal_penalties(dry, sequence);
    const auto found = penalties(dry, sequence);
    ASSERT_EQ(found.size(), literal.size()) << "round " << round;
    for (const auto& [id, penalty] : literal) ASSERT_NEAR(found.at(id), penalty, 1e-5 * penalty) << "round " << round;
    n_penalised += literal.size();
  }
  EXPECT_GT(n_penalised, 1000U);
}

TEST(Dry, LongMatchesStayFinite) {
  std::vector<float> logits(2, 0);
  DryPenalty(options_of({.base = 50})).apply(logits, std::vector<TokenId>(20'000, 1));
  EXPECT_LT(logits[1], -1e29F);
  EXPECT_TRUE(std::isfinite(logits[1]));
}

TEST(Dry, IsPartOfSampling) {
  SamplingOptions options = options_of({.multiplier = 5});
  options.temperature = 0;
  const std::vector<float> logits = {0, 1, 0, 3};
  EXPECT_EQ(*Sampler(options).sample(logits, std::vector<TokenId>{2, 0, 3, 2, 0}), 1);
  EXPECT_EQ(*Sampler(options).sample(logits, std::vector<TokenId>{2, 0, 3, 0, 2}), 3);
}

// All bytes, and "a\n".
std::unique_ptr<Tokenizer> byte_tokenizer() {
  Vocab vocab;
  vocab.pre = "gpt-2";
  std::string newline;
  for (const char32_t letter : byte_letters()) {
    std::string token;
    append_utf8(token, letter);
    if (vocab.tokens.size() == '\n') newline = token;
    vocab.tokens.push_back(token);
  }
  vocab.merges.push_back("a");
  vocab.merges.push_back(newline);
  vocab.tokens.push_back("a" + newline);
  vocab.kinds.assign(257, TokenKind::normal);
  return Tokenizer::create(std::move(vocab)).value();
}

TEST(Dry, FindsTheTokensThatContainABreaker) {
  const auto tokenizer = byte_tokenizer();
  EXPECT_THAT(tokens_containing(*tokenizer, std::vector<std::string>{"\n"}), ElementsAre('\n', 256));
  EXPECT_THAT(tokens_containing(*tokenizer, std::vector<std::string>{":", "\n"}), ElementsAre('\n', ':', 256));
  EXPECT_THAT(tokens_containing(*tokenizer, std::vector<std::string>{"a\n"}), ElementsAre(256));
  EXPECT_THAT(tokens_containing(*tokenizer, std::vector<std::string>{"xyz"}), IsEmpty());
  EXPECT_THAT(tokens_containing(*tokenizer, {}), IsEmpty());
}

}  // namespace
}  // namespace ogas
