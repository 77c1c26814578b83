// A model with recurrent layers answers the same whether a session starts again or continues from what it holds. A tiny
// random Qwen3-Next represents them (tools/make_arch_goldens.py).
#include <gtest/gtest.h>

#include "engine/engine_core.h"
#include "logits_test_tools.h"

namespace ogas {
namespace {

const std::string kFolder = "tests/data/arch/qwen3_next/";

class RecurrentState : public ::testing::Test {
 protected:
  void SetUp() override {
    auto engine = Engine::load(kFolder + "model.gguf", {.n_batch = 7, .n_threads = 2});
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = *std::move(engine);
    prompt_ = testing::read_json(kFolder + "golden.json")["prompt"].get<std::vector<TokenId>>();
  }

  Answer answer(Session& session, const std::vector<TokenId>& prompt) {
    auto result = engine_->generate(session, request(prompt));
    EXPECT_TRUE(result) << result.error().message;
    return result ? *std::move(result) : Answer{};
  }
  static Request request(const std::vector<TokenId>& prompt) {
    return {.prompt = prompt, .max_tokens = 24, .sampling = {.temperature = 1, .seed = 5}, .ignore_end = true};
  }
  std::vector<TokenId> fresh_tokens(const std::vector<TokenId>& prompt) {
    const auto session = engine_->new_session();
    return answer(*session, prompt).tokens;
  }
  // A session that has answered prompt_.
  Engine::SessionPtr used_session() {
    auto session = engine_->new_session();
    answer(*session, prompt_);
    return session;
  }
  // The prompt with another token at idx.
  std::vector<TokenId> changed_at(size_t idx) const {
    std::vector<TokenId> prompt = prompt_;
    prompt[idx] = (prompt[idx] + 1) % static_cast<TokenId>(engine_->facts().n_vocab);
    return prompt;
  }

  std::unique_ptr<Engine> engine_;
  std::vector<TokenId> prompt_;
};

TEST_F(RecurrentState, ALongerPromptGoesOnFromTheEnd) {
  const auto session = used_session();
  const auto held = session->tokens;
  std::vector<TokenId> longer(held.begin(), held.end());
  const size_t n_held = longer.size();
  longer.insert(longer.end(), {3, 1, 4, 1, 5, 9, 2, 6});
  const Answer found = answer(*session, longer);
  // Where what was generated is computed in another way than a prompt, from the copy.
  EXPECT_EQ(found.stats.n_cached, engine_->kv().reuses_generated() ? n_held : prompt_.size() - 16);
  EXPECT_EQ(found.tokens, fresh_tokens(longer));
}

TEST_F(RecurrentState, TheSamePromptGoesOnFromTheCopy) {
  const auto expected = fresh_tokens(prompt_);
  const auto session = used_session();
  for (int turn = 0; turn < 2; ++turn) {
    const Answer found = answer(*session, prompt_);
    EXPECT_EQ(found.stats.n_cached, prompt_.size() - 16);
    EXPECT_EQ(found.tokens, expected);
  }
}

TEST_F(RecurrentState, APromptThatDiffersAfterTheCopyContinuesFromIt) {
  const auto session = used_session();
  const auto prompt = changed_at(prompt_.size() - 3);
  const Answer found = answer(*session, prompt);
  EXPECT_EQ(found.stats.n_cached, prompt_.size() - 16);
  EXPECT_EQ(found.tokens, fresh_tokens(prompt));
  EXPECT_NE(found.tokens, fresh_tokens(prompt_));
}

TEST_F(RecurrentState, APromptThatDiffersBeforeTheCopyStartsAgain) {
  for (const size_t idx : {size_t{1}, size_t{40}, prompt_.size() - 17}) {
    const auto session = used_session();
    const auto prompt = changed_at(idx);
    const Answer found = answer(*session, prompt);
    EXPECT_EQ(found.stats.n_cached, 0U) << idx;
    EXPECT_EQ(found.tokens, fresh_tokens(prompt)) << idx;
  }
}

TEST_F(RecurrentState, AShorterPromptStartsAgain) {
  for (const size_t n : {1, 16, 17, 50}) {
    const auto session = used_session();
    const std::vector<TokenId> prompt(prompt_.begin(), prompt_.begin() + static_cast<ptrdiff_t>(n));
    EXPECT_EQ(answer(*session, prompt).tokens, fresh_tokens(prompt)) << n;
  }
}

TEST_F(RecurrentState, ACancelledAnswerLeavesTheStateUsable) {
  const auto session = engine_->new_session();
  Request cancelled = request(prompt_);
  cancelled.on_text = [&](std::string_view) { engine_->cancel(); };
  ASSERT_EQ(engine_->generate(*session, cancelled).value().finish, FinishReason::cancelled);
  const auto held = session->tokens;
  std::vector<TokenId> longer(held.begin(), held.end());
  longer.push_back(7);
  EXPECT_EQ(answer(*session, longer).tokens, fresh_tokens(longer));
}

TEST_F(RecurrentState, BatchesDoNotChangeABit) {
  const auto whole = testing::logits_of(*engine_, prompt_, 256);
  for (const uint32_t batch : {1U, 2U, 3U, 7U})
    EXPECT_EQ(testing::logits_of(*engine_, prompt_, batch).values, whole.values) << batch;
}

TEST_F(RecurrentState, IsCountedAndGivenBack) {
  const KvLayout& kv = engine_->facts().kv;
  EXPECT_EQ(kv.streams().size(), 3U);  // one of them the MTP head's
  EXPECT_EQ(kv.n_states(), 3U);
  // 3 inputs of a convolution over 168 channels, and 6 heads of 20 values by 12 of a key.
  EXPECT_EQ(kv.state_bytes(), 3U * (3 * 168 + 6 * 20 * 12) * sizeof(float));
  {
    const auto session = used_session();
    const size_t n_pages = (session->tokens.size() + KvLayout::kPagePositions - 1) / KvLayout::kPagePositions;
    EXPECT_EQ(engine_->kv().bytes_used(), kv.sequence_bytes(n_pages * KvLayout::kPagePositions));
  }
  EXPECT_EQ(engine_->kv().bytes_used(), 0U);
}

}  // namespace
}  // namespace ogas
