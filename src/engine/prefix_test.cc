// Prompts with a common prefix: what one request computed is not computed again by the next, in this process or a later
// one, and no answer changes.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <random>

#include "engine/answers_test_tools.h"
#include "engine/engine_core.h"
#include "engine/logits_test_tools.h"
#include "engine/scheduler.h"

namespace ogas {
namespace {

namespace fs = std::filesystem;
using testing::answer_alone, testing::expect_beginning;

class PrefixTest : public ::testing::TestWithParam<std::string> {
 protected:
  PrefixTest() {
    std::string name = fs::temp_directory_path() / "ogas-prefix-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~PrefixTest() override { fs::remove_all(folder_); }

  std::unique_ptr<Engine> load(bool with_disk) const {
    EngineOptions options{.n_ctx = 512, .n_batch = 48, .n_threads = 2};
    if (with_disk) {
      options.prefix_folder = folder_;
      options.prefix_cache = 1 << 30;
    }
    return Engine::load(testing::kArchitectures / GetParam(), options).value();
  }
  // Prompts of which the first n_alike tokens are the same.
  std::vector<Request> requests(const Engine& engine, size_t n, size_t n_alike) {
    std::mt19937 random(7);
    std::uniform_int_distribution<TokenId> any(0, static_cast<TokenId>(engine.facts().n_vocab) - 1);
    std::vector<TokenId> alike(n_alike);
    for (TokenId& token : alike) token = any(random);
    std::vector<Request> all(n);
    for (Request& request : all) {
      request = {.prompt = alike, .max_tokens = 80, .ignore_eos = true};
      request.sampling = {.temperature = 0, .report_logprob = true};
      for (size_t more = 1 + random() % 90; more > 0; --more) request.prompt.push_back(any(random));
    }
    return all;
  }
  // Tokens of a prompt that the same prompt finds again. With recurrent layers those up to its last snapshot.
  static size_t n_found_again(const Engine& engine, size_t n_prompt) {
    return (n_prompt - (engine.facts().kv.n_states() > 0 ? 16 : 1)) / 64 * 64;
  }
  static void expect_same(const Answer& found, const Answer& expected) {
    ASSERT_EQ(found.tokens.size(), expected.tokens.size());
    expect_beginning(found, expected);
  }

  fs::path folder_;
};

TEST_P(PrefixTest, AnswersAreTheSameColdWarmAndRestored) {
  constexpr size_t kAlike = 150, kShared = 128;  // whole pages of 64
  const std::vector<Request> all = requests(*load(false), 5, kAlike);
  std::vector<Answer> cold;
  for (const Request& request : all) {
    cold.push_back(answer_alone(*load(false), request));
    EXPECT_EQ(cold.back().stats.n_cached, 0U);
  }
  {
    const auto engine = load(true);
    for (size_t idx = 0; idx < all.size(); ++idx) {
      const Answer warm = answer_alone(*engine, all[idx]);
      // With recurrent layers the second one finds out where they part.
      EXPECT_GE(warm.stats.n_cached, idx < (engine->facts().kv.n_states() > 0 ? 2 : 1) ? 0 : kShared);
      expect_same(warm, cold[idx]);
    }
    engine->kv().flush_prefixes();
  }
  const auto engine = load(true);
  for (size_t idx = all.size(); idx-- > 0;) {
    const Answer restored = answer_alone(*engine, all[idx]);
    EXPECT_EQ(restored.stats.n_cached, n_found_again(*engine, all[idx].prompt.size()));
    expect_same(restored, cold[idx]);
  }
  // A prompt that continues an answer, as the next turn of a conversation does.
  Request next = all[0];
  next.prompt.insert(next.prompt.end(), cold[0].tokens.begin(), cold[0].tokens.end());
  next.prompt.push_back(1);
  const Answer turn = answer_alone(*engine, next);
  EXPECT_GE(turn.stats.n_cached, engine->kv().reuses_generated() ? (next.prompt.size() - 2) / 64 * 64
                                                                 : n_found_again(*engine, all[0].prompt.size()));
  expect_same(turn, answer_alone(*load(false), next));
}

// 32 at once, with nothing remembered, with all of it, and with what is found on disk.
TEST_P(PrefixTest, ManyAtOnceGetTheAnswersTheyGetAlone) {
  std::vector<Request> all = requests(*load(false), 32, 150);
  std::vector<Answer> alone;
  for (size_t idx = 0; idx < all.size(); ++idx) {
    all[idx].max_tokens = 20;
    if (idx % 4 == 0) all[idx].prompt[0] = static_cast<TokenId>(idx % 3);  // some begin otherwise
    alone.push_back(answer_alone(*load(false), all[idx]));
  }
  size_t n_cached_cold = 0;
  for (int start = 0; start < 2; ++start) {
    const auto engine = load(true);
    for (int round = 0; round < 2; ++round) {
      Scheduler scheduler(*engine);
      size_t n_done = 0, n_cached = 0;
      for (size_t idx = 0; idx < all.size(); ++idx)
        ASSERT_TRUE(scheduler.submit(all[idx], [&, idx](Result<Answer> found) {
          ASSERT_TRUE(found) << found.error().message;
          expect_same(*found, alone[idx]);
          n_cached += found->stats.n_cached;
          ++n_done;
        }));
      while (scheduler.step()) {
      }
      EXPECT_EQ(n_done, all.size());
      if (start == 0 && round == 0)
        n_cached_cold = n_cached;
      else
        EXPECT_GT(n_cached, n_cached_cold);
    }
    engine->kv().flush_prefixes();
  }
}

TEST_P(PrefixTest, DamagedFilesChangeNoAnswer) {
  const std::vector<Request> all = requests(*load(false), 1, 200);
  const Answer cold = answer_alone(*load(false), all[0]);
  {
    const auto engine = load(true);
    answer_alone(*engine, all[0]);
    engine->kv().flush_prefixes();
  }
  std::mt19937 random(3);
  for (int round = 0; round < 4; ++round) {
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      if (!entry.is_regular_file() || random() % 2 == 0) continue;
      FILE* file = std::fopen(entry.path().c_str(), "r+");
      std::fseek(file, static_cast<long>(random() % entry.file_size()), SEEK_SET);
      std::fputc(static_cast<int>(random() & 0xFF), file);
      std::fclose(file);
    }
    const auto engine = load(true);
    expect_same(answer_alone(*engine, all[0]), cold);
    engine->kv().flush_prefixes();
  }
}

INSTANTIATE_TEST_SUITE_P(All, PrefixTest,
                         ::testing::Values("llama", "qwen3_moe", "gpt_oss", "deepseek_v2_lite", "deepseek_v32",
                                           "gemma3_text", "qwen3_next", "qwen3_5"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ogas
