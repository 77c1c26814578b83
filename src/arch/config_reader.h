// A model's numbers by the names both worlds give them. The first thing that is wrong is remembered and told by
// status(), so that an architecture reads its keys line by line without asking after each.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "arch/model_overrides.h"
#include "base/result.h"
#include "files/tensor_file.h"

namespace ogas {

// A key in GGUF, without the architecture's name before it, and in config.json. An empty name: that world has no such
// key.
struct ConfigKey {
  std::string_view gguf, hf;
};

class ConfigReader {
 public:
  // architecture: as GGUF keys begin, "qwen3moe".
  ConfigReader(const TensorFile& file, std::string_view architecture, const ModelOverrides& overrides)
      : file_(file), architecture_(architecture), overrides_(overrides) {}

  bool is_hf() const { return file_.naming() == Naming::hf; }
  bool has(ConfigKey key) const;
  bool is_list(ConfigKey key) const;
  // The number that config.json means where it has no such key; for keys that are required.
  void assume(std::string_view hf_key, double value) { assumed_[hf_key] = value; }
  // Required integers, within [min, max]; after an error min.
  uint32_t count(ConfigKey key, uint64_t min, uint64_t max);
  // Values that may be missing.
  uint32_t count_or(ConfigKey key, uint64_t fallback, uint64_t min, uint64_t max);
  float number(ConfigKey key);
  double number_or(ConfigKey key, double fallback);
  bool flag_or(ConfigKey key, bool fallback);
  std::string text_or(ConfigKey key, std::string_view fallback);
  std::vector<int64_t> integers_or_none(ConfigKey key, uint64_t max_count);
  std::vector<bool> flags_or_none(ConfigKey key, uint64_t max_count);
  std::vector<std::string> texts_or_none(ConfigKey key, uint64_t max_count);

  // The key as this file has it: "qwen3moe.block_count".
  std::string name_of(ConfigKey key) const;
  // Remembers an error of one's own, unless there was one before.
  template <class... Args>
  void refuse(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
    if (status_) status_ = fail(code, format, std::forward<Args>(args)...);
  }
  const Result<>& status() const { return status_; }
  // What is to be different from what the file says.
  const ModelOverrides& overrides() const { return overrides_; }

 private:
  template <class T>
  T take(Result<T> result, T fallback) {
    if (result) return *std::move(result);
    if (status_) status_ = std::unexpected(std::move(result).error());
    return fallback;
  }

  // What is assumed of a key that is not there.
  std::optional<double> assumed(ConfigKey key) const;

  const TensorFile& file_;
  std::string architecture_;
  ModelOverrides overrides_;
  std::map<std::string_view, double> assumed_;
  Result<> status_;
};

}  // namespace ogas
