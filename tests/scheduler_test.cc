// Many requests at once: each gets the answer it gets alone, whatever comes and goes beside it and however often it
// loses its pages. On tiny models of every kind of layer; they have no tokenizer, so that answers are tokens.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "logits_test_tools.h"

namespace ogas {
namespace {

class SchedulerTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Engine> load(uint64_t n_pages) const {
    const auto path = testing::kArchitectures / GetParam();
    EngineOptions options{.n_ctx = 256, .n_batch = 48, .n_threads = 2};
    if (n_pages > 0) options.kv_budget = n_pages * Engine::load(path, options).value()->facts().kv.page_bytes();
    auto engine = Engine::load(path, options);
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? *std::move(engine) : nullptr;
  }
  Request random_request(const Engine& engine, uint64_t seed) {
    std::uniform_int_distribution<TokenId> any(0, static_cast<TokenId>(engine.facts().n_vocab) - 1);
    Request request{.max_tokens = static_cast<uint32_t>(1 + random_() % 40), .ignore_end = true};
    request.prompt.resize(1 + random_() % 120);
    for (TokenId& token : request.prompt) token = any(random_);
    request.sampling = {
        .temperature = seed % 3 == 0 ? 0.0F : 1.0F, .repetition_penalty = 1.1F, .report_logprob = true, .seed = seed};
    return request;
  }
  static Answer answer_alone(Engine& engine, const Request& request) {
    Scheduler scheduler(engine);
    Answer alone;
    EXPECT_TRUE(scheduler.submit(request, [&](Result<Answer> answer) { alone = *std::move(answer); }));
    while (scheduler.step()) {
    }
    return alone;
  }
  // Log-probabilities show the bits that tokens alone hide.
  static void expect_beginning(const Answer& found, const Answer& expected) {
    ASSERT_LE(found.tokens.size(), expected.tokens.size());
    for (size_t idx = 0; idx < found.tokens.size(); ++idx) {
      ASSERT_EQ(found.tokens[idx], expected.tokens[idx]) << "token " << idx;
      ASSERT_EQ(found.logprobs[idx].chosen, expected.logprobs[idx].chosen) << "token " << idx;
    }
  }

  std::mt19937 random_{23};
};

TEST_P(SchedulerTest, EveryRequestGetsTheAnswerItGetsAlone) {
  for (const uint64_t n_pages : {0, 9}) {  // 9: a third of the requests have room together
    const auto engine = load(n_pages);
    std::vector<Request> requests;
    std::vector<Answer> expected;
    for (uint64_t seed = 0; seed < 32; ++seed) {
      requests.push_back(random_request(*engine, seed));
      expected.push_back(answer_alone(*engine, requests.back()));
      ASSERT_EQ(expected.back().tokens.size(), requests.back().max_tokens);
    }
    Scheduler scheduler(*engine, {.n_running = 12});
    std::map<size_t, Answer> found;
    for (size_t idx = 0; idx < requests.size();) {
      if (random_() % 3 == 0) {
        const auto id = scheduler.submit(requests[idx], [&found, idx](Result<Answer> answer) {
          ASSERT_TRUE(answer) << answer.error().message;
          found[idx] = *std::move(answer);
        });
        ASSERT_TRUE(id) << id.error().message;
        ++idx;
      } else {
        scheduler.step();
      }
    }
    while (scheduler.step()) {
    }
    ASSERT_EQ(found.size(), requests.size());
    for (const auto& [idx, answer] : found) {
      SCOPED_TRACE(fmt::format("request {}", idx));
      EXPECT_EQ(answer.tokens.size(), expected[idx].tokens.size());
      expect_beginning(answer, expected[idx]);
    }
    EXPECT_EQ(scheduler.n_pauses() > 0, n_pages > 0);
    EXPECT_EQ(scheduler.n_running() + scheduler.n_waiting(), 0U);
    EXPECT_EQ(engine->kv_bytes_used(), 0U);
  }
}

TEST_P(SchedulerTest, CancelledOnesLeaveTheOthersAlone) {
  const auto engine = load(9);
  Scheduler scheduler(*engine);
  std::vector<Request> requests;
  std::vector<Answer> expected;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    requests.push_back(random_request(*engine, seed));
    expected.push_back(answer_alone(*engine, requests.back()));
  }
  std::map<size_t, Answer> found;
  std::vector<Scheduler::RequestId> ids;
  for (size_t idx = 0; idx < requests.size(); ++idx)
    ids.push_back(
        scheduler.submit(requests[idx], [&found, idx](Result<Answer> answer) { found[idx] = *std::move(answer); })
            .value());
  for (size_t idx = 0; idx < requests.size(); idx += 3) {
    for (int step = 0; step < 4; ++step) scheduler.step();
    const bool was_done = found.contains(idx);
    EXPECT_EQ(scheduler.cancel(ids[idx]), !was_done);
    EXPECT_TRUE(found.contains(idx));
    EXPECT_FALSE(scheduler.cancel(ids[idx]));
  }
  while (scheduler.step()) {
  }
  for (size_t idx = 0; idx < requests.size(); ++idx) {
    const Answer& answer = found.at(idx);
    expect_beginning(answer, expected[idx]);
    const bool was_cut = answer.tokens.size() < expected[idx].tokens.size();
    EXPECT_TRUE(idx % 3 == 0 || !was_cut);
    EXPECT_EQ(answer.finish, was_cut ? FinishReason::cancelled : FinishReason::length);
  }
  EXPECT_EQ(engine->kv_bytes_used(), 0U);
}

TEST_P(SchedulerTest, ALongPromptHoldsNobodyUpByMoreThanABatch) {
  const auto engine = load(0);
  Scheduler scheduler(*engine, {.n_batch = 16});
  Request quick = random_request(*engine, 1), slow = quick;
  quick.prompt.resize(1);
  quick.max_tokens = 30;
  slow.prompt.assign(200, 1);
  slow.max_tokens = 1;
  bool quick_done = false, slow_done = false;
  ASSERT_TRUE(scheduler.submit(quick, [&](const Result<Answer>&) { quick_done = true; }));
  ASSERT_TRUE(scheduler.submit(slow, [&](const Result<Answer>&) { slow_done = true; }));
  size_t n_steps = 0, slow_steps = 0;
  while (scheduler.step()) {
    ++n_steps;
    if (!slow_done) slow_steps = n_steps;
    EXPECT_EQ(quick_done, n_steps >= 30) << n_steps;
  }
  EXPECT_EQ(slow_steps + 1, (1 + 200 + 15) / 16);  // what is left of each batch is its own
}

TEST_P(SchedulerTest, RefusesWhatItCannotTake) {
  const auto engine = load(4);
  Scheduler scheduler(*engine, {.n_running = 1, .n_waiting = 2});
  const Request request = random_request(*engine, 1);
  int n_done = 0;
  const auto count = [&](const Result<Answer>& answer) { n_done += answer ? 1 : 100; };
  Request too_long = request;
  too_long.prompt.resize(257);
  EXPECT_EQ(scheduler.submit(too_long, count).error().code, ErrorCode::usage);
  EXPECT_TRUE(scheduler.submit(request, count));
  EXPECT_TRUE(scheduler.submit(request, count));
  EXPECT_EQ(scheduler.submit(request, count).error().code, ErrorCode::unavailable);
  scheduler.step();
  EXPECT_TRUE(scheduler.submit(request, count));
  while (scheduler.step()) {
  }
  EXPECT_EQ(n_done, 3);
  // A session beside the scheduler holds all pages: an error, not a wait for ever.
  const auto session = engine->new_session();
  ASSERT_TRUE(engine->extend(*session, std::vector<TokenId>(256, 1)));
  Error error;
  ASSERT_TRUE(scheduler.submit(request, [&](const Result<Answer>& answer) { error = answer.error(); }));
  while (scheduler.step()) {
  }
  EXPECT_EQ(error.code, ErrorCode::out_of_memory);
}

INSTANTIATE_TEST_SUITE_P(All, SchedulerTest,
                         ::testing::Values("llama", "qwen3_moe", "gpt_oss", "deepseek_v2_lite", "deepseek_v32",
                                           "qwen3_next"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ogas
