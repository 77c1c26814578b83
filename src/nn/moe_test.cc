// A mixture of experts whose weights come from a source, against one that has them.
#include "nn/moe.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/kernels_test_tools.h"
#include "ops/cpu/device_test_tools.h"

namespace ogas {
namespace {

constexpr size_t kEmbd = 32, kFf = 64, kExperts = 6, kTokens = 5;
constexpr RouterRules kRules = {.n_expert = kExperts, .n_used = 2};

// Gives experts out in waves of at most two; those with even numbers are there at once.
class WavesOfExperts : public ExpertSource {
 public:
  explicit WavesOfExperts(const Moe& moe, const Moe* next = nullptr) : next_(next) {
    for (uint32_t e = 0; e < kExperts; ++e)
      matrices_.push_back({moe.ffn_gate_exps[e], moe.ffn_up_exps[e], moe.ffn_down_exps[e]});
  }

  std::span<const uint32_t> start(uint32_t layer, std::span<const ExpertCache::Use> uses, uint32_t n_tokens) override {
    EXPECT_EQ(layer, 3U);
    n_uses = 0;
    there_.clear(), wave_.clear(), missing_.clear();
    for (const auto& use : uses) {
      EXPECT_LE(use.n_tokens, n_tokens);
      n_uses += use.n_tokens;
      (use.expert % 2 == 0 ? there_ : missing_).push_back(use.expert);
    }
    return there_;
  }
  Result<std::span<const uint32_t>> next() override {
    if (fails) return fail(ErrorCode::io, "a bad sector");
    wave_.clear();
    for (; wave_.size() < 2 && !missing_.empty(); missing_.pop_back()) wave_.push_back(missing_.back());
    return wave_;
  }
  const ExpertMatrices& matrices(uint32_t expert) const override {
    EXPECT_TRUE(std::ranges::count(there_, expert) + std::ranges::count(wave_, expert) == 1) << expert;
    return matrices_[expert];
  }
  const Moe* next_layer() const override { return next_; }
  void predict(std::span<const uint32_t> experts) override { predicted.assign(experts.begin(), experts.end()); }

  bool fails = false;
  size_t n_uses = 0;
  std::vector<uint32_t> predicted;

 private:
  const Moe* next_;
  std::vector<ExpertMatrices> matrices_;
  std::vector<uint32_t> there_, wave_, missing_;
};

class MoeTest : public DeviceTest {
 protected:
  Moe random_moe() {
    Moe moe;
    moe.rules = kRules;
    const auto add = [&](size_t n_out, size_t n_in) { return weights_.emplace_back(random_, n_out, n_in).linear; };
    moe.ffn_gate_inp = add(kExperts, kEmbd);
    for (size_t e = 0; e < kExperts; ++e) {
      moe.ffn_gate_exps.push_back(add(kFf, kEmbd));
      moe.ffn_up_exps.push_back(add(kFf, kEmbd));
      moe.ffn_down_exps.push_back(add(kEmbd, kFf));
    }
    return moe;
  }
  std::vector<float> run(const Moe& moe, const Activations& x, size_t n_tokens) {
    MoeWorkspace workspace(kRules, kEmbd, kFf, kTokens);
    const Matrix y(kTokens, kEmbd);
    const auto result = moe.forward(exec_, x, n_tokens, workspace, y);
    EXPECT_TRUE(result);
    return {y.data(), y.data() + n_tokens * kEmbd};
  }

  std::deque<RandomLinear> weights_;
};

TEST_P(MoeTest, ExpertsThatComeInWavesGiveTheSameBits) {
  Moe moe = random_moe();
  const Activations x = random_.activations(kernels(), kTokens, kEmbd);
  const auto expected = run(moe, x, kTokens);
  WavesOfExperts source(moe);
  // From the source alone.
  for (auto* experts : {&moe.ffn_gate_exps, &moe.ffn_up_exps, &moe.ffn_down_exps})
    for (Linear& linear : *experts) linear = weights_.emplace_back(random_, linear.n_out(), linear.n_in()).linear;
  EXPECT_NE(run(moe, x, kTokens), expected);
  moe.source = &source;
  moe.source_layer = 3;
  EXPECT_EQ(run(moe, x, kTokens), expected);
  EXPECT_EQ(source.n_uses, kTokens * kRules.n_used);
  EXPECT_TRUE(source.predicted.empty()) << "only while a token is decoded";

  source.fails = true;
  MoeWorkspace workspace(kRules, kEmbd, kFf, kTokens);
  const auto failed = moe.forward(exec_, x, kTokens, workspace, Matrix(kTokens, kEmbd));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "a bad sector");
}

TEST_P(MoeTest, TheNextLayersRouterPredicts) {
  Moe moe = random_moe(), next = random_moe();
  WavesOfExperts source(moe, &next);
  moe.source = &source;
  moe.source_layer = 3;
  const Activations x = random_.activations(kernels(), 1, kEmbd);
  run(moe, x, 1);
  std::vector<std::pair<double, uint32_t>> logits;
  for (uint32_t e = 0; e < kExperts; ++e) {
    double logit = 0;
    std::vector<float> row(kEmbd);
    next.ffn_gate_inp.decode_row(e, row.data());
    for (size_t i = 0; i < kEmbd; ++i) logit += double{row[i]} * x.row(0)[i];
    logits.emplace_back(-logit, e);
  }
  std::ranges::sort(logits);
  EXPECT_EQ(source.predicted, (std::vector<uint32_t>{logits[0].second, logits[1].second})) << kernels().name;
}

INSTANTIATE_TEST_SUITE_P(Available, MoeTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
