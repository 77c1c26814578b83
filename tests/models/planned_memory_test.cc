// What a pass takes for intermediate results is what the memory plan says: every block's scratch for tiny models of all
// architectures, and the memory that the process comes to hold for a long prompt of latent attention.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "arch/registry.h"
#include "base/memory.h"
#include "engine/logits_test_tools.h"
#include "engine/memory_plan.h"
#include "engine/model_kernels.h"
#include "kernels/dispatch.h"
#include "nn/packed_weights.h"
#include "ops/cpu/local_exec.h"
#include "synth/synthetic_model.h"

namespace ogas {
namespace {

class PlannedScratch : public ::testing::TestWithParam<std::string> {};

// A prompt in batches, and tokens one by one, from a position on that is not in the first part of what is attended to.
TEST_P(PlannedScratch, HoldsWhatPassesTake) {
  constexpr size_t kBefore = 2500, kBatch = 24, kDecoded = 3;
  const auto file = TensorFile::open(testing::kArchitectures / GetParam());
  ASSERT_TRUE(file) << file.error().message;
  for (const CpuKernels* kernels : available_kernels()) {
    for (const unsigned n_threads : {1U, 3U}) {
      auto model = create_model(*file);
      ASSERT_TRUE(model) << model.error().message;
      ThreadPool pool(n_threads);
      Scratch scratch(n_threads);
      LocalExec exec(pool, *kernels, scratch);
      KvCache cache((*model)->facts().kv);
      KvSequence kv(cache);
      kv.extend(kBefore);
      const std::vector<TokenId> tokens(kBatch, 7);
      const auto forward = [&](size_t n, RowKind kind) {
        const BatchPart part{.tokens = std::span(tokens).first(n), .kv = &kv, .kind = kind};
        (*model)->forward(exec, {&part, 1});
      };
      forward(kBatch, RowKind::prefill);
      for (size_t idx = 0; idx < kDecoded; ++idx) forward(1, RowKind::decode);
      const ScratchBytes planned = (*model)->scratch_bytes({.kernels = *kernels,
                                                            .n_threads = n_threads,
                                                            .kv_format = Format::f16,
                                                            .n_ctx = kBefore + kBatch + kDecoded,
                                                            .n_batch = kBatch});
      EXPECT_LE(scratch.peak_bytes().shared, planned.shared) << kernels->name << ", " << n_threads << " threads";
      EXPECT_LE(scratch.peak_bytes().per_thread, planned.per_thread)
          << kernels->name << ", " << n_threads << " threads";
      EXPECT_GT(scratch.peak_bytes().per_thread, 0U);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, PlannedScratch, ::testing::ValuesIn(testing::all_architectures()),
                         [](const auto& test) { return test.param; });

// The sizes of DeepSeek-V2-Lite's attention in one narrow layer with experts.
class LatentModel {
 public:
  LatentModel() {
    ModelShape shape = *find_shape("deepseek-v2-lite");
    shape.n_layer = 1;
    shape.n_embd = 512;
    shape.n_dense = 0;
    shape.n_ff = 256;
    shape.n_expert = 8;
    shape.n_expert_used = shape.n_expert_shared = 1;
    shape.n_ff_exp = 256;
    const auto model = SyntheticModel::create(shape, {});
    EXPECT_TRUE(model) << model.error().message;
    std::ofstream out(path_, std::ios::binary);
    out << model->header();
    std::vector<std::byte> bytes;
    for (const auto& piece : model->pieces()) {
      bytes.resize(piece.n_bytes);
      model->fill(piece, bytes);
      out.seekp(static_cast<std::streamoff>(model->offset_of(piece)));
      out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
  }
  ~LatentModel() { std::filesystem::remove(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / fmt::format("ogas_planned_memory_{}.gguf", ::getpid());
};

// Resets peak_resident() to what the process holds.
void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

uint64_t peak_resident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) << 10;
  return 0;
}

// A model, the plan of its memory, and a sequence whose last n_batch positions are still to be computed.
class PlannedMemory : public ::testing::Test {
 protected:
  static constexpr uint32_t kThreads = 2;

  void open(const std::filesystem::path& path, uint32_t n_ctx, uint32_t n_batch) {
    auto opened = TensorFile::open(path);
    ASSERT_TRUE(opened) << opened.error().message;
    file_.emplace(*std::move(opened));
    auto created = create_model(*file_);
    ASSERT_TRUE(created) << created.error().message;
    model_ = *std::move(created);
    kernels_ = kernels_for(*model_, **choose_kernels());
    auto plan = plan_memory(*model_, kernels_, {.n_ctx = n_ctx, .n_batch = n_batch, .n_threads = kThreads});
    ASSERT_TRUE(plan) << plan.error().message;
    planned_ = plan->batch_bytes;
    cache_.emplace(kv_layout(model_->facts(), plan->options));
    kv_.emplace(*cache_);
    kv_->extend(n_ctx - n_batch);
    tokens_.assign(n_batch, 7);
    part_ = {.tokens = tokens_, .kv = &*kv_};
  }
  // Memory that is touched here is not counted as taken by a pass.
  void touch_pages() {
    for (std::byte* page : kv_->pages(KvStreamId{0})) std::memset(page, 0, cache_->layout().page_bytes());
  }

  std::optional<TensorFile> file_;
  std::unique_ptr<Model> model_;
  CpuKernels kernels_;
  uint64_t planned_ = 0;
  ThreadPool pool_{kThreads};
  Scratch scratch_{kThreads};
  LocalExec exec_{pool_, kernels_, scratch_};
  std::optional<KvCache> cache_;
  std::optional<KvSequence> kv_;
  std::vector<TokenId> tokens_;
  BatchPart part_;
};

// The last batch of a prompt of 32k tokens takes the most. The tokens before it are in the cache already.
TEST_F(PlannedMemory, OfALongPromptOfLatentAttentionIsWhatItTakes) {
  const LatentModel file_of_model;
  ASSERT_NO_FATAL_FAILURE(open(file_of_model.path(), 32768, 128));
  touch_pages();
  for (const MappedFile& shard : file_->shards()) ASSERT_TRUE(shard.populate(shard.bytes()));
  const PackedWeights::Mapping mapping{.read = [](std::span<const std::byte>) { return Result<>(); },
                                       .release = [](std::span<const std::byte>) {}};
  PackedWeights packed(kernels_, model_->linears());
  ASSERT_TRUE(packed.pack(pool_, mapping, nullptr));

  reset_peak();
  const uint64_t before = peak_resident();
  model_->forward(exec_, {&part_, 1});
  const auto taken = static_cast<double>(peak_resident() - before), planned = static_cast<double>(planned_);
  EXPECT_LE(taken, planned * 1.03) << format_bytes(planned_);
  EXPECT_GE(taken, planned * 0.97) << format_bytes(planned_);
}

// A pass and what the head that predicts further tokens makes of each of its rows.
TEST_F(PlannedMemory, HoldsAnMtpHead) {
  constexpr uint32_t kBatch = 8192;
  ASSERT_NO_FATAL_FAILURE(open(testing::kArchitectures / "qwen3_5", kBatch, kBatch));
  ASSERT_EQ(model_->facts().n_mtp, 1U);
  kv_->extend(kBatch);
  touch_pages();

  reset_peak();
  const uint64_t before = peak_resident();
  auto pass = model_->forward(exec_, {&part_, 1});
  ASSERT_TRUE(pass) << pass.error().message;
  const auto without = static_cast<double>(peak_resident() - before);
  ASSERT_TRUE(pass->draft({.part_idx = 0, .tokens = tokens_}));
  const auto taken = static_cast<double>(peak_resident() - before), planned = static_cast<double>(planned_);
  EXPECT_LE(taken, planned * 1.03) << format_bytes(planned_) << ", of the pass alone " << without;
  EXPECT_GT(taken, without * 1.1) << "the head takes nothing";
}

}  // namespace
}  // namespace ogas
