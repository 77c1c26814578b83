// Compares tokenizers with the results of PyPI tokenizers for the same texts (tools/make_tokenizer_goldens.py).
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "files/tokenizer_json.h"
#include "text/tokenizer.h"

namespace ogas::test {

inline std::string read_golden(const std::string& name) {
  std::ifstream file("tests/data/tokenizers/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline nlohmann::json read_golden_json(const std::string& name) { return nlohmann::json::parse(read_golden(name)); }

// The upper half of FNV-1a over the values as 32-bit little-endian words.
inline std::string checksum(const std::vector<uint32_t>& values) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const uint32_t value : values)
    for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ (value >> shift & 0xFF)) * 0x100000001B3;
  return fmt::format("{:08x}", hash >> 32);
}

// Encodes every text with special tokens and without, decodes, and compares with <name>.goldens.json.
inline void expect_goldens(const Tokenizer& tokenizer, const std::string& name, const std::vector<std::string>& texts) {
  const auto goldens = read_golden_json(name + ".goldens.json");
  ASSERT_EQ(goldens["rows"].size(), texts.size());
  for (const auto& sample : goldens["samples"]) {
    const auto& text = texts.at(sample[0].get<size_t>());
    EXPECT_EQ(tokenizer.encode(text, {.parse_special = true}), sample[1].get<std::vector<TokenId>>()) << text;
  }
  int n_shown = 0;
  for (size_t idx = 0; idx < texts.size() && n_shown < 5; ++idx) {
    const auto special = tokenizer.encode(texts[idx], {.parse_special = true});
    const auto plain = tokenizer.encode(texts[idx]);
    std::vector<uint32_t> values(special.begin(), special.end());
    values.push_back(0x7FFFFFFF);
    values.insert(values.end(), plain.begin(), plain.end());
    for (const char c : tokenizer.decode_valid(special)) values.push_back(static_cast<unsigned char>(c));
    const auto& row = goldens["rows"][idx];
    EXPECT_EQ(special.size(), row[0].get<size_t>()) << name << ", text " << idx << ": " << texts[idx];
    EXPECT_EQ(checksum(values), row[1].get<std::string>()) << name << ", text " << idx << ": " << texts[idx];
    n_shown += ::testing::Test::HasFailure() ? 1 : 0;
  }
}

inline std::vector<std::string> golden_texts() {
  return read_golden_json("texts.json").get<std::vector<std::string>>();
}

}  // namespace ogas::test
