// Many requests at once: each gets the answer it gets alone, whatever else is in the batch and however often it
// is preempted. On tiny models of every kind of layer; they have no tokenizer, so that answers are tokens.
#include "engine/scheduler.h"
#include "engine/engine_core.h"
#include "engine/score.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "engine/answers_test_tools.h"
#include "engine/logits_test_tools.h"

namespace ogas {
namespace {

using testing::answer_alone, testing::expect_beginning;

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
    Request request{.max_tokens = static_cast<uint32_t>(1 + random_() % 40), .ignore_eos = true};
    request.prompt.resize(1 + random_() % 120);
    for (TokenId& token : request.prompt) token = any(random_);
    request.sampling = {
        .temperature = seed % 3 == 0 ? 0.0F : 1.0F, .repetition_penalty = 1.1F, .report_logprob = true, .seed = seed};
    return request;
  }

  std::mt19937 random_{23};
};

TEST_P(SchedulerTest, EveryRequestGetsTheAnswerItGetsAlone) {
  for (const uint64_t n_pages : {0, 9}) {  // 9: a third of the requests fit together
    const auto engine = load(n_pages);
    std::vector<Request> requests;
    std::vector<Answer> expected;
    for (uint64_t seed = 0; seed < 32; ++seed) {
      requests.push_back(random_request(*engine, seed));
      expected.push_back(answer_alone(*engine, requests.back()));
      ASSERT_EQ(expected.back().tokens.size(), requests.back().max_tokens);
    }
    Scheduler scheduler(*engine, {.n_running = 12, .max_delay = 0});  // by the clock, fewer would meet
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
    EXPECT_EQ(scheduler.n_preemptions() > 0, n_pages > 0);
    EXPECT_EQ(scheduler.n_running() + scheduler.n_waiting(), 0U);
    EXPECT_EQ(engine->kv().bytes_used(), 0U);
  }
}

TEST_P(SchedulerTest, PromptsAreScoredInABatchAsAlone) {
  for (const uint64_t n_pages : {0, 9}) {
    const auto engine = load(n_pages);
    std::vector<Request> requests;
    for (uint64_t seed = 0; seed < 24; ++seed) {
      requests.push_back(random_request(*engine, seed));
      if (seed % 2 == 0) requests.back().prompt_logprobs = 2;
      if (seed % 4 == 0) requests.back().only_prompt = true;
      if (seed >= 12) requests.back().prompt = requests[seed - 12].prompt;  // which is remembered by then, perhaps
    }
    Scheduler scheduler(*engine, {.n_running = 8, .max_delay = 0});
    std::vector<Answer> found(requests.size());
    for (size_t idx = 0; idx < requests.size(); ++idx)
      ASSERT_TRUE(
          scheduler.submit(requests[idx], [&found, idx](Result<Answer> answer) { found[idx] = answer.value(); }));
    while (scheduler.step()) {
    }
    for (size_t idx = 0; idx < requests.size(); ++idx) {
      SCOPED_TRACE(fmt::format("request {}", idx));
      const Request& request = requests[idx];
      if (request.only_prompt) {
        EXPECT_EQ(found[idx].stats.n_generated, 0U);
        EXPECT_EQ(found[idx].finish, FinishReason::length);
      } else {
        Request plain = request;
        plain.prompt_logprobs.reset();
        expect_beginning(found[idx], answer_alone(*engine, plain));
      }
      if (!request.prompt_logprobs || request.prompt.size() < 2) {
        EXPECT_TRUE(found[idx].prompt_logprobs.empty());
        continue;
      }
      const Score score = score_text(*engine, request.prompt).value();
      ASSERT_EQ(found[idx].prompt_logprobs.size(), score.tokens.size());
      for (size_t at = 0; at < score.tokens.size(); ++at) {
        const Logprobs& logprobs = found[idx].prompt_logprobs[at];
        EXPECT_EQ(logprobs.chosen, static_cast<float>(score.tokens[at].logprob)) << at;
        ASSERT_EQ(logprobs.top.size(), 2U);
        EXPECT_EQ(logprobs.top.front().id == request.prompt[at + 1], score.tokens[at].is_greedy) << at;
      }
    }
  }
}

TEST_P(SchedulerTest, TokensAreToldAsTheyAreDrawn) {
  const auto engine = load(0);
  Request request = random_request(*engine, 1);
  std::vector<TokenId> told;
  std::vector<float> logprobs;
  request.on_token = [&](TokenId id, const Logprobs* one) {
    told.push_back(id);
    logprobs.push_back(one->chosen);
  };
  std::vector<AnswerStats> prompts;
  request.on_prompt = [&](const AnswerStats& stats) {
    EXPECT_TRUE(told.empty());
    prompts.push_back(stats);
  };
  const Answer answer = answer_alone(*engine, request);
  EXPECT_EQ(told, answer.tokens);
  ASSERT_EQ(prompts.size(), 1U);
  EXPECT_EQ(prompts[0].n_prompt, request.prompt.size());
  EXPECT_EQ(prompts[0].n_cached, answer.stats.n_cached);
  EXPECT_EQ(prompts[0].n_generated, 0U);
  ASSERT_EQ(logprobs.size(), answer.logprobs.size());
  for (size_t idx = 0; idx < logprobs.size(); ++idx) EXPECT_EQ(logprobs[idx], answer.logprobs[idx].chosen);
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
  EXPECT_EQ(engine->kv().bytes_used(), 0U);
}

TEST_P(SchedulerTest, ALongPromptHoldsNobodyUpByMoreThanABatch) {
  const auto engine = load(0);
  Scheduler scheduler(*engine, {.n_batch = 16, .max_delay = 0});
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
  // A session outside the scheduler holds all pages: an error, not an endless wait.
  const auto session = engine->new_session();
  ASSERT_TRUE(engine->extend(*session, std::vector<TokenId>(256, 1)));
  Error error;
  ASSERT_TRUE(scheduler.submit(request, [&](const Result<Answer>& answer) { error = answer.error(); }));
  while (scheduler.step()) {
  }
  EXPECT_EQ(error.code, ErrorCode::out_of_memory);
}

TEST_P(SchedulerTest, PrioritiesClientsAndDeadlinesDecideWhoComesFirst) {
  const auto engine = load(0);
  const auto order_of = [&](const std::vector<Request>& requests) {
    Scheduler scheduler(*engine, {.n_running = 1});
    std::vector<size_t> order;
    for (size_t idx = 0; idx < requests.size(); ++idx)
      EXPECT_TRUE(scheduler.submit(requests[idx], [&order, idx](const Result<Answer>&) { order.push_back(idx); }));
    while (scheduler.step()) {
    }
    return order;
  };
  Request request = random_request(*engine, 1);
  request.prompt.resize(10);
  request.max_tokens = 5;
  std::vector<Request> requests(6, request);
  EXPECT_EQ(order_of(requests), (std::vector<size_t>{0, 1, 2, 3, 4, 5}));
  requests[3].priority = 2;
  requests[5].priority = 1;
  requests[0].priority = -1;
  EXPECT_EQ(order_of(requests), (std::vector<size_t>{3, 5, 1, 2, 4, 0}));
  requests.assign(6, request);
  requests[1].client = requests[4].client = "b";
  requests[5].client = "c";  // a, b, c interleaved
  EXPECT_EQ(order_of(requests), (std::vector<size_t>{0, 1, 5, 2, 4, 3}));
  requests.assign(4, request);
  requests[2].deadline_seconds = 1000;
  requests[3].deadline_seconds = 500;
  EXPECT_EQ(order_of(requests), (std::vector<size_t>{3, 2, 0, 1}));
}

TEST_P(SchedulerTest, AHigherPriorityTakesTheOthersPlaceAndBothAnswersStayRight) {
  const auto engine = load(0);
  Request low = random_request(*engine, 1), high = random_request(*engine, 2);
  low.max_tokens = 40;
  high.priority = 1;
  const Answer low_alone = answer_alone(*engine, low), high_alone = answer_alone(*engine, high);
  Scheduler scheduler(*engine, {.n_running = 1});
  std::vector<Answer> done;
  const auto keep = [&](Result<Answer> answer) { done.push_back(*std::move(answer)); };
  ASSERT_TRUE(scheduler.submit(low, keep));
  for (int step = 0; step < 12; ++step) scheduler.step();
  ASSERT_TRUE(scheduler.submit(high, keep));
  while (scheduler.step()) {
  }
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(scheduler.n_preemptions(), 1U);
  EXPECT_EQ(done[0].tokens, high_alone.tokens);
  EXPECT_EQ(done[1].tokens, low_alone.tokens);
  expect_beginning(done[0], high_alone);
  expect_beginning(done[1], low_alone);
}

// Of what it had computed a page at most is computed twice, be it preempted within its prompt or its answer.
TEST_P(SchedulerTest, APreemptedRequestGoesOnWhereItWas) {
  for (const int n_before : {2, 14}) {
    const auto engine = load(0);
    Request low = random_request(*engine, 1), high = random_request(*engine, 2);
    low.prompt.resize(160, 3);
    low.max_tokens = 60;
    high.priority = 1;
    const Answer alone = answer_alone(*load(0), low);
    Scheduler scheduler(*engine, {.n_batch = 32, .n_running = 1});
    std::vector<Answer> done;
    const auto keep = [&](Result<Answer> answer) { done.push_back(*std::move(answer)); };
    ASSERT_TRUE(scheduler.submit(low, keep));
    for (int step = 0; step < n_before; ++step) scheduler.step();
    ASSERT_TRUE(scheduler.submit(high, keep));
    while (scheduler.step()) {
    }
    ASSERT_EQ(done.size(), 2U);
    EXPECT_EQ(scheduler.n_preemptions(), 1U);
    expect_beginning(done[1], alone);
    EXPECT_EQ(alone.stats.cost.n_rows, 160U + 59);
    EXPECT_LT(done[1].stats.cost.n_rows, 160U + 59 + 64) << n_before;
  }
}

TEST_P(SchedulerTest, TheLowestPriorityGivesWayNotTheYoungest) {
  const auto engine = load(0);
  Scheduler scheduler(*engine, {.n_running = 2, .max_delay = 0});
  Request request = random_request(*engine, 1);
  request.max_tokens = 30;
  std::vector<int> order;
  for (const int priority : {0, 1, 2}) {
    request.priority = priority;
    ASSERT_TRUE(scheduler.submit(request, [&order, priority](const Result<Answer>&) { order.push_back(priority); }));
    for (int step = 0; step < 5; ++step) scheduler.step();
  }
  while (scheduler.step()) {
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2, 0}));
}

// One client asks for much at once, another for little now and then: neither waits for the other's whole work.
TEST_P(SchedulerTest, ClientsShareTheMachine) {
  const auto engine = load(0);
  Scheduler scheduler(*engine, {.n_running = 2});
  Request request = random_request(*engine, 1);
  request.prompt.resize(20);
  request.max_tokens = 10;
  size_t n_greedy = 0, n_modest = 0;
  request.client = "greedy";
  for (int idx = 0; idx < 100; ++idx) {
    ASSERT_TRUE(scheduler.submit(request, [&](const Result<Answer>&) { ++n_greedy; }));
  }
  for (int step = 0; step < 40; ++step) scheduler.step();
  const size_t n_before = n_greedy;
  request.client = "modest";
  bool is_done = false;
  ASSERT_TRUE(scheduler.submit(request, [&](const Result<Answer>&) { is_done = true; }));
  while (!is_done) ASSERT_TRUE(scheduler.step());
  EXPECT_LE(n_greedy - n_before, 4U);  // those that ran, and one more on either side
  // Nor is it owed for the time it was away.
  for (int step = 0; step < 200; ++step) scheduler.step();
  const size_t n_between = n_greedy;
  for (int idx = 0; idx < 40; ++idx) ASSERT_TRUE(scheduler.submit(request, [&](const Result<Answer>&) { ++n_modest; }));
  while (n_modest < 10) ASSERT_TRUE(scheduler.step());
  EXPECT_GE(n_greedy - n_between, 8U);
  EXPECT_LE(n_greedy - n_between, 12U);
}

TEST_P(SchedulerTest, WhatIsOverdueEndsWithWhatItHas) {
  const auto engine = load(0);
  Scheduler scheduler(*engine);
  Request request = random_request(*engine, 1);
  request.max_tokens = 40;
  const Answer alone = answer_alone(*engine, request);
  std::vector<Answer> done;
  const auto keep = [&](Result<Answer> answer) { done.push_back(*std::move(answer)); };
  request.deadline_seconds = 1e-9;
  ASSERT_TRUE(scheduler.submit(request, keep));
  scheduler.step();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_TRUE(done[0].tokens.empty());
  EXPECT_EQ(done[0].finish, FinishReason::deadline);
  request.deadline_seconds = 0.5;
  ASSERT_TRUE(scheduler.submit(request, keep));
  for (int step = 0; step < 10; ++step) scheduler.step();
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  while (scheduler.step()) {
  }
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(done[1].finish, FinishReason::deadline);
  EXPECT_LT(done[1].tokens.size(), 40U);
  expect_beginning(done[1], alone);
  EXPECT_EQ(engine->kv().bytes_used(), 0U);
}

TEST_P(SchedulerTest, ChoicesAreTheAnswersOfTheirSeedsAndTheBestComeFirst) {
  const auto engine = load(0);
  Request request = random_request(*engine, 4);
  request.prompt.resize(100, 3);
  request.max_tokens = 12;
  std::vector<Answer> alone;
  for (uint64_t idx = 0; idx < 5; ++idx) {
    Request one = request;
    one.sampling.seed += idx;
    alone.push_back(answer_alone(*load(0), one));
  }
  const auto choices = [&](uint32_t n, uint32_t best_of) {
    Scheduler scheduler(*engine);
    std::vector<Answer> found;
    const auto ids = scheduler.submit_choices(request, n, best_of, [&](auto answers) { found = *std::move(answers); });
    EXPECT_TRUE(ids);
    EXPECT_EQ(ids->size(), std::max(n, best_of));
    while (scheduler.step()) {
    }
    return found;
  };
  const auto all = choices(5, 0);
  ASSERT_EQ(all.size(), 5U);
  for (size_t idx = 0; idx < 5; ++idx) EXPECT_EQ(all[idx].tokens, alone[idx].tokens) << idx;
  const auto mean = [](const Answer& answer) {
    double sum = 0;
    for (const Logprobs& one : answer.logprobs) sum += one.chosen;
    return sum / static_cast<double>(answer.logprobs.size());
  };
  std::ranges::stable_sort(alone, std::ranges::greater{}, mean);
  const auto best = choices(2, 5);
  ASSERT_EQ(best.size(), 2U);
  EXPECT_EQ(best[0].tokens, alone[0].tokens);
  EXPECT_EQ(best[1].tokens, alone[1].tokens);
  Scheduler scheduler(*engine, {.n_waiting = 3});
  EXPECT_EQ(scheduler.submit_choices(request, 3, 2, {}).error().code, ErrorCode::usage);
  EXPECT_EQ(scheduler.submit_choices(request, 0, 0, {}).error().code, ErrorCode::usage);
  EXPECT_EQ(scheduler.submit_choices(request, 4, 0, {}).error().code, ErrorCode::unavailable);
  EXPECT_FALSE(scheduler.step());
}

// 8 prompts that begin with the same 128 tokens, at once: these are computed once.
TEST_P(SchedulerTest, APromptWaitsForThePagesThatAnotherComputes) {
  const auto engine = load(0);
  Scheduler scheduler(*engine, {.n_batch = 256});
  Request request = random_request(*engine, 1);
  request.prompt.assign(140, 2);
  request.max_tokens = 2;
  size_t n_computed = 0;
  for (TokenId idx = 0; idx < 8; ++idx) {
    request.prompt.back() = idx;
    ASSERT_TRUE(scheduler.submit(
        request, [&](const Result<Answer>& answer) { n_computed += answer->stats.n_prompt - answer->stats.n_cached; }));
  }
  while (scheduler.step()) {
  }
  EXPECT_EQ(n_computed, 128U + 8 * 12);
}

TEST_P(SchedulerTest, PromptsThatDifferDoNotWait) {
  const auto engine = load(0);
  Scheduler scheduler(*engine, {.n_batch = 512});
  Request request = random_request(*engine, 1);
  request.max_tokens = 1;
  size_t n_done = 0;
  for (TokenId first = 0; first < 3; ++first) {
    request.prompt.assign(140, 2);
    request.prompt.front() = first;
    ASSERT_TRUE(scheduler.submit(request, [&](const Result<Answer>&) { ++n_done; }));
  }
  scheduler.step();
  EXPECT_EQ(n_done, 3U);
}

// 10,000 steps of requests that begin alike or not, of all ranks, cancelled or late, with too few pages.
TEST_P(SchedulerTest, RandomSchedulesLoseNothing) {
  const auto engine = load(9);
  std::vector<Request> kinds;
  std::vector<Answer> expected;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    kinds.push_back(random_request(*engine, seed));
    if (seed % 2 == 0) std::fill_n(kinds.back().prompt.begin(), std::min<size_t>(70, kinds.back().prompt.size()), 5);
    expected.push_back(answer_alone(*load(0), kinds.back()));
  }
  Scheduler scheduler(*engine, {.n_running = 6, .n_waiting = 8});
  std::map<Scheduler::RequestId, size_t> open;  // to its kind
  size_t n_whole = 0, n_refused = 0;
  const size_t n_steps = GetParam() == "llama" ? 10000 : 1500;
  for (size_t step = 0; step < n_steps; ++step) {
    if (random_() % 4 == 0) {
      const size_t kind = random_() % kinds.size();
      Request request = kinds[kind];
      request.priority = static_cast<int>(random_() % 3);
      request.client = std::string(1, static_cast<char>('a' + random_() % 3));
      if (random_() % 20 == 0) request.deadline_seconds = 1e-3;
      const auto its_id = std::make_shared<Scheduler::RequestId>();
      const auto id = scheduler.submit(request, [&, kind, its_id](Result<Answer> answer) {
        ASSERT_TRUE(answer) << answer.error().message;
        ASSERT_EQ(open.erase(*its_id), 1U);
        expect_beginning(*answer, expected[kind]);
        const bool is_whole = answer->tokens.size() == expected[kind].tokens.size();
        EXPECT_EQ(is_whole, answer->finish == FinishReason::length);
        n_whole += is_whole ? 1 : 0;
      });
      if (id)
        open[*its_id = *id] = kind;
      else
        ++n_refused;
    }
    if (random_() % 100 == 0 && !open.empty()) {
      EXPECT_TRUE(scheduler.cancel(std::next(open.begin(), static_cast<ptrdiff_t>(random_() % open.size()))->first));
    }
    scheduler.step();
    if (HasFailure()) return;
  }
  while (scheduler.step()) {
  }
  EXPECT_TRUE(open.empty());
  EXPECT_GT(n_whole, n_steps / 50);
  EXPECT_GT(n_refused, 0U);
  EXPECT_GT(scheduler.n_preemptions(), 0U);
  EXPECT_EQ(engine->kv().bytes_used(), 0U);
}

// Beyond its context a request continues like one whose prompt is what was kept.
TEST_P(SchedulerTest, AFullContextSlides) {
  const auto engine = load(0);
  const size_t n_ctx = 256, n_keep = 8;
  Request request = random_request(*engine, 3);
  request.prompt.resize(100, 1);
  request.sampling = {.temperature = 0, .report_logprob = true};
  request.max_tokens = 500;
  EXPECT_EQ(answer_alone(*load(0), request).tokens.size(), n_ctx + 1 - request.prompt.size());
  std::vector<TokenId> expected, sequence = request.prompt;
  while (expected.size() < request.max_tokens) {
    Request part = request;
    part.prompt = sequence;
    part.max_tokens = static_cast<uint32_t>(request.max_tokens - expected.size());
    const Answer answer = answer_alone(*load(0), part);
    expected.insert(expected.end(), answer.tokens.begin(), answer.tokens.end());
    sequence.insert(sequence.end(), answer.tokens.begin(), answer.tokens.end());
    sequence.erase(sequence.begin() + n_keep, sequence.end() - n_ctx / 2);
  }
  request.context_shift = true;
  request.n_keep = n_keep;
  EXPECT_EQ(answer_alone(*engine, request).tokens, expected);
  EXPECT_EQ(answer_alone(*engine, request).tokens, expected);  // from what is remembered
  EXPECT_EQ(engine->kv().bytes_used(), 0U);
}

INSTANTIATE_TEST_SUITE_P(All, SchedulerTest,
                         ::testing::Values("llama", "qwen3_moe", "gpt_oss", "deepseek_v2_lite", "deepseek_v32",
                                           "qwen3_next", "qwen3_5", "gemma3_text"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ogas
