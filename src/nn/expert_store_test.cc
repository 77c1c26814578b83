// Experts that are read from disk when tokens need them give the same bits as experts in memory.
#include "nn/expert_store.h"
#include "engine/engine_core.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "arch/registry.h"
#include "engine/logits_test_tools.h"
#include "engine/memory_limit.h"
#include "kernels/dispatch.h"
#include "ops/cpu/local_exec.h"

namespace ogas {
namespace {

using testing::kArchitectures;
using testing::logits_of;

class ExpertStoreTest : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { ::unsetenv("OGAS_ISA"); }
  std::filesystem::path folder() const { return kArchitectures / GetParam(); }
  nlohmann::json golden() const { return testing::read_json((folder() / "golden.json").string()); }
  std::vector<std::filesystem::path> models() const {
    if (golden().value("has_gguf", true)) return {folder(), folder() / "model.gguf"};
    return {folder()};
  }
  static std::unique_ptr<Engine> load(const std::filesystem::path& path, std::optional<uint64_t> budget,
                                      unsigned n_threads = 2) {
    auto engine = Engine::load(path, {.n_threads = n_threads, .expert_cache = budget});
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? *std::move(engine) : nullptr;
  }
};

TEST_P(ExpertStoreTest, BitsAreThoseOfExpertsInMemory) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  for (const CpuKernels* kernels : {available_kernels().front(), available_kernels().back()}) {
    ::setenv("OGAS_ISA", std::string(kernels->name).c_str(), 1);
    for (const std::filesystem::path& path : models()) {
      const auto resident = load(path, std::nullopt);
      ASSERT_NE(resident, nullptr);
      EXPECT_EQ(resident->experts(), nullptr);
      const auto all = load(path, uint64_t{1} << 40);
      ASSERT_NE(all, nullptr);
      ASSERT_NE(all->experts(), nullptr);
      for (const uint32_t batch : {256U, 1U, 7U}) {
        const auto expected = logits_of(*resident, prompt, batch).values;
        for (const uint64_t budget : {uint64_t{0}, all->experts()->n_bytes() / 2, all->experts()->n_bytes()}) {
          for (const unsigned n_threads : {1U, 3U}) {
            SCOPED_TRACE(fmt::format("{}, {}, batches of {}, {} bytes, {} threads", path.string(), kernels->name, batch,
                                     budget, n_threads));
            const auto streamed = load(path, budget, n_threads);
            ASSERT_NE(streamed, nullptr);
            for (int round = 0; round < 2; ++round) EXPECT_EQ(logits_of(*streamed, prompt, batch).values, expected);
            const ExpertStore::Stats stats = streamed->experts()->stats();
            EXPECT_GT(stats.n_uses, 0U);
            EXPECT_LE(stats.n_hits, stats.n_uses);
            if (streamed->experts()->n_slots() == 0) {
              EXPECT_EQ(stats.n_hits, 0U) << "there are no slots";
            }
          }
        }
      }
    }
  }
}

TEST_P(ExpertStoreTest, WhatFitsIsReadOnce) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  const auto engine = load(folder(), uint64_t{1} << 40);
  ASSERT_NE(engine, nullptr);
  logits_of(*engine, prompt);
  const uint64_t n_bytes = engine->experts()->stats().n_bytes;
  EXPECT_GT(n_bytes, 0U);
  EXPECT_EQ(engine->experts()->n_slots(), engine->experts()->n_experts());
  logits_of(*engine, prompt);
  EXPECT_EQ(engine->experts()->stats().n_bytes, n_bytes);
}

TEST_P(ExpertStoreTest, FewerExpertsAreAnotherAnswerAndTheSameFromDisk) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  const auto whole = load(folder(), std::nullopt);
  ASSERT_NE(whole, nullptr);
  const uint32_t n_used = whole->facts().n_expert_used;
  const auto too_many = Engine::load(folder(), {.n_expert_used = n_used + 1});
  ASSERT_FALSE(too_many);
  EXPECT_EQ(too_many.error().code, ErrorCode::usage);
  if (n_used == 1) GTEST_SKIP() << "a token takes one expert";
  auto in_memory = Engine::load(folder(), {.n_threads = 2, .n_expert_used = n_used - 1});
  auto on_disk = Engine::load(folder(), {.n_threads = 2, .expert_cache = 0, .n_expert_used = n_used - 1});
  ASSERT_TRUE(in_memory && on_disk);
  const ModelFacts &facts = (*in_memory)->facts(), &own = whole->facts();
  EXPECT_EQ(facts.n_expert_used, n_used - 1);
  EXPECT_EQ(facts.n_expert_used_min, n_used - 1);
  EXPECT_EQ(facts.n_expert_trained, n_used);
  EXPECT_LT(facts.n_params_active, own.n_params_active);
  EXPECT_LT((*in_memory)->linears_of_token().size(), whole->linears_of_token().size());
  const auto fewer = logits_of(**in_memory, prompt).values;
  EXPECT_NE(fewer, logits_of(*whole, prompt).values);
  EXPECT_EQ(fewer, logits_of(**on_disk, prompt).values);
}

TEST_P(ExpertStoreTest, LightExpertsCanBeLeftOut) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  const auto whole = load(folder(), std::nullopt);
  ASSERT_NE(whole, nullptr);
  const auto all = logits_of(*whole, prompt).values;
  const auto with = [&](float min, std::optional<uint64_t> budget, uint32_t batch) {
    auto engine = Engine::load(folder(), {.expert_cache = budget, .min_expert_weight = min});
    EXPECT_TRUE(engine) << engine.error().message;
    return logits_of(**engine, prompt, batch).values;
  };
  EXPECT_EQ(with(1e-9F, std::nullopt, 256), all) << "none is as light";
  const auto best_alone = with(0.999F, std::nullopt, 256);
  if (whole->facts().n_expert_used > 1) {
    EXPECT_NE(best_alone, all);
  }
  EXPECT_EQ(with(0.999F, 0, 7), best_alone) << "whatever the batch, and from disk";
  EXPECT_FALSE(Engine::load(folder(), {.min_expert_weight = 1.5F}));
}

TEST_P(ExpertStoreTest, MirrorsAndPrefetchChangeNoBit) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  const auto resident = load(folder(), std::nullopt);
  ASSERT_NE(resident, nullptr);
  const auto expected = logits_of(*resident, prompt, 1).values;
  const auto all = load(folder(), uint64_t{1} << 40);
  ASSERT_NE(all, nullptr);
  for (const ExpertPrefetch expert_prefetch : {ExpertPrefetch::on, ExpertPrefetch::off}) {
    auto streamed = Engine::load(folder(), {.n_threads = 2,
                                            .expert_cache = all->experts()->n_bytes() / 2,
                                            .expert_prefetch = expert_prefetch,
                                            .mirrors = {folder(), folder()}});
    ASSERT_TRUE(streamed) << streamed.error().message;
    EXPECT_EQ(logits_of(**streamed, prompt, 1).values, expected);
    const ExpertStore::Stats stats = (*streamed)->experts()->stats();
    EXPECT_LE(stats.n_prefetch_hits, stats.n_prefetched);
    if (expert_prefetch == ExpertPrefetch::off) {
      EXPECT_EQ(stats.n_prefetched, 0U);
    }
  }
  const auto without = Engine::load(folder(), {.expert_cache = 0, .mirrors = {"/nonexistent"}});
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, ErrorCode::not_found);
}

// A copy of the model that is changed while it is in use.
class ExpertFaultsTest : public ExpertStoreTest {
 protected:
  void SetUp() override {
    copy_ = std::filesystem::temp_directory_path() / fmt::format("ogas_experts_{}_{}", ::getpid(), GetParam());
    std::filesystem::create_directories(copy_);
    for (const auto& entry : std::filesystem::directory_iterator(folder()))
      if (entry.is_regular_file()) std::filesystem::copy(entry, copy_ / entry.path().filename());
  }
  void TearDown() override {
    std::filesystem::remove_all(copy_);
    ExpertStoreTest::TearDown();
  }
  std::filesystem::path weights() const {
    for (const auto& entry : std::filesystem::directory_iterator(copy_))
      if (entry.path().extension() == ".safetensors") return entry.path();
    return {};
  }
  std::filesystem::path copy_;
};

// A store of its own under the model, whose reads are slow now and then, so that some are under way between two passes.
class ExpertMemoryTest : public ExpertStoreTest {
 protected:
  static int64_t slow_read(int fd, void* buffer, size_t n, uint64_t offset) {
    static std::atomic<unsigned> n_reads{0};
    if (++n_reads % 3 == 0) ::usleep(2000);
    return ::pread(fd, buffer, n, static_cast<off_t>(offset));
  }
  void SetUp() override {
    auto file = TensorFile::open(folder());
    ASSERT_TRUE(file) << file.error().message;
    file_ = *std::move(file);
    auto model = create_model(file_);
    ASSERT_TRUE(model) << model.error().message;
    model_ = *std::move(model);
    bytes_ = ExpertStore::bytes_for(model_->moes(), kernels_);
    auto store = ExpertStore::create(
        file_, model_->moes(), pool_, kernels_,
        {.budget = bytes_.all,
         .expert_prefetch = ExpertPrefetch::on,
         .disk = {.backend = DirectReader::Backend::pread, .depth = 4, .pread_for_tests = slow_read}});
    ASSERT_TRUE(store) << store.error().message;
    store_ = *std::move(store);
    cache_ = std::make_unique<KvCache>(model_->facts().kv, uint64_t{1} << 30);
    prompt_ = golden()["prompt"].get<std::vector<TokenId>>();
  }
  // Logits after each token, one by one.
  std::vector<float> run(const std::function<void(size_t)>& between = {}) {
    KvSequence kv(*cache_);
    std::vector<float> all;
    LocalExec exec(pool_, kernels_, scratch_);
    for (size_t idx = 0; idx < prompt_.size(); ++idx) {
      if (between) between(idx);
      const BatchPart part{.tokens = std::span(prompt_).subspan(idx, 1), .kv = &kv};
      const auto pass = model_->forward(exec, {&part, 1});
      EXPECT_TRUE(pass) << pass.error().message;
      if (pass) all.insert(all.end(), pass->logits().begin(), pass->logits().end());
    }
    return all;
  }

  const CpuKernels& kernels_ = *available_kernels().back();
  ThreadPool pool_{2};
  TensorFile file_;
  std::unique_ptr<Model> model_;
  ExpertStore::Bytes bytes_{};
  std::unique_ptr<ExpertStore> store_;
  std::unique_ptr<KvCache> cache_;
  Scratch scratch_{2};
  std::vector<TokenId> prompt_;
};

TEST_P(ExpertMemoryTest, AnotherBudgetChangesNoBit) {
  const auto expected = run();
  EXPECT_EQ(store_->n_slots(), store_->n_experts());
  const uint64_t n_bytes = store_->n_bytes(), slots = bytes_.slots;
  const std::array budgets = {n_bytes - slots / 3, n_bytes - slots * 2 / 3, uint64_t{0}, n_bytes - slots / 2, n_bytes};
  for (const uint64_t budget : budgets) {
    store_->set_budget(budget);
    EXPECT_LE(store_->n_bytes(), std::max(budget, n_bytes - slots));
    EXPECT_EQ(store_->n_slots() == 0, budget == 0);
    EXPECT_EQ(run(), expected) << budget;
    const auto before = store_->stats();
    EXPECT_EQ(run(), expected) << budget << " again";
    const auto after = store_->stats();
    if (budget == n_bytes) {
      EXPECT_EQ(after.n_hits - before.n_hits, after.n_uses - before.n_uses) << "as it was";
    } else if (budget == 0) {
      EXPECT_EQ(after.n_hits, before.n_hits);
    }
  }
  EXPECT_EQ(run([&](size_t idx) { store_->set_budget(budgets[idx % budgets.size()]); }), expected);
}

TEST_P(ExpertMemoryTest, WhatStaysIsNotReadAgain) {
  run();
  store_->set_budget(store_->n_bytes() - bytes_.slots / 2);
  EXPECT_LT(store_->n_slots(), store_->n_experts());
  const auto before = store_->stats();
  run();
  const auto after = store_->stats();
  EXPECT_GT(after.n_hits, before.n_hits);
}

TEST_P(ExpertMemoryTest, FollowsTheLimit) {
  const auto group = std::filesystem::temp_directory_path() / fmt::format("ogas_group_{}_{}", ::getpid(), GetParam());
  std::filesystem::create_directories(group);
  const auto write = [&](const char* name, uint64_t value) {
    ASSERT_TRUE(write_file_atomically(group / name, std::to_string(value)));
  };
  constexpr uint64_t kOther = 1000, kUsed = 300;
  const uint64_t all = store_->n_bytes(), enough = kUsed + kOther + all;
  write("memory.current", kUsed);
  write("memory.max", enough + 7);
  MemoryLimit memory_limit({.weight_bytes = kOther / 2, .expert_bytes = all, .context_bytes = kOther / 2},
                           MemoryWatch({&group, 1}));
  const auto expected = run();
  const auto slots_at = [&](uint64_t limit) {
    write("memory.max", limit);
    memory_limit.follow_now(*store_);
    EXPECT_EQ(run(), expected) << limit;
    return store_->n_slots();
  };
  EXPECT_EQ(slots_at(enough), store_->n_experts()) << "it had not planned to take more";
  EXPECT_LT(slots_at(enough - 1), store_->n_experts());
  EXPECT_LE(store_->n_bytes(), all - 1);
  const uint64_t half = slots_at(enough - bytes_.slots / 2);
  EXPECT_GT(half, 0U);
  EXPECT_LE(store_->n_bytes(), all - bytes_.slots / 2);
  EXPECT_EQ(slots_at(1), 0U) << "what a pass needs is left";
  EXPECT_EQ(slots_at(enough - bytes_.slots / 2), half);
  EXPECT_EQ(slots_at(enough + 7), store_->n_experts());
  std::filesystem::remove_all(group);
}

TEST_P(ExpertFaultsTest, AFileThatIsWrittenToIsAnError) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  const auto engine = load(copy_, 0);
  ASSERT_NE(engine, nullptr);
  auto session = engine->new_session();
  ASSERT_TRUE(engine->extend(*session, std::span(prompt).first(3)));
  std::fstream file(weights(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('x').flush();
  const auto after = engine->extend(*session, std::span(prompt).subspan(3, 1));
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, ErrorCode::io);
  EXPECT_NE(after.error().message.find(weights().filename().string()), std::string::npos) << after.error().message;
  EXPECT_EQ(session->tokens.size(), 3U) << "the session is as it was";
}

TEST_P(ExpertFaultsTest, AFileThatIsReplacedGoesOnAsItWas) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  const auto engine = load(copy_, 0);
  ASSERT_NE(engine, nullptr);
  const auto before = logits_of(*engine, prompt).values;
  const std::filesystem::path other = copy_ / "other";
  std::ofstream(other) << "something else";
  std::filesystem::rename(other, weights());
  EXPECT_EQ(logits_of(*engine, prompt).values, before);
}

// Wherever it is stopped, also while experts are brought back that earlier runs took: their counts stay.
TEST_P(ExpertFaultsTest, LoadingThatIsStoppedLeavesTheCountsAsTheyWere) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  const auto memory = copy_ / "counts";
  const EngineOptions options{.n_threads = 2, .expert_cache = uint64_t{1} << 40, .experts_folder = memory};
  const auto load_until = [&](size_t n, size_t& n_calls) {
    n_calls = 0;
    return Engine::load(copy_, options, [&](double) { return ++n_calls < n; });
  };
  const auto counts = [&] {
    std::string text;
    for (const auto& entry : std::filesystem::directory_iterator(memory)) {
      std::ifstream file(entry.path(), std::ios::binary);
      text.append(std::istreambuf_iterator<char>(file), {});
    }
    return text;
  };
  // Shares of progress never decrease.
  double last = 0;
  const auto load_watched = [&] {
    last = 0;
    return Engine::load(copy_, options, [&](double share) {
      EXPECT_GE(share, last);
      EXPECT_LE(share, 1);
      last = share;
      return true;
    });
  };
  size_t n_calls = 0;
  {
    auto engine = load_until(SIZE_MAX, n_calls);
    ASSERT_TRUE(engine) << engine.error().message;
    logits_of(**engine, prompt);
  }
  const size_t n_without = n_calls;
  ASSERT_TRUE(load_watched());
  EXPECT_GT(last, 0);
  ASSERT_TRUE(load_until(SIZE_MAX, n_calls));
  const size_t n_all = n_calls;
  ASSERT_GT(n_all, n_without) << "experts are brought back";
  const std::string expected = counts();
  ASSERT_FALSE(expected.empty());
  for (size_t n = 1; n <= n_all; ++n) {
    const auto stopped = load_until(n, n_calls);
    if (n > n_without + 1 && n_calls < n) break;  // several experts came at a time, and that was all
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);
    EXPECT_EQ(n_calls, n);
    ASSERT_EQ(counts(), expected) << "stopped at call " << n << " of " << n_all;
  }
}

// Reads that fail from the n-th one on.
std::atomic<int> n_reads_until_failure{0};
int64_t read_or_fail(int fd, void* buffer, size_t n, uint64_t offset) {
  if (n_reads_until_failure.fetch_sub(1) <= 0) {
    errno = EIO;
    return -1;
  }
  return ::pread(fd, buffer, n, static_cast<off_t>(offset));
}

TEST_P(ExpertFaultsTest, AfterAFailedReadTheNextPassIsRight) {
  const auto file = TensorFile::open(copy_);
  ASSERT_TRUE(file) << file.error().message;
  auto model = create_model(*file);
  ASSERT_TRUE(model) << model.error().message;
  const CpuKernels& kernels = *available_kernels().front();
  ThreadPool pool(2);
  auto store = ExpertStore::create(
      *file, (*model)->moes(), pool, kernels,
      {.budget = ExpertStore::bytes_for((*model)->moes(), kernels).min,
       .disk = {.backend = DirectReader::Backend::pread, .depth = 1, .pread_for_tests = read_or_fail}});
  ASSERT_TRUE(store) << store.error().message;
  Scratch scratch(pool.size());
  LocalExec exec(pool, kernels, scratch);
  KvCache cache((*model)->facts().kv, uint64_t{1} << 30);
  const std::vector<TokenId> prompt = golden()["prompt"];
  const auto run = [&]() -> Result<std::vector<float>> {
    KvSequence kv(cache);
    const BatchPart part{.tokens = prompt, .kv = &kv};
    const Pass pass = OGAS_TRY((*model)->forward(exec, {&part, 1}));
    return std::vector<float>(pass.logits().begin(), pass.logits().end());
  };
  n_reads_until_failure = 1 << 30;
  const auto expected = run();
  ASSERT_TRUE(expected) << expected.error().message;
  for (const int n : {0, 1, 7}) {
    n_reads_until_failure = n;
    const auto failed = run();
    ASSERT_FALSE(failed) << n;
    EXPECT_EQ(failed.error().code, ErrorCode::io);
    EXPECT_NE(failed.error().message.find(copy_.string()), std::string::npos) << failed.error().message;
    n_reads_until_failure = 1 << 30;
    const auto after = run();
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ(*after, *expected) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ExpertStoreTest, ::testing::ValuesIn(testing::with_experts()),
                         [](const auto& test) { return test.param; });
INSTANTIATE_TEST_SUITE_P(All, ExpertMemoryTest, ::testing::ValuesIn(testing::with_experts()),
                         [](const auto& test) { return test.param; });
INSTANTIATE_TEST_SUITE_P(All, ExpertFaultsTest, ::testing::ValuesIn(testing::with_experts()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ogas
