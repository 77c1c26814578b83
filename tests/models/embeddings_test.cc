// Texts as vectors: against pooled hidden states of transformers (tools/make_embedding_goldens.py), and with the same
// bits whatever else is in the batch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/embed.h"
#include "engine/engine_core.h"
#include "engine/logits_test_tools.h"
#include "files/gguf_test_writer.h"
#include "kernels/dispatch.h"

namespace ogas {
namespace {

using ::testing::HasSubstr;
using testing::kArchitectures;
using Tokens = std::vector<TokenId>;
using Vectors = std::vector<std::vector<float>>;

constexpr Pooling kPoolings[] = {Pooling::last, Pooling::mean, Pooling::first};  // as the goldens have them
constexpr double kTolerance = 3e-5;  // of values whose standard deviation is 1 (4e-6 seen)

std::unique_ptr<Engine> load(const std::filesystem::path& path, uint32_t n_batch = 0) {
  auto engine = Engine::load(path, {.n_batch = n_batch, .n_threads = 2, .kv_cache_type = Format::f32});
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? *std::move(engine) : nullptr;
}

std::vector<std::string> cases() {
  std::vector<std::string> names = testing::all_architectures();
  std::erase_if(names, [](const auto& n) { return !std::filesystem::exists(kArchitectures / n / "embeddings.npy"); });
  return names;
}

class Embeddings : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { ::unsetenv("OGAS_ISA"); }
  std::filesystem::path folder() const { return kArchitectures / GetParam(); }
  Tokens prompt() const { return testing::read_json((folder() / "golden.json").string())["prompt"]; }
};

std::vector<float> embed(Engine& engine, const Tokens& text, const EmbedOptions& options) {
  const auto vectors = embed(engine, {&text, 1}, options);
  EXPECT_TRUE(vectors) << vectors.error().message;
  return vectors ? vectors->front() : std::vector<float>();
}

TEST_P(Embeddings, AreThoseOfTransformers) {
  const auto golden = testing::read_npy((folder() / "embeddings.npy").string());
  double largest = 0;
  for (const CpuKernels* kernels : available_kernels()) {
    ::setenv("OGAS_ISA", std::string(kernels->name).c_str(), 1);
    for (const auto& path : {folder(), folder() / "model.gguf"}) {
      const auto engine = load(path);
      ASSERT_NE(engine, nullptr) << path;
      for (size_t row = 0; row < std::size(kPoolings); ++row) {
        const auto found = embed(*engine, prompt(), {.pooling = kPoolings[row], .normalize = false});
        ASSERT_EQ(found.size(), golden.n_cols);
        for (size_t i = 0; i < found.size(); ++i) {
          const double difference = std::fabs(double{found[i]} - double{golden.row(row)[i]});
          largest = std::max(largest, difference);
          ASSERT_LT(difference, kTolerance) << path << ", " << kernels->name << ", " << name_of(kPoolings[row]);
        }
      }
    }
  }
  std::printf("largest difference %.1e\n", largest);
}

TEST_P(Embeddings, DoNotDependOnTheBatch) {
  const Tokens all = prompt();
  std::vector<Tokens> texts;
  for (const long n : {5L, 72L, 1L, 33L, 70L, 2L}) texts.emplace_back(all.end() - n, all.end());
  for (const Pooling pooling : kPoolings) {
    Vectors alone;
    const auto engine = load(folder());
    for (const Tokens& text : texts) alone.push_back(embed(*engine, text, {.pooling = pooling}));
    for (const uint32_t n_batch : {1U, 7U, 64U, 1000U}) {
      const auto vectors = embed(*load(folder(), n_batch), texts, {.pooling = pooling});
      ASSERT_TRUE(vectors) << vectors.error().message;
      EXPECT_EQ(*vectors, alone) << name_of(pooling) << ", batches of " << n_batch;
    }
    EXPECT_EQ(engine->kv().bytes_used(), 0U);
  }
}

TEST_P(Embeddings, HaveLengthOne) {
  const auto engine = load(folder());
  for (const Pooling pooling : kPoolings) {
    const auto plain = embed(*engine, prompt(), {.pooling = pooling, .normalize = false});
    const auto unit = embed(*engine, prompt(), {.pooling = pooling});
    double squares = 0, product = 0, of_unit = 0;
    for (size_t i = 0; i < plain.size(); ++i) {
      squares += double{plain[i]} * double{plain[i]};
      of_unit += double{unit[i]} * double{unit[i]};
      product += double{plain[i]} * double{unit[i]};
    }
    EXPECT_NEAR(of_unit, 1, 1e-6);
    EXPECT_NEAR(product, std::sqrt(squares), 1e-5);  // in the same direction
  }
}

INSTANTIATE_TEST_SUITE_P(All, Embeddings, ::testing::ValuesIn(cases()), [](const auto& test) { return test.param; });

TEST(EmbeddingErrors, NameTheText) {
  auto engine = Engine::load(kArchitectures / "llama", {.n_ctx = 64});
  ASSERT_TRUE(engine);
  const auto error = [&](const std::vector<Tokens>& texts) { return embed(**engine, texts).error().message; };
  EXPECT_THAT(error({{1}, Tokens(70, 1)}), HasSubstr("text 2 has 70 tokens, 6 more than the context of 64"));
  EXPECT_THAT(error({{}}), HasSubstr("the text is empty"));
  EXPECT_THAT(error({{1}, {2}, {1, 200}}), HasSubstr("token 200 at position 1"));
}

class RecommendedPooling : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  Result<Pooling> of(std::optional<uint32_t> type) {
    test::TestGguf gguf{.keys = {{"general.architecture", test::string("qwen3")}}};
    if (type) gguf.keys.push_back({"qwen3.pooling_type", test::u32(*type)});
    std::ofstream(path_, std::ios::binary) << gguf.write();
    const auto file = TensorFile::open(path_);
    EXPECT_TRUE(file) << file.error().message;
    return recommended_pooling(*file);
  }
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / fmt::format("ogas_pooling_{}.gguf", ::getpid());
};

TEST_F(RecommendedPooling, IsWhatTheFileSays) {
  EXPECT_EQ(*of({}), Pooling::last);
  EXPECT_EQ(*of(0), Pooling::last);
  EXPECT_EQ(*of(1), Pooling::mean);
  EXPECT_EQ(*of(2), Pooling::first);
  EXPECT_EQ(*of(3), Pooling::last);
  EXPECT_EQ(of(4).error().code, ErrorCode::unsupported);
  EXPECT_THAT(of(4).error().message, HasSubstr("qwen3.pooling_type is 4"));
}

}  // namespace
}  // namespace ogas
