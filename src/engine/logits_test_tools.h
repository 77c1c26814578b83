// Logits for tests: computed by an engine, read from .npy files, and compared.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/logits.h"

namespace ogas::testing {

// [n_rows, n_cols], row after row.
struct LogitMatrix {
  size_t n_cols = 0;
  std::vector<float> values;

  size_t n_rows() const { return n_cols == 0 ? 0 : values.size() / n_cols; }
  std::span<const float> row(size_t idx) const { return std::span(values).subspan(idx * n_cols, n_cols); }
};

// Tiny models of every architecture, a folder each (tools/make_arch_goldens.py).
inline const std::filesystem::path kArchitectures = "tests/data/arch";

inline std::vector<std::string> all_architectures() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kArchitectures))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

inline nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
}

// config.json of one of these: the part about its language model.
inline nlohmann::json read_text_config(const std::filesystem::path& folder) {
  const auto config = read_json((folder / "config.json").string());
  return config.contains("text_config") ? config["text_config"] : config;
}

// Of these, those with experts.
inline std::vector<std::string> with_experts() {
  std::vector<std::string> names = all_architectures();
  std::erase_if(names, [](const std::string& name) {
    const auto config = read_text_config(kArchitectures / name);
    return std::ranges::none_of(std::array{"num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"},
                                [&](const char* key) { return config.contains(key) && config[key].is_number(); });
  });
  return names;
}

// A .npy file of version 1.0 that holds a C-ordered float32 matrix.
inline LogitMatrix read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  LogitMatrix result;
  std::smatch shape;
  const size_t header =
      bytes.size() < 10 ? 0 : 10 + static_cast<uint8_t>(bytes[8]) + 256 * static_cast<uint8_t>(bytes[9]);
  const std::string dict = bytes.substr(0, header);
  if (!std::regex_search(dict, shape,
                         std::regex(R"('descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\))"))) {
    ADD_FAILURE() << path << " is not a float32 matrix";
    return result;
  }
  result.n_cols = std::stoul(shape[2]);
  result.values.resize(std::stoul(shape[1]) * result.n_cols);
  EXPECT_EQ(bytes.size() - header, result.values.size() * sizeof(float)) << path;
  std::memcpy(result.values.data(), bytes.data() + header,
              std::min(bytes.size() - header, result.values.size() * sizeof(float)));
  return result;
}

// Logits after each of the tokens.
inline LogitMatrix logits_of(Engine& engine, std::span<const TokenId> tokens, uint32_t batch = 0) {
  LogitMatrix result{.n_cols = engine.facts().n_vocab, .values = {}};
  const auto computed = compute_logits(engine, tokens, batch, [&](size_t, std::span<const float> row) {
    result.values.insert(result.values.end(), row.begin(), row.end());
  });
  EXPECT_TRUE(computed) << computed.error().message;
  return result;
}

inline double log_probability(std::span<const float> logits, TokenId id) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return logits[static_cast<size_t>(id)] - largest - std::log(sum);
}

}  // namespace ogas::testing
