// Requests from many threads at once: each gets the answer that it gets alone, or the beginning of it if it is
// cancelled; none is left without one. Tiny models have no tokenizer: their answers are tokens.
#include "engine/engine_thread.h"
#include "engine/embed.h"
#include "engine/engine_core.h"
#include "engine/score.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <stdexcept>

#include "engine/logits_test_tools.h"
#include "engine/model_test_tools.h"

namespace ogas {
namespace {

// Where answers are collected, from any thread.
class Answers {
 public:
  EngineThread::Done take(size_t idx) {
    return [this, idx](Result<Answer> answer) {
      const std::lock_guard lock(mutex_);
      EXPECT_TRUE(answers_.emplace(idx, std::move(answer)).second) << "request " << idx << " was answered twice";
      changed_.notify_all();
    };
  }
  void wait_for(size_t n) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answers_.size() >= n; });
  }
  size_t size() {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }
  // Once all are there.
  const Result<Answer>& operator[](size_t idx) const { return answers_.at(idx); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<size_t, Result<Answer>> answers_;
};

Answer answer_alone(Engine& engine, const Request& request) {
  Scheduler scheduler(engine);
  Answer alone;
  EXPECT_TRUE(scheduler.submit(request, [&](Result<Answer> answer) { alone = *std::move(answer); }));
  while (scheduler.step()) {
  }
  return alone;
}

void expect_beginning(const Result<Answer>& found, const Answer& expected) {
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_LE(found->tokens.size(), expected.tokens.size());
  for (size_t idx = 0; idx < found->tokens.size(); ++idx) ASSERT_EQ(found->tokens[idx], expected.tokens[idx]);
  const bool is_whole = found->tokens.size() == expected.tokens.size();
  EXPECT_TRUE(is_whole || found->finish == FinishReason::cancelled) << name_of(found->finish);
}

class EngineThreadTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto path = testing::kArchitectures / GetParam();
    EngineOptions options{.n_ctx = 256, .n_batch = 48, .n_threads = 2};
    // So few pages that a third of the requests fit together.
    options.kv_budget = 9 * Engine::load(path, options).value()->facts().kv.page_bytes();
    engine_ = Engine::load(path, options).value();
    std::uniform_int_distribution<TokenId> any(0, static_cast<TokenId>(engine_->facts().n_vocab) - 1);
    for (uint64_t seed = 0; seed < 24; ++seed) {
      Request request{.max_tokens = static_cast<uint32_t>(1 + random_() % 40), .ignore_eos = true};
      request.prompt.resize(1 + random_() % 120);
      for (TokenId& token : request.prompt) token = any(random_);
      request.sampling = {.temperature = seed % 3 == 0 ? 0.0F : 1.0F, .seed = seed};
      expected_.push_back(answer_alone(*engine_, request));
      requests_.push_back(std::move(request));
    }
  }

  std::mt19937 random_{29};
  std::unique_ptr<Engine> engine_;
  std::vector<Request> requests_;
  std::vector<Answer> expected_;
};

TEST_P(EngineThreadTest, EveryRequestGetsTheAnswerItGetsAlone) {
  constexpr size_t kThreads = 4;
  Answers found;
  {
    EngineThread engine_thread(*engine_, {.n_running = 12});
    std::vector<std::thread> threads;
    for (size_t first = 0; first < kThreads; ++first)
      threads.emplace_back([&, first] {
        for (size_t idx = first; idx < requests_.size(); idx += kThreads) {
          const auto id = engine_thread.submit(requests_[idx], found.take(idx));
          if (idx % 3 != 0) continue;
          if (idx % 2 == 0) engine_thread.run([](Engine&) {});  // a step or more later
          engine_thread.cancel(id);
          engine_thread.cancel(id);
        }
      });
    for (std::thread& thread : threads) thread.join();
    found.wait_for(requests_.size());
    EXPECT_EQ(engine_thread.run([](Engine& engine) { return engine.kv().bytes_used(); }), 0U);
    EXPECT_EQ(engine_thread.load().n_running + engine_thread.load().n_waiting, 0U);
  }
  size_t n_cut = 0;
  for (size_t idx = 0; idx < requests_.size(); ++idx) {
    SCOPED_TRACE(fmt::format("request {}", idx));
    expect_beginning(found[idx], expected_[idx]);
    EXPECT_TRUE(idx % 3 == 0 || found[idx]->finish == FinishReason::length);
    n_cut += found[idx]->finish == FinishReason::cancelled;
  }
  EXPECT_GT(n_cut, 0U);
}

TEST_P(EngineThreadTest, EndsWhileRequestsAreOnTheirWay) {
  size_t n_cut = 0;
  for (int n_rounds = 0; n_rounds < 8; ++n_rounds) {
    Answers found;
    {
      EngineThread engine_thread(*engine_, {.n_running = 4});
      for (size_t idx = 0; idx < requests_.size(); ++idx) engine_thread.submit(requests_[idx], found.take(idx));
      for (int n = 0; n < n_rounds; ++n) engine_thread.run([](Engine&) {});
    }
    ASSERT_EQ(found.size(), requests_.size());
    for (size_t idx = 0; idx < requests_.size(); ++idx) {
      const bool came_too_late = !found[idx] && found[idx].error().code == ErrorCode::cancelled;
      if (!came_too_late) expect_beginning(found[idx], expected_[idx]);
      n_cut += !came_too_late && found[idx]->finish == FinishReason::cancelled;
    }
    EXPECT_EQ(engine_->kv().bytes_used(), 0U);
  }
  EXPECT_GT(n_cut, 0U);
}

// From `done`, for example; also those that come when it is too late.
TEST_P(EngineThreadTest, CallbacksMaySubmitAndCancel) {
  std::atomic<int> n_answers = 0, n_refused = 0;
  EngineThread::Done again;  // outlives the thread that calls it
  {
    EngineThread engine_thread(*engine_);
    again = [&](const Result<Answer>& answer) {
      EXPECT_TRUE(engine_thread.is_engine_thread());
      if (!answer) {
        EXPECT_EQ(answer.error().code, ErrorCode::cancelled);
        ++n_refused;
        return;
      }
      if (++n_answers == 20) n_answers.notify_all();
      const auto id = engine_thread.submit(requests_[static_cast<size_t>(n_answers) % 24], again);
      if (n_answers % 2 == 0) engine_thread.cancel(id);
    };
    engine_thread.submit(requests_[0], again);
    for (int n = 0; n < 20; n = n_answers) n_answers.wait(n);
  }
  EXPECT_EQ(n_refused, 1);
}

// Wherever it is by then: waiting for others' work, or between two passes. Requests are not touched by that.
TEST_P(EngineThreadTest, ScoringIsEndedFromAnotherThread) {
  Answers found;
  const std::vector<TokenId> text(200, 1);
  std::stop_source source;
  std::atomic<bool> has_begun = false;
  EngineThread engine_thread(*engine_);
  engine_thread.submit(requests_[0], found.take(0));
  std::thread other([&] {
    has_begun.wait(false);
    source.request_stop();
  });
  const auto error = engine_thread.run([&](Engine& engine) {
    has_begun = true;
    has_begun.notify_all();
    std::optional<ErrorCode> code;
    for (int n = 0; n < 1000 && !code; ++n)
      if (const auto score = score_text(engine, text, {}, source.get_token()); !score) code = score.error().code;
    EXPECT_EQ(embed(engine, {&text, 1}, {}, source.get_token()).error().code, ErrorCode::cancelled);
    return code;
  });
  other.join();
  EXPECT_EQ(error, ErrorCode::cancelled);
  found.wait_for(1);
  expect_beginning(found[0], expected_[0]);
  EXPECT_EQ(found[0]->finish, FinishReason::length);
}

TEST_P(EngineThreadTest, ErrorsComeThroughDone) {
  Answers found;
  EngineThread engine_thread(*engine_, {.n_running = 1, .n_waiting = 1});
  engine_thread.submit({.prompt = {}}, found.take(0));
  found.wait_for(1);
  EXPECT_EQ(found[0].error().code, ErrorCode::usage);
  std::promise<void> gate, is_waiting;
  engine_thread.post([&](Engine&) {
    is_waiting.set_value();
    gate.get_future().wait();
  });
  is_waiting.get_future().wait();  // else some of the requests could begin before it, and the others after
  for (size_t idx = 1; idx < 4; ++idx) engine_thread.submit(requests_[idx], found.take(idx));
  gate.set_value();
  found.wait_for(4);
  EXPECT_TRUE(found[1]);
  EXPECT_EQ(found[3].error().code, ErrorCode::unavailable);
}

TEST_P(EngineThreadTest, RunReturnsAndThrows) {
  EngineThread engine_thread(*engine_);
  EXPECT_FALSE(engine_thread.is_engine_thread());
  EXPECT_TRUE(
      engine_thread.run([&](Engine& engine) { return &engine == engine_.get() && engine_thread.is_engine_thread(); }));
  EXPECT_THROW(engine_thread.run([](Engine&) { throw std::runtime_error("no"); }), std::runtime_error);
}

INSTANTIATE_TEST_SUITE_P(All, EngineThreadTest, ::testing::Values("llama", "qwen3_moe", "deepseek_v32", "qwen3_next"),
                         [](const auto& test) { return test.param; });

// What a callback throws in the middle of a step.
TEST(DefaultModelEngineThread, AStepThatFailsEndsAllOnTheirWayAndNothingElse) {
  const auto engine = testing::load_default_model({.n_ctx = 512});
  ASSERT_TRUE(engine);
  Request request{.prompt = engine->text().tokenizer()->encode("Once upon a time"), .max_tokens = 12};
  request.sampling.temperature = 0;
  const Answer expected = answer_alone(*engine, request);
  Answers found;
  EngineThread engine_thread(*engine);
  Request failing = request;
  failing.on_text = [](std::string_view) { throw std::bad_alloc(); };
  std::promise<void> gate;
  engine_thread.post([&](Engine&) { gate.get_future().wait(); });
  engine_thread.submit(request, found.take(0));
  engine_thread.submit(failing, found.take(1));
  gate.set_value();
  found.wait_for(2);
  for (const size_t idx : {0, 1}) {
    ASSERT_FALSE(found[idx]);
    EXPECT_EQ(found[idx].error().code, ErrorCode::out_of_memory);
  }
  EXPECT_EQ(engine_thread.run([](Engine& all) { return all.kv().bytes_used(); }), 0U);
  std::string text;
  request.on_text = [&](std::string_view piece) { text += piece; };
  engine_thread.submit(request, found.take(2));
  found.wait_for(3);
  ASSERT_TRUE(found[2]);
  EXPECT_EQ(found[2]->text, expected.text);
  EXPECT_EQ(text, expected.text);
}

}  // namespace
}  // namespace ogas
