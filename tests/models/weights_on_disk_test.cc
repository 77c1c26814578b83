// While a model runs, weights are read from their files by position: failing disks and changed files are errors of the
// pass, and nothing touches the memory maps, where they would be signals.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "engine/logits.h"
#include "engine/logits_test_tools.h"
#include "engine/memory_plan.h"
#include "files/gguf_writer.h"
#include "kernels/dispatch.h"
#include "nn/embeddings.h"
#include "ops/cpu/local_exec.h"

namespace ogas {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::kArchitectures;
using testing::logits_of;

class WeightsOnDiskTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override {
    ::unsetenv("OGAS_ISA");
    fs::remove_all(folder_);
  }
  // A model of tests/data that may be changed.
  fs::path copy_of(const std::string& architecture) const {
    const fs::path copy = folder_ / architecture;
    fs::copy(kArchitectures / architecture, copy);
    return copy;
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("ogas_weights_{}", ::getpid());
};

// From here on a thread that touches these bytes gets a signal, as from a file that was cut short.
void forbid(Bytes bytes) { ASSERT_EQ(::mprotect(const_cast<std::byte*>(bytes.data()), bytes.size(), PROT_NONE), 0); }

// While it lives, reads of this file fail, though it looks as it was: its descriptors are open for writing alone.
class FailingReads {
 public:
  explicit FailingReads(const fs::path& path) {
    const FileDescriptor writing(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const int fd = std::stoi(entry.path().filename());
      if (fd == writing.get() || fs::read_symlink(entry.path(), gone) != fs::canonical(path)) continue;
      saved_.emplace_back(fd, ::dup(fd));
      ::dup2(writing.get(), fd);
    }
  }
  ~FailingReads() {
    for (const auto& [fd, copy] : saved_) {
      ::dup2(copy, fd);
      ::close(copy);
    }
  }
  size_t n_descriptors() const { return saved_.size(); }

 private:
  std::vector<std::pair<int, int>> saved_;
};

constexpr size_t kRows = 37, kIn = 512;

// Row o as floats [kIn], by plain code.
Result<> embed_row(const Embeddings& embeddings, size_t o, float* values) {
  ThreadPool pool(1);
  Scratch scratch(pool.size());
  LocalExec exec(pool, *available_kernels().back(), scratch);
  const auto token = static_cast<int32_t>(o);
  const Matrix row(1, kIn);
  OGAS_TRY(exec.device.embed(embeddings.lookup(), {&token, 1}, /*scale=*/1, row));
  std::copy_n(row.row(0), kIn, values);
  return {};
}

// Rows of arbitrary bytes in every format that GGUF has, a tensor each.
void write_rows(const fs::path& path) {
  GgufWriter writer;
  for (const FormatFacts& facts : all_formats())
    if (facts.ggml_type != kNoGgmlType) writer.add_tensor(facts.name, facts.format, {{kRows, kIn, 1, 1}, 2});
  std::string bytes = writer.header();
  std::mt19937 random(3);
  for (uint64_t i = 0; i < writer.data_bytes(); ++i) bytes += static_cast<char>(random());
  ASSERT_TRUE(write_file_atomically(path, bytes));
}

TEST_F(WeightsOnDiskTest, RowsOfEveryFormatAreThoseOfTheMap) {
  write_rows(folder_ / "rows.gguf");
  const auto file = TensorFile::open(folder_ / "rows.gguf");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_GT(file->tensors().size(), 20U);
  std::vector<std::unique_ptr<Embeddings>> all;
  std::vector<std::vector<float>> expected;
  for (const auto& [name, tensor] : file->tensors()) {
    all.push_back(std::make_unique<Embeddings>());
    all.back()->rows = Linear(tensor.format, tensor.data.data(), kRows, kIn);
    for (const size_t o : {size_t{0}, size_t{20}, kRows - 1})
      all.back()->rows.decode_row(o, expected.emplace_back(kIn).data());
    all.back()->read_from(*file);
    ASSERT_EQ(all.back()->file(), &file->shards().front());
  }
  forbid(file->shards().front().bytes());
  size_t idx = 0;
  for (const auto& embeddings : all) {
    for (const size_t o : {size_t{0}, size_t{20}, kRows - 1}) {
      std::vector<float> row(kIn);
      EXPECT_TRUE(embed_row(*embeddings, o, row.data()));
      EXPECT_EQ(std::memcmp(row.data(), expected[idx++].data(), row.size() * sizeof(float)), 0);  // some are NaN
    }
  }
}

TEST_F(WeightsOnDiskTest, AFileCutShortWhileItIsReadIsAnError) {
  write_rows(folder_ / "rows.gguf");
  const auto file = TensorFile::open(folder_ / "rows.gguf");
  ASSERT_TRUE(file) << file.error().message;
  const TensorInfo& tensor = *file->find("Q8_0");
  const auto offset = static_cast<size_t>(tensor.data.data() - file->shards().front().bytes().data());
  Embeddings embeddings;
  embeddings.rows = Linear(tensor.format, tensor.data.data(), kRows, kIn);
  embeddings.read_from(*file);
  const size_t row_bytes = tensor.data.size() / kRows;
  fs::resize_file(folder_ / "rows.gguf", offset + row_bytes + 10);
  std::vector<float> row(kIn);
  EXPECT_TRUE(embed_row(embeddings, 0, row.data()));
  const Result<> failed = embed_row(embeddings, 1, row.data());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::io);
  EXPECT_THAT(failed.error().message, HasSubstr(fmt::format("rows.gguf': ends at byte {}; {} bytes at {} were expected",
                                                            offset + row_bytes + 10, row_bytes, offset + row_bytes)));
  EXPECT_TRUE(embed_row(embeddings, 0, row.data()));
}

// Its embeddings are not the output matrix, so they stay in the file, from which all else was loaded.
TEST_F(WeightsOnDiskTest, AFailedReadOfEmbeddingsIsAnErrorOfThePass) {
  const fs::path copy = copy_of("llama"), weights = copy / "model.safetensors";
  const std::vector<TokenId> prompt = testing::read_json((copy / "golden.json").string())["prompt"];
  auto engine = Engine::load(copy, {.n_threads = 2});
  ASSERT_TRUE(engine) << engine.error().message;
  const auto expected = logits_of(**engine, prompt).values;
  auto session = (*engine)->new_session();
  ASSERT_TRUE((*engine)->extend(*session, std::span(prompt).first(3)));
  {
    const FailingReads failing(weights);
    ASSERT_GT(failing.n_descriptors(), 0U);
    const auto failed = (*engine)->extend(*session, std::span(prompt).subspan(3));
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::io);
    EXPECT_THAT(failed.error().message, HasSubstr("cannot read '" + weights.string() + "' at byte "));
    EXPECT_EQ(session->tokens.size(), 3U) << "the session is as it was";
  }
  const auto after = (*engine)->extend(*session, std::span(prompt).subspan(3));
  ASSERT_TRUE(after) << after.error().message;
  const size_t n_vocab = (*engine)->facts().n_vocab;
  EXPECT_TRUE(std::ranges::equal(*after, std::span(expected).last(n_vocab)));
}

TEST_F(WeightsOnDiskTest, AFileThatWasCutShortIsAnErrorOfThePass) {
  const fs::path copy = copy_of("llama"), weights = copy / "model.safetensors";
  const std::vector<TokenId> prompt = testing::read_json((copy / "golden.json").string())["prompt"];
  auto engine = Engine::load(copy, {.n_threads = 2});
  ASSERT_TRUE(engine) << engine.error().message;
  fs::resize_file(weights, 100);
  auto session = (*engine)->new_session();
  const auto failed = (*engine)->extend(*session, prompt);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::io);
  EXPECT_THAT(failed.error().message,
              HasSubstr("model.safetensors' was changed while it was in use: it has 100 bytes"));
}

class NothingIsMappedTest : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { ::unsetenv("OGAS_ISA"); }
};

// With experts on disk: whatever the format, and whether it has panels or not.
TEST_P(NothingIsMappedTest, WhileItRuns) {
  const fs::path folder = kArchitectures / GetParam();
  const auto golden = testing::read_json((folder / "golden.json").string());
  const std::vector<TokenId> prompt = golden["prompt"];
  std::vector<fs::path> models = {folder};
  if (golden.value("has_gguf", true)) models.push_back(folder / "model.gguf");
  for (const CpuKernels* kernels : {available_kernels().front(), available_kernels().back()}) {
    ::setenv("OGAS_ISA", std::string(kernels->name).c_str(), 1);
    for (const fs::path& path : models) {
      SCOPED_TRACE(fmt::format("{}, {}", path.string(), kernels->name));
      auto engine = Engine::load(path, {.n_threads = 2, .expert_cache = 0});
      ASSERT_TRUE(engine) << engine.error().message;
      const auto all = [&] {
        auto values = logits_of(**engine, prompt, 7).values;
        auto session = (*engine)->new_session();
        for (const TokenId& token : prompt) {
          const auto logits = (*engine)->extend(*session, std::span(&token, 1), RowKind::decode);
          EXPECT_TRUE(logits) << logits.error().message;
          values.insert(values.end(), logits->begin(), logits->end());
        }
        if ((*engine)->facts().n_mtp > 0) {
          EXPECT_TRUE(compute_mtp_logits(**engine, prompt, 0, [&](size_t, std::span<const float> row) {
            values.insert(values.end(), row.begin(), row.end());
          }));
        }
        return values;
      };
      const auto expected = all();
      for (const MappedFile& shard : (*engine)->file().shards()) forbid(shard.bytes());
      EXPECT_EQ(all(), expected);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, NothingIsMappedTest, ::testing::ValuesIn(testing::with_experts()),
                         [](const auto& test) { return test.param; });

// The caller that loads a model gets its memory plan once, before any weights are read.
TEST(Loading, TellsThePlanOnceBeforeWeightsAreRead) {
  const fs::path folder = kArchitectures / testing::with_experts().front();
  for (const std::optional<uint64_t> cache : {std::optional<uint64_t>{}, std::optional<uint64_t>{0}}) {
    int n_told = 0;
    double share_before = 0;
    const auto progress = [&](double share) {
      if (n_told == 0) share_before = share;
      return true;
    };
    const auto planned = [&](const ModelFacts& facts, const MemoryPlan& plan) {
      ++n_told;
      EXPECT_GT(facts.weight_bytes, 0U);
      EXPECT_EQ(plan.leaves_experts_on_disk, cache.has_value());
      EXPECT_GT(plan.options.n_ctx, 0U);
    };
    const auto engine = Engine::load(folder, {.n_threads = 2, .expert_cache = cache}, progress, planned);
    ASSERT_TRUE(engine) << engine.error().message;
    EXPECT_EQ(n_told, 1);
    EXPECT_EQ(share_before, 0);
  }
}

}  // namespace
}  // namespace ogas
