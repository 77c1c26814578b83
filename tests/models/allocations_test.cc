// While requests decode, a step of the scheduler does not allocate, on any thread: memory is allocated when a request
// is submitted, and for a step that is larger than all before. These allocate now and then:
//
// - A request that begins a page of the KV cache: the entry in its list, and the prefix cache's entry of the full page.
// One
//   that begins a part of 1,024 positions (kAttendPart): that part's sums.
// - A thread that takes part in an operation for the first time: its own scratch.
// - An answer without max_tokens, or of long tokens: it doubles its capacity. So does DRY over the whole sequence. The
// lists
//   of most probable tokens that n_logprobs asks for are part of the answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "base/allocation_test_counter.h"
#include "engine/logits_test_tools.h"
#include "engine/model_test_tools.h"
#include "engine/scheduler.h"

namespace ogas {
namespace {

constexpr size_t kPage = KvLayout::kPagePositions;
constexpr size_t kRequests = 4;
// Prompts of 8 to 11 tokens are computed in the first step: from one of these steps on all requests write into the
// middle of a page, for kQuiet steps.
constexpr size_t kQuietFrom[] = {60, 60 + kPage, 60 + 2 * kPage};
constexpr size_t kQuiet = 56;

// Blocks that each step allocated, with as many requests at once as fit with three pages or more each.
std::vector<size_t> blocks_of_steps(Engine& engine, const Request& request, size_t n_steps) {
  Scheduler scheduler(engine, {.max_delay = 0});
  for (size_t idx = 0; idx < kRequests; ++idx) {
    Request one = request;
    one.max_tokens = static_cast<uint32_t>(n_steps) + 1;
    one.ignore_eos = true;
    one.sampling.seed = idx;
    for (size_t n = 0; n < 8 + idx; ++n) one.prompt.push_back(static_cast<TokenId>(10 + 7 * idx + n));
    EXPECT_TRUE(scheduler.submit(one, [](const Result<Answer>&) {}));
  }
  std::vector<size_t> blocks(n_steps);
  for (size_t& n : blocks) {
    const test::AllocationCount taken;
    EXPECT_TRUE(scheduler.step());
    n = taken.n();
  }
  EXPECT_EQ(scheduler.n_running(), kRequests);
  return blocks;
}

size_t sum(std::span<const size_t> values) { return std::accumulate(values.begin(), values.end(), size_t{0}); }

std::span<const size_t> quiet(std::span<const size_t> blocks, size_t from) { return blocks.subspan(from, kQuiet); }

struct Way {
  std::string name;
  SamplingOptions sampling;
};

std::vector<Way> ways_to_sample() {
  return {
      {"greedy", {.temperature = 0}},
      {"usual", {.temperature = 1, .repetition_penalty = 1.1F}},  // and top-k, top-p, min-p
      {"nucleus", {.temperature = 1, .top_k = 0, .frequency_penalty = 0.1F, .report_logprob = true}},
      {"all", {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .xtc_probability = 0.5F}},
      {"typical", {.temperature = 1, .top_k = 0, .typical_p = 0.9F}},
      {"dry", {.temperature = 1, .dry_multiplier = 0.8F, .dry_penalty_last_n = 64}},
      {"mirostat", {.temperature = 1, .mirostat = 2}},
      {"restricted",
       {.temperature = 1, .logit_bias = {{3, 1.0F}}, .banned_tokens = {5}, .required_tokens = {3, 4, 5, 6}}},
  };
}

class Allocations : public ::testing::TestWithParam<std::string> {
 protected:
  static constexpr size_t kSteps = 244;  // nearly all of the context

  void SetUp() override {
    if (load(1)->isa() == "reference") GTEST_SKIP() << "the reference is for reading";
  }

  static std::unique_ptr<Engine> load(unsigned n_threads) {
    auto engine =
        Engine::load(testing::kArchitectures / GetParam(), {.n_ctx = 256, .n_batch = 48, .n_threads = n_threads});
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? *std::move(engine) : nullptr;
  }
};

TEST_P(Allocations, NoneInAStepThatDecodes) {
  const auto engine = load(1);
  for (const auto& [name, sampling] : ways_to_sample()) {
    const auto blocks = blocks_of_steps(*engine, {.sampling = sampling}, kSteps);
    const auto at_page = std::span(blocks).subspan(kQuietFrom[0] + kQuiet, kPage - kQuiet);
    for (const size_t from : kQuietFrom) EXPECT_EQ(sum(quiet(blocks, from)), 0U) << name << ", from step " << from;
    EXPECT_LE(sum(at_page), kRequests * 8) << name;
  }
}

// A thread may get its first chunk of some kind late, and allocate for it, but not again and again.
TEST_P(Allocations, NoneOnSeveralThreads) {
  const auto engine = load(2);
  const Request request{.sampling = {.temperature = 1, .repetition_penalty = 1.1F}};
  size_t min = SIZE_MAX;
  for (int run = 0; run < 20 && min > 0; ++run) {
    const auto blocks = blocks_of_steps(*engine, request, kSteps);
    for (const size_t from : kQuietFrom) min = std::min(min, sum(quiet(blocks, from)));
  }
  EXPECT_EQ(min, 0U);
}

INSTANTIATE_TEST_SUITE_P(All, Allocations, ::testing::ValuesIn(testing::all_architectures()),
                         [](const auto& test) { return test.param; });

// With a tokenizer there is text, of which stop strings hold some back.
TEST(AllocationsOfText, NoneInAStepThatDecodes) {
  const auto engine = testing::load_default_model({.n_ctx = 256, .n_batch = 48, .n_threads = 1});
  ASSERT_NE(engine, nullptr);
  if (engine->isa() == "reference") GTEST_SKIP() << "the reference is for reading";
  size_t n_bytes = 0;
  const Request request{.sampling = {.temperature = 1, .repetition_penalty = 1.1F},
                        .stop = {"never in this text", "\n\n\n\n\n\n"},
                        .on_text = [&](std::string_view text) { n_bytes += text.size(); }};
  const auto blocks = blocks_of_steps(*engine, request, kQuietFrom[0] + kQuiet);
  EXPECT_EQ(sum(quiet(blocks, kQuietFrom[0])), 0U);
  EXPECT_GT(n_bytes, 400U);
}

}  // namespace
}  // namespace ogas
