// Tiny random models of every architecture, from Hugging Face folders and from GGUF, against the logits of transformers
// or of oracles in plain torch (tools/make_arch_goldens.py).
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "engine/engine_core.h"
#include "engine/logits.h"
#include "engine/logits_test_tools.h"
#include "kernels/dispatch.h"
#include "quant/half.h"

namespace ogas {
namespace {

using testing::kArchitectures;
using testing::LogitMatrix;
using testing::logits_of;

std::unique_ptr<Engine> load(const std::filesystem::path& path, unsigned n_threads = 2) {
  auto engine = Engine::load(path, {.n_threads = n_threads, .kv_cache_type = Format::f32});
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? *std::move(engine) : nullptr;
}

double largest_difference(const LogitMatrix& a, const LogitMatrix& b) {
  EXPECT_EQ(a.n_cols, b.n_cols);
  EXPECT_EQ(a.values.size(), b.values.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(a.values.size(), b.values.size()); ++i)
    largest = std::max(largest, std::fabs(double{a.values[i]} - double{b.values[i]}));
  return largest;
}

// Rows whose winners differ although the golden's margin is larger than the tolerance.
int n_flipped(const LogitMatrix& golden, const LogitMatrix& found, float tolerance) {
  int n = 0;
  for (size_t r = 0; r < golden.n_rows(); ++r) {
    std::vector<float> sorted(golden.row(r).begin(), golden.row(r).end());
    std::ranges::partial_sort(sorted, sorted.begin() + 2, std::greater());
    const auto winner = std::ranges::max_element(golden.row(r)) - golden.row(r).begin();
    n += sorted[0] - sorted[1] > tolerance && std::ranges::max_element(found.row(r)) - found.row(r).begin() != winner;
  }
  return n;
}

constexpr float kTolerance = 1e-3F;  // of logits whose standard deviation is 1 to 3.5
// Where BF16 weights meet activations rounded to BF16 and no oracle does the same (0.31 seen; 0.13 from rounding to 8
// bits).
constexpr float kRoundedTolerance = 0.5F;

class Architectures : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { ::unsetenv("OGAS_ISA"); }
  std::filesystem::path folder() const { return kArchitectures / GetParam(); }
  bool has_blocks() const { return golden().value("has_blocks", false); }
  // The Hugging Face folder, and GGUF if there is one.
  std::vector<std::filesystem::path> models() const {
    if (golden().value("has_gguf", true)) return {folder(), folder() / "model.gguf"};
    return {folder()};
  }
  nlohmann::json golden() const { return testing::read_json((folder() / "golden.json").string()); }
};

TEST_P(Architectures, LogitsAreThoseOfTransformersInEveryBatch) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  for (const CpuKernels* kernels : available_kernels()) {
    // If weights are in blocks, an instruction set that rounds activations to 8 bits is compared with an oracle that
    // does.
    const bool is_rounded = has_blocks() && kernels->quantizes_activations;
    const LogitMatrix expected =
        testing::read_npy((folder() / (is_rounded ? "rounded_logits.npy" : "logits.npy")).string());
    ::setenv("OGAS_ISA", std::string(kernels->name).c_str(), 1);
    for (const std::filesystem::path& path : models()) {
      const auto engine = load(path);
      ASSERT_NE(engine, nullptr) << path;
      for (const uint32_t batch : {256U, 1U, 7U}) {
        SCOPED_TRACE(fmt::format("{}, {}, batches of {}", path.string(), kernels->name, batch));
        const LogitMatrix found = logits_of(*engine, prompt, batch);
        const bool has_bf16 = kernels->rounds_to_bf16 && has_blocks() && path == folder();
        EXPECT_LT(largest_difference(expected, found), has_bf16 ? kRoundedTolerance : kTolerance);
        EXPECT_EQ(n_flipped(expected, found, has_bf16 ? kRoundedTolerance : kTolerance), 0);
      }
    }
  }
}

TEST_P(Architectures, ThreadsDoNotChangeABit) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  const auto one = load(folder(), 1), three = load(folder(), 3);
  ASSERT_TRUE(one && three);
  EXPECT_EQ(logits_of(*one, prompt).values, logits_of(*three, prompt).values);
}

// And those of llama.cpp, from the same GGUF file, where it makes the same of the architecture (compare_llama_cpp.py).
TEST_P(Architectures, GreedyTokensAreThoseOfTransformersAndLlamaCpp) {
  const auto json = golden();
  const std::vector<TokenId> prompt = json["prompt"], expected = json["greedy"];
  if (json.value("has_gguf", true)) {
    ASSERT_NE(json.contains("llama_cpp"), json.contains("llama_cpp_differs"));
    EXPECT_EQ(json.value("llama_cpp", expected), expected);
  }
  if (has_blocks()) ::setenv("OGAS_ISA", "reference", 1);  // whose activations are not rounded
  for (const std::filesystem::path& path : models()) {
    const auto engine = load(path);
    ASSERT_NE(engine, nullptr);
    std::vector<TokenId> sequence = prompt;
    for (size_t n = 0; n < expected.size(); ++n) {
      const LogitMatrix logits = logits_of(*engine, sequence);
      const auto last = logits.row(logits.n_rows() - 1);
      sequence.push_back(static_cast<TokenId>(std::ranges::max_element(last) - last.begin()));
    }
    EXPECT_EQ(std::vector<TokenId>(sequence.begin() + std::ssize(prompt), sequence.end()), expected) << path;
  }
}

TEST_P(Architectures, FactsAreThoseOfTheConfig) {
  const auto config = testing::read_text_config(folder());
  for (const std::filesystem::path& path : models()) {
    const auto engine = load(path);
    ASSERT_NE(engine, nullptr);
    const ModelFacts& facts = engine->facts();
    EXPECT_EQ(facts.n_layer, config["num_hidden_layers"]);
    EXPECT_EQ(facts.n_embd, config["hidden_size"]);
    EXPECT_EQ(facts.n_vocab, config["vocab_size"]);
    EXPECT_EQ(facts.n_mtp, config.value("num_nextn_predict_layers", config.value("mtp_num_hidden_layers", 0U)));
    EXPECT_EQ(facts.n_params_active < facts.n_params, facts.n_expert > 0);
    const auto is_dense = [](const auto& tensor) {
      return tensor.first.ends_with(".ffn_down.weight") || tensor.first.ends_with(".mlp.down_proj.weight");
    };
    EXPECT_EQ(facts.n_ff > 0, std::ranges::any_of(engine->file().tensors(), is_dense)) << path;
  }
}

// Bytes of weights that one token reads, told from the names of tensors.
double bytes_of_token(const Engine& engine) {
  const ModelFacts& facts = engine.facts();
  const auto& tensors = engine.file().tensors();
  const auto is = [](std::string_view name, std::string_view part) { return name.find(part) != name.npos; };
  const bool is_tied = std::ranges::none_of(
      tensors, [](const auto& t) { return t.first == "output.weight" || t.first == "lm_head.weight"; });
  double bytes = 0;
  for (const auto& [name, tensor] : tensors) {
    if (is(name, fmt::format("blk.{}.", facts.n_layer)) || is(name, fmt::format("model.layers.{}.", facts.n_layer)) ||
        is(name, "mtp"))
      continue;
    const bool is_embedding = is(name, "token_embd.") || is(name, "embed_tokens.");
    if (is_embedding) bytes += static_cast<double>(tensor.n_bytes() / tensor.shape[0]);
    if (is_embedding && !is_tied) continue;
    const bool is_expert = (is(name, "_exps.") || is(name, ".mlp.experts.")) && !is(name, "bias");
    bytes += static_cast<double>(tensor.n_bytes()) * (is_expert ? double(facts.n_expert_used) / facts.n_expert : 1);
  }
  return bytes;
}

TEST_P(Architectures, WorkIsWhatOneTokenReadsAndMultipliesWith) {
  for (const std::filesystem::path& path : models()) {
    const auto engine = load(path);
    ASSERT_NE(engine, nullptr);
    const ModelFacts& facts = engine->facts();
    EXPECT_NEAR(facts.pass_bytes(1) / bytes_of_token(*engine), 1, 1e-9) << path;
    double n_products = 0;
    for (const Linear* linear : engine->core().model.model->linears_of_token())
      n_products += static_cast<double>(linear->n_out()) * static_cast<double>(linear->n_in());
    EXPECT_NEAR(facts.pass_products(1, 1) / n_products, 1, 1e-9) << path;
    EXPECT_LT(facts.pass_products(8, 1), 8 * facts.pass_products(1, 1));
    // Long batches use every expert, and read no weight twice.
    EXPECT_LE(facts.pass_bytes(1000), static_cast<double>(facts.weight_bytes + 1000 * facts.work.row_bytes));
    EXPECT_EQ(facts.pass_bytes(1000) - facts.pass_bytes(1) > 999.5 * static_cast<double>(facts.work.row_bytes),
              facts.n_expert > 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Architectures, ::testing::ValuesIn(testing::all_architectures()),
                         [](const auto& test) { return test.param; });

// As transformers 5 saves it.
TEST(Qwen3Moe, ExpertsMayBeCountedUnderAnotherName) {
  const auto folder = std::filesystem::path(kArchitectures) / "qwen3_moe";
  const auto path = std::filesystem::path(::testing::TempDir()) / fmt::format("ogas_qwen3_moe_{}", ::getpid());
  std::filesystem::create_directories(path);
  auto config = testing::read_json((folder / "config.json").string());
  config["num_local_experts"] = config["num_experts"];
  config.erase("num_experts");
  std::ofstream(path / "config.json") << config;
  std::filesystem::copy_file(folder / "model.safetensors", path / "model.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  const auto engine = Engine::load(path, {});
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_EQ((*engine)->facts().n_expert, config["num_local_experts"].get<uint32_t>());
  std::filesystem::remove_all(path);
}

// A tensor of a safetensors file.
struct StoredTensor {
  std::string name;
  nlohmann::json info;  // dtype, shape
  std::string data;
};

// The folder's model with another config and other tensors, in a folder of tests. edit: whether to keep a tensor, which
// it may change.
std::filesystem::path edited_model(const std::filesystem::path& folder, std::string_view name,
                                   const std::function<void(nlohmann::json&)>& edit_config,
                                   const std::function<bool(StoredTensor&)>& edit) {
  const auto path = std::filesystem::path(::testing::TempDir()) / fmt::format("ogas_{}_{}", name, ::getpid());
  std::filesystem::create_directories(path);
  auto config = testing::read_json((folder / "config.json").string());
  edit_config(config);
  std::ofstream(path / "config.json") << config;
  std::ifstream in(folder / "model.safetensors", std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  uint64_t n_header = 0;
  std::memcpy(&n_header, bytes.data(), sizeof n_header);
  const auto header = nlohmann::json::parse(bytes.substr(8, n_header));
  nlohmann::json kept;
  std::string data;
  for (const auto& [tensor_name, info] : header.items()) {
    if (tensor_name == "__metadata__") continue;
    const uint64_t begin = info["data_offsets"][0], end = info["data_offsets"][1];
    StoredTensor tensor{tensor_name, info, bytes.substr(8 + n_header + begin, end - begin)};
    if (!edit(tensor)) continue;
    tensor.info["data_offsets"] = {data.size(), data.size() + tensor.data.size()};
    data += tensor.data;
    kept[tensor.name] = tensor.info;
  }
  std::string text = kept.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  n_header = text.size();
  std::ofstream out(path / "model.safetensors", std::ios::binary);
  out.write(reinterpret_cast<const char*>(&n_header), sizeof n_header) << text << data;
  return path;
}

TEST(DeepSeekV32, IsV3BitForBitUpToTopK) {
  const auto folder = kArchitectures / "deepseek_v32";
  const auto path = edited_model(
      folder, "v3", [](nlohmann::json& config) { config["model_type"] = "deepseek_v3"; },
      [](const StoredTensor& tensor) { return tensor.name.find(".indexer.") == std::string::npos; });
  const size_t top_k = testing::read_json((folder / "config.json").string())["index_topk"];
  std::vector<TokenId> prompt = testing::read_json((folder / "golden.json").string())["prompt"];
  for (const uint32_t batch : {256U, 1U, 7U}) {
    const auto v32 = load(folder), v3 = load(path);
    ASSERT_TRUE(v32 && v3);
    const std::span<const TokenId> short_prompt = std::span(prompt).first(top_k);
    EXPECT_EQ(logits_of(*v32, short_prompt, batch).values, logits_of(*v3, short_prompt, batch).values) << batch;
    EXPECT_GT(largest_difference(logits_of(*v32, prompt, batch), logits_of(*v3, prompt, batch)), kTolerance) << batch;
  }
  std::filesystem::remove_all(path);
}

// transformers knows them, and published configs leave them to it.
TEST(Gemma3, ConfigsMayLeaveOutWhatTransformersAssumes) {
  const auto folder = kArchitectures / "gemma3_text";
  const auto path = edited_model(
      folder, "gemma3",
      [](nlohmann::json& config) {
        for (const char* key : {"rms_norm_eps", "rope_theta", "rope_local_base_freq", "sliding_window_pattern",
                                "max_position_embeddings", "hidden_activation", "attention_bias"})
          config.erase(key);
      },
      [](const StoredTensor&) { return true; });
  const std::vector<TokenId> prompt = testing::read_json((folder / "golden.json").string())["prompt"];
  const auto whole = load(folder), short_config = load(path);
  ASSERT_TRUE(whole && short_config);
  EXPECT_EQ(logits_of(*whole, prompt).values, logits_of(*short_config, prompt).values);
  EXPECT_EQ(short_config->facts().n_ctx_train, 131072U);
  std::filesystem::remove_all(path);
}

// Where embeddings are BF16, so is what they are multiplied by. The same numbers in F32, times what the rounded factor
// is too large by, give the same hidden states; and since the output is tied, logits that are larger by that.
TEST(Gemma3, EmbeddingsInBf16AreScaledByAFactorInBf16) {
  const auto folder = kArchitectures / "gemma3_text";
  const float exact = std::sqrt(48.0F), rounded = bf16_to_f32(f32_to_bf16(exact)), ratio = rounded / exact;
  ASSERT_GT(ratio, 1.001F);
  const auto with_embeddings = [&](std::string_view name, bool in_bf16) {
    return edited_model(
        folder, name, [](nlohmann::json&) {},
        [&](StoredTensor& tensor) {
          if (tensor.name != "model.embed_tokens.weight") return true;
          std::string halves;
          for (size_t at = 0; at < tensor.data.size(); at += sizeof(float)) {
            float value = 0;
            std::memcpy(&value, &tensor.data[at], sizeof value);
            const uint16_t half = f32_to_bf16(value);
            value = bf16_to_f32(half) * ratio;
            std::memcpy(&tensor.data[at], &value, sizeof value);
            halves.append(reinterpret_cast<const char*>(&half), sizeof half);
          }
          if (in_bf16) tensor.info["dtype"] = "BF16", tensor.data = halves;
          return true;
        });
  };
  const auto halves_path = with_embeddings("gemma3_bf16", true), floats_path = with_embeddings("gemma3_f32", false);
  ::setenv("OGAS_ISA", "reference", 1);  // which rounds no activations
  const std::vector<TokenId> prompt = testing::read_json((folder / "golden.json").string())["prompt"];
  const auto halves = load(halves_path), floats = load(floats_path);
  ASSERT_TRUE(halves && floats);
  const LogitMatrix of_halves = logits_of(*halves, prompt), of_floats = logits_of(*floats, prompt);
  for (size_t i = 0; i < of_halves.values.size(); ++i)
    ASSERT_NEAR(of_halves.values[i] * ratio, of_floats.values[i], 2e-4) << i;
  ::unsetenv("OGAS_ISA");
  std::filesystem::remove_all(halves_path);
  std::filesystem::remove_all(floats_path);
}

std::vector<std::string> cases_with(std::string_view file) {
  std::vector<std::string> names = testing::all_architectures();
  std::erase_if(names, [&](const auto& name) { return !std::filesystem::exists(kArchitectures / name / file); });
  return names;
}

class ModelsInBlocks : public Architectures {};

// Two layouts of the same numbers are multiplied in the same order.
TEST_P(ModelsInBlocks, FromHuggingFaceAndGgufGiveTheSameBits) {
  const std::vector<TokenId> prompt = golden()["prompt"];
  for (const CpuKernels* kernels : available_kernels()) {
    ::setenv("OGAS_ISA", std::string(kernels->name).c_str(), 1);
    const auto hf = load(folder()), gguf = load(folder() / "model.gguf");
    ASSERT_TRUE(hf && gguf);
    // (Matrices in BF16 on Hugging Face are F32 in the GGUF file.)
    if (kernels->rounds_to_bf16) continue;
    EXPECT_EQ(logits_of(*hf, prompt).values, logits_of(*gguf, prompt).values) << kernels->name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ModelsInBlocks, ::testing::ValuesIn(cases_with("rounded_logits.npy")),
                         [](const auto& test) { return test.param; });

class MtpHeads : public Architectures {};

TEST_P(MtpHeads, SayWhatThoseOfTransformersSay) {
  const LogitMatrix expected = testing::read_npy((folder() / "mtp_logits.npy").string());
  const auto json = golden();
  std::vector<TokenId> tokens = json["prompt"];
  tokens.push_back(json["following"].back());
  for (const std::filesystem::path& path : models()) {
    const auto engine = load(path);
    ASSERT_NE(engine, nullptr) << path;
    for (const uint32_t batch : {256U, 1U, 7U}) {
      LogitMatrix found{.n_cols = engine->facts().n_vocab, .values = {}};
      const auto computed = compute_mtp_logits(*engine, tokens, batch, [&](size_t, std::span<const float> row) {
        found.values.insert(found.values.end(), row.begin(), row.end());
      });
      ASSERT_TRUE(computed) << computed.error().message;
      LogitMatrix chosen{.n_cols = found.n_cols, .values = {}};
      for (const size_t length : json["mtp_lengths"]) {
        const auto row = found.row(length - 1);
        chosen.values.insert(chosen.values.end(), row.begin(), row.end());
      }
      EXPECT_LT(largest_difference(expected, chosen), kTolerance) << path << ", batches of " << batch;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, MtpHeads, ::testing::ValuesIn(cases_with("mtp_logits.npy")),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ogas
