// A model whose layers have windows keeps only what they reach, and answers the same. A tiny random Gemma 3 stands for
// them (tools/make_arch_goldens.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine_core.h"
#include "engine/logits_test_tools.h"

namespace ogas {
namespace {

using ::testing::HasSubstr;

const std::string kModel = "tests/data/arch/gemma3_text/model.gguf";
constexpr size_t kPage = KvLayout::kPagePositions;
constexpr uint32_t kContext = 1024, kBatch = 48;

std::unique_ptr<Engine> load(uint64_t kv_budget = 0) {
  return Engine::load(kModel, {.n_ctx = kContext, .n_batch = kBatch, .n_threads = 2, .kv_budget = kv_budget}).value();
}

std::vector<TokenId> prompt_of(size_t n, TokenId first) {
  std::vector<TokenId> tokens(n);
  for (size_t idx = 0; idx < n; ++idx) tokens[idx] = static_cast<TokenId>((idx * idx + 7 * idx) % 61 + 1);
  tokens[0] = first;
  return tokens;
}

Answer answer(Engine& engine, Session& session, std::vector<TokenId> prompt, uint32_t n = 100) {
  const Request request{
      .prompt = std::move(prompt), .max_tokens = n, .sampling = {.temperature = 1, .seed = 5}, .ignore_eos = true};
  auto result = engine.generate(session, request);
  EXPECT_TRUE(result) << result.error().message;
  return result ? *std::move(result) : Answer{};
}

TEST(Windows, OnlyWhatTheyReachIsKept) {
  const auto engine = load();
  const KvLayout& kv = engine->kv().layout();
  ASSERT_EQ(kv.window(), 9U);
  const auto session = engine->new_session();
  answer(*engine, *session, prompt_of(800, 3));
  const uint64_t n_full = 899 / kPage + 1, n_used = engine->kv().bytes_used() + engine->kv().bytes_cached();
  EXPECT_LT(n_full * kv.page_bytes(KvPageKind::full), n_used);
  EXPECT_LE(engine->kv().bytes_used(), kv.bytes_of_pages(899, 1));
  EXPECT_LT(engine->kv().bytes_used(), n_full * kv.page_bytes() / 2) << "most of its layers have windows";
}

// The plan's budget is enough for a whole context, and answers from so little are those from plenty.
TEST(Windows, TheSmallestBudgetHoldsAWholeContext) {
  const auto plenty = load(uint64_t{1} << 30);
  const KvLayout& kv = plenty->kv().layout();
  const uint64_t least = kv.bytes_of_pages(kContext, kBatch);
  EXPECT_LT(least, kContext / kPage * kv.page_bytes() / 2);
  const auto too_small = Engine::load(kModel, {.n_ctx = kContext, .n_batch = kBatch, .kv_budget = least - 1});
  ASSERT_FALSE(too_small);
  EXPECT_THAT(too_small.error().message, HasSubstr("a context of 1024 positions takes"));
  const auto engine = load(least);
  for (const TokenId first : {3, 4}) {  // the second in place of what the prefix cache has of the first
    const auto prompt = prompt_of(kContext - 100, first);
    const auto session = engine->new_session(), session_of_plenty = plenty->new_session();
    EXPECT_EQ(answer(*engine, *session, prompt).tokens, answer(*plenty, *session_of_plenty, prompt).tokens);
    EXPECT_EQ(session->tokens.size(), kContext - 1);
  }
}

// As `ogas chat` does, whose session continues from turn to turn, also where an earlier message is edited.
TEST(Windows, ASessionGoesBackToItsWindowsOrTheNextSnapshot) {
  const auto engine = load();
  const auto session = engine->new_session();
  std::vector<TokenId> prompt = prompt_of(300, 3);
  const Answer first = answer(*engine, *session, prompt);
  for (const auto& [n_alike, n_cached] : {std::pair<size_t, size_t>{395, 395}, {390, 384}, {200, 192}}) {
    std::vector<TokenId> next = prompt;
    next.insert(next.end(), first.tokens.begin(), first.tokens.end());
    next.resize(n_alike);
    for (const TokenId token : {7, 8, 9, 1}) next.push_back(token);
    const auto fresh = load();
    const auto of_fresh = fresh->new_session();
    const Answer turn = answer(*engine, *session, next);
    EXPECT_EQ(turn.tokens, answer(*fresh, *of_fresh, next).tokens) << n_alike;
    EXPECT_EQ(turn.stats.n_cached, n_cached);
  }
}

}  // namespace
}  // namespace ogas
