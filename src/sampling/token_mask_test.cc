#include "sampling/token_mask.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "sampling/sampler.h"

namespace ogas {
namespace {

TEST(TokenListMask, LeavesWhatIsRequiredAndNotBanned) {
  std::vector<float> logits = {1, 2, 3, 4};
  TokenListMask({1, 2, 3}, {3}).apply(logits);
  EXPECT_EQ(logits, (std::vector<float>{-INFINITY, 2, 3, -INFINITY}));
}

TEST(TokenListMask, LeavesAllWhereNothingIsAsked) {
  std::vector<float> logits = {1, 2};
  TokenListMask({}, {}).apply(logits);
  EXPECT_EQ(logits, (std::vector<float>{1, 2}));
}

// Each token may come once.
class OnceEach final : public TokenMask {
 public:
  explicit OnceEach(std::vector<TokenId>& accepted) : accepted_(accepted) {}
  Result<> apply(std::span<float> logits) override {
    for (const TokenId id : accepted_) logits[static_cast<size_t>(id)] = -INFINITY;
    return {};
  }
  void accept(TokenId id) override { accepted_.push_back(id); }

 private:
  std::vector<TokenId>& accepted_;
};

TEST(SamplerMask, IsAskedBeforeEachTokenAndToldOfIt) {
  const std::vector<float> logits = {1, 4, 3, 2};
  std::vector<TokenId> accepted;
  Sampler sampler({.temperature = 0}, std::make_unique<OnceEach>(accepted));
  for (const TokenId expected : {1, 2, 3, 0}) EXPECT_EQ(*sampler.sample(logits, {}), expected);
  EXPECT_EQ(accepted, (std::vector<TokenId>{1, 2, 3, 0}));
}

TEST(SamplerMask, DecidesWhereNoTokenHasAnyProbability) {
  const std::vector<float> logits(4, -INFINITY);
  std::vector<TokenId> accepted = {0, 1};
  Sampler sampler({.temperature = 0}, std::make_unique<OnceEach>(accepted));
  EXPECT_EQ(*sampler.sample(logits, {}), 2);
}

TEST(SamplerMask, ThatLeavesNoTokenIsAnError) {
  std::vector<TokenId> accepted = {0, 1, 3};
  for (const float temperature : {0.0F, 1.0F}) {
    Sampler sampler({.temperature = temperature, .banned_tokens = {2}}, std::make_unique<OnceEach>(accepted));
    const auto drawn = sampler.sample(std::vector<float>(4, 1.0F), {});
    ASSERT_FALSE(drawn);
    EXPECT_EQ(drawn.error().code, ErrorCode::unsupported);
  }
}

class FailingMask final : public TokenMask {
 public:
  Result<> apply(std::span<float>) override { return fail(ErrorCode::unsupported, "too complex"); }
  void accept(TokenId) override {}
};

TEST(SamplerMask, ItsErrorIsTheSamplers) {
  Sampler sampler({}, std::make_unique<FailingMask>());
  const auto drawn = sampler.sample(std::vector<float>(4, 1.0F), {});
  ASSERT_FALSE(drawn);
  EXPECT_EQ(drawn.error().message, "too complex");
}

}  // namespace
}  // namespace ogas
