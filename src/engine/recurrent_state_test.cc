// A model with recurrent layers answers the same from an empty session, from what a session holds, and from a snapshot
// in the prefix cache. A tiny random Qwen3-Next stands for them (tools/make_arch_goldens.py).
#include <gtest/gtest.h>

#include "engine/engine_core.h"
#include "engine/logits_test_tools.h"

namespace ogas {
namespace {

const std::string kFolder = "tests/data/arch/qwen3_next/";
constexpr size_t kPage = KvLayout::kPagePositions;

// Where the last snapshot of so long a prompt is.
size_t last_snapshot(size_t n_prompt) { return (n_prompt - 16) / kPage * kPage; }

class RecurrentState : public ::testing::Test {
 protected:
  void SetUp() override {
    auto engine = Engine::load(kFolder + "model.gguf", {.n_batch = 7, .n_threads = 2});
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = *std::move(engine);
    prompt_ = testing::read_json(kFolder + "golden.json")["prompt"].get<std::vector<TokenId>>();
    prompt_.insert(prompt_.end(), prompt_.rbegin(), prompt_.rend());
    ASSERT_EQ(last_snapshot(prompt_.size()), kSnapshot);
  }

  static constexpr size_t kSnapshot = 2 * kPage;

  Answer answer(Session& session, const std::vector<TokenId>& prompt) {
    auto result = engine_->generate(session, request(prompt));
    EXPECT_TRUE(result) << result.error().message;
    return result ? *std::move(result) : Answer{};
  }
  static Request request(const std::vector<TokenId>& prompt) {
    return {.prompt = prompt, .max_tokens = 24, .sampling = {.temperature = 1, .seed = 5}, .ignore_eos = true};
  }
  // From another engine, where nothing is cached.
  static std::vector<TokenId> fresh_tokens(const std::vector<TokenId>& prompt) {
    const auto engine = Engine::load(kFolder + "model.gguf", {.n_batch = 7, .n_threads = 2}).value();
    const auto session = engine->new_session();
    Answer fresh = engine->generate(*session, request(prompt)).value();
    EXPECT_EQ(fresh.stats.n_cached, 0U);
    return fresh.tokens;
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
  // Where what was generated is computed in another way than a prompt, from the snapshot.
  EXPECT_EQ(found.stats.n_cached, engine_->kv().reuses_generated() ? n_held : kSnapshot);
  EXPECT_EQ(found.tokens, fresh_tokens(longer));
}

TEST_F(RecurrentState, TheSamePromptGoesOnFromTheSnapshot) {
  const auto expected = fresh_tokens(prompt_);
  const auto session = used_session();
  for (int turn = 0; turn < 2; ++turn) {
    const Answer found = answer(*session, prompt_);
    EXPECT_EQ(found.stats.n_cached, kSnapshot);
    EXPECT_EQ(found.tokens, expected);
  }
}

TEST_F(RecurrentState, APromptThatDiffersAfterTheSnapshotContinuesFromIt) {
  const auto session = used_session();
  const auto prompt = changed_at(prompt_.size() - 3);
  const Answer found = answer(*session, prompt);
  EXPECT_EQ(found.stats.n_cached, kSnapshot);
  EXPECT_EQ(found.tokens, fresh_tokens(prompt));
  EXPECT_NE(found.tokens, fresh_tokens(prompt_));
}

TEST_F(RecurrentState, APromptThatDiffersBeforeTheSnapshotIsComputedAgain) {
  for (const size_t idx : {size_t{1}, size_t{40}, kSnapshot - 1}) {
    const auto session = used_session();
    const auto prompt = changed_at(idx);
    const Answer found = answer(*session, prompt);
    EXPECT_EQ(found.stats.n_cached, 0U) << idx;
    EXPECT_EQ(found.tokens, fresh_tokens(prompt)) << idx;
  }
}

TEST_F(RecurrentState, AShorterPromptIsComputedAgain) {
  for (const size_t n : {1, 16, 17, 50, 127, 128}) {
    const auto session = used_session();
    const std::vector<TokenId> prompt(prompt_.begin(), prompt_.begin() + static_cast<ptrdiff_t>(n));
    EXPECT_EQ(answer(*session, prompt).tokens, fresh_tokens(prompt)) << n;
  }
}

// Each turn of a conversation leaves a snapshot near the end of its prompt: who asks again, or changes an earlier
// message, goes back to the last one before that.
TEST_F(RecurrentState, AnEditedMessageGoesBackToTheSnapshotBeforeIt) {
  const auto session = engine_->new_session();
  std::vector<std::vector<TokenId>> prompts = {prompt_};
  for (size_t turn = 0; turn < 4; ++turn) {
    std::vector<TokenId> next = prompts.back();
    const Answer found = answer(*session, next);
    EXPECT_EQ(found.tokens, fresh_tokens(next)) << turn;
    EXPECT_GE(found.stats.n_cached, turn > 0 ? last_snapshot(prompts[turn - 1].size()) : 0) << turn;
    next.insert(next.end(), found.tokens.begin(), found.tokens.end());
    for (size_t idx = 0; idx < 90; ++idx) next.push_back(static_cast<TokenId>((idx * 7 + turn) % 100));
    prompts.push_back(next);
  }
  for (size_t turn = 1; turn < 4; ++turn) {
    std::vector<TokenId> edited = prompts[turn];
    const auto other = engine_->new_session();
    for (Session* one : {session.get(), other.get()}) {
      edited[prompts[turn - 1].size() + 40] += 1;  // in the message of this turn
      const Answer found = answer(*one, edited);
      EXPECT_GE(found.stats.n_cached, last_snapshot(prompts[turn - 1].size())) << turn;
      EXPECT_LT(found.stats.n_cached, prompts[turn - 1].size() + 40) << turn;
      EXPECT_EQ(found.tokens, fresh_tokens(edited)) << turn;
    }
  }
}

// The second prompt with some beginning finds no snapshot where they part, and leaves one for the third.
TEST_F(RecurrentState, WherePromptsPartASnapshotIsTaken) {
  std::vector<size_t> n_cached;
  for (size_t idx = 0; idx < 3; ++idx) {
    std::vector<TokenId> prompt = prompt_;
    prompt.resize(kPage + 9);  // a system prompt
    for (size_t n = 0; n < 150; ++n) prompt.push_back(static_cast<TokenId>((n * 3 + idx) % 100));
    const auto session = engine_->new_session();
    const Answer found = answer(*session, prompt);
    n_cached.push_back(found.stats.n_cached);
    EXPECT_EQ(found.tokens, fresh_tokens(prompt));
  }
  EXPECT_EQ(n_cached, (std::vector<size_t>{0, 0, kPage}));
}

// A state cannot give back a draft that was wrong: none are computed, also right after a snapshot.
TEST_F(RecurrentState, DraftsChangeNothing) {
  class Wrong final : public Drafter {
   public:
    std::span<const TokenId> propose(std::span<const TokenId>, size_t n_max) override {
      return std::span<const TokenId>(drafts_).first(std::min<size_t>(n_max, drafts_.size()));
    }
    void learn(size_t) override {}

   private:
    std::vector<TokenId> drafts_ = {1, 2, 3};
  };
  Request drafted = request(prompt_);
  drafted.max_tokens = 100;
  const auto session = engine_->new_session(), other = engine_->new_session();
  const Answer plain = engine_->generate(*session, drafted).value();
  drafted.make_drafter = [] { return std::make_unique<Wrong>(); };
  EXPECT_EQ(engine_->generate(*other, drafted).value().tokens, plain.tokens);
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
    const size_t n_pages = (session->tokens.size() + kPage - 1) / kPage;
    EXPECT_EQ(engine_->kv().bytes_used(), kv.sequence_bytes(n_pages * kPage, kPage));
  }
  // The ends of the prompt and of the answer, next to two pages with a snapshot.
  const uint64_t n_ends = engine_->kv().reuses_generated() ? 2 : 1;
  EXPECT_EQ(engine_->kv().bytes_cached(), (2 + n_ends) * kv.page_bytes() + (1 + n_ends) * kv.state_bytes());
  EXPECT_EQ(engine_->kv().bytes_used(), 0U);
}

}  // namespace
}  // namespace ogas
