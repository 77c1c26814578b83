// Tokens of several sessions computed in one pass get the same bits as alone: every architecture, whatever the mixture
// of prompts and generated tokens.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "engine/logits.h"
#include "engine/logits_test_tools.h"

namespace ogas {
namespace {

using testing::kArchitectures;

class SeveralSessions : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto engine = Engine::load(kArchitectures / GetParam(), {.n_threads = 2});
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = *std::move(engine);
  }
  std::vector<TokenId> tokens(size_t n) {
    std::uniform_int_distribution<TokenId> any(0, static_cast<TokenId>(engine_->facts().n_vocab) - 1);
    std::vector<TokenId> tokens(n);
    for (TokenId& token : tokens) token = any(random_);
    return tokens;
  }

  std::mt19937 random_{17};
  std::unique_ptr<Engine> engine_;
};

// The tokens of one session, chunk by chunk, and the logits after each.
struct Script {
  struct Piece {
    std::vector<TokenId> tokens;
    RowKind kind;
  };
  std::vector<Piece> pieces;
  std::vector<std::vector<float>> logits = {};
};

void expect_same_bits(std::span<const float> found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  EXPECT_EQ(0, std::memcmp(found.data(), expected.data(), found.size_bytes()));
}

TEST_P(SeveralSessions, GetTheBitsTheyGetAlone) {
  // Five sessions of six pieces: prompts of 1 to 40 tokens and single generated ones, at different times.
  std::vector<Script> scripts(5);
  for (size_t idx = 0; idx < scripts.size(); ++idx)
    for (size_t piece = 0; piece < 6; ++piece) {
      const bool is_prompt = piece == 0 || (piece + idx) % 4 == 0;
      scripts[idx].pieces.push_back(
          {tokens(is_prompt ? 1 + (idx * 13 + piece * 7) % 40 : 1), is_prompt ? RowKind::prefill : RowKind::decode});
    }
  for (Script& script : scripts) {
    const auto alone = engine_->new_session();
    for (const Script::Piece& piece : script.pieces) {
      const auto logits = engine_->extend(*alone, piece.tokens, piece.kind);
      ASSERT_TRUE(logits) << logits.error().message;
      script.logits.emplace_back(logits->begin(), logits->end());
    }
  }
  std::vector<Engine::SessionPtr> sessions;
  for (size_t idx = 0; idx < scripts.size(); ++idx) sessions.push_back(engine_->new_session());
  const size_t n_vocab = engine_->facts().n_vocab;
  // Session idx joins at step idx and then takes a piece at each.
  for (size_t step = 0; step < 6 + scripts.size() - 1; ++step) {
    std::vector<BatchItem> pass;
    std::vector<const std::vector<float>*> expected;
    for (size_t idx = scripts.size(); idx-- > 0;) {
      if (step < idx || step - idx >= 6) continue;
      const Script::Piece& piece = scripts[idx].pieces[step - idx];
      pass.push_back({sessions[idx].get(), piece.tokens, piece.kind});
      expected.push_back(&scripts[idx].logits[step - idx]);
    }
    const auto logits = engine_->extend(pass);
    ASSERT_TRUE(logits) << logits.error().message;
    for (size_t idx = 0; idx < pass.size(); ++idx) {
      SCOPED_TRACE(fmt::format("step {}, part {} of {}", step, idx, pass.size()));
      expect_same_bits(logits->subspan(idx * n_vocab, n_vocab), *expected[idx]);
    }
  }
}

TEST_P(SeveralSessions, GetTheSameBitsHoweverAPromptIsCut) {
  const auto prompt = tokens(150);
  const auto whole = engine_->new_session(), cut = engine_->new_session();
  const auto expected = engine_->extend(*whole, prompt);
  ASSERT_TRUE(expected) << expected.error().message;
  const std::vector<float> logits(expected->begin(), expected->end());
  std::span<const TokenId> rest(prompt);
  for (const size_t n : {1, 7, 64, 33}) {
    ASSERT_TRUE(engine_->extend(*cut, rest.first(n)));
    rest = rest.subspan(n);
  }
  const auto found = engine_->extend(*cut, rest);
  ASSERT_TRUE(found) << found.error().message;
  expect_same_bits(*found, logits);
}

TEST_P(SeveralSessions, MayBeThereOnce) {
  const auto session = engine_->new_session();
  const TokenId token = 1;
  const BatchItem item{session.get(), {&token, 1}};
  const auto refused = engine_->extend(std::vector<BatchItem>{item, item});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
  EXPECT_TRUE(session->tokens.empty());
  EXPECT_TRUE(engine_->extend(std::span<const BatchItem>{})->empty());
}

// Sessions share one budget; who finds it used up hears so, and nothing is lost.
TEST(KvBudget, IsSharedBySessions) {
  const auto path = kArchitectures / "qwen3";
  const auto load = [&](uint32_t n_ctx, uint64_t budget) {
    return Engine::load(path, {.n_ctx = n_ctx, .n_threads = 1, .kv_budget = budget});
  };
  const uint64_t page_bytes = load(64, 0).value()->facts().kv.page_bytes();
  const auto too_little = load(129, 2 * page_bytes);
  ASSERT_FALSE(too_little);
  EXPECT_EQ(too_little.error().code, ErrorCode::usage);
  const auto engine = load(128, 3 * page_bytes).value();
  const std::vector<TokenId> tokens(128, 1);
  const auto first = engine->new_session();
  auto second = engine->new_session();
  ASSERT_TRUE(engine->extend(*first, tokens));
  ASSERT_TRUE(engine->extend(*second, std::span(tokens).first(64)));
  const auto refused = engine->extend(*second, std::span(tokens).first(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::out_of_memory);
  EXPECT_EQ(second->tokens.size(), 64U);
  const BatchItem both[] = {{second.get(), std::span(tokens).first(1)}};
  EXPECT_EQ(engine->extend(both).error().code, ErrorCode::out_of_memory);
  EXPECT_EQ(compute_logits(*engine, tokens, 0, [](size_t, std::span<const float>) {}).error().code,
            ErrorCode::out_of_memory);
  second.reset();
  EXPECT_TRUE(engine->extend(*engine->new_session(), std::span(tokens).first(64)));
}

INSTANTIATE_TEST_SUITE_P(All, SeveralSessions, ::testing::ValuesIn(testing::all_architectures()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ogas
