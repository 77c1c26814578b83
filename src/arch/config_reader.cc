#include "arch/config_reader.h"

namespace ogas {

std::string ConfigReader::name_of(ConfigKey key) const {
  if (is_hf()) return std::string(key.hf);
  return key.gguf.empty() ? std::string() : fmt::format("{}.{}", architecture_, key.gguf);
}

bool ConfigReader::has(ConfigKey key) const { return file_.metadata().contains(name_of(key)); }

bool ConfigReader::is_list(ConfigKey key) const {
  const auto found = file_.metadata().all().find(name_of(key));
  return found != file_.metadata().all().end() && found->second.type == MetaType::array;
}

std::optional<double> ConfigReader::assumed(ConfigKey key) const {
  const auto found = assumed_.find(key.hf);
  if (!is_hf() || found == assumed_.end() || has(key)) return std::nullopt;
  return found->second;
}

uint32_t ConfigReader::count(ConfigKey key, uint64_t min, uint64_t max) {
  if (const auto value = assumed(key)) return static_cast<uint32_t>(*value);
  return static_cast<uint32_t>(take(file_.metadata().get_uint(name_of(key), min, max), min));
}

uint32_t ConfigReader::count_or(ConfigKey key, uint64_t fallback, uint64_t min, uint64_t max) {
  if (const auto value = assumed(key)) return static_cast<uint32_t>(*value);
  return static_cast<uint32_t>(take(file_.metadata().get_uint_or(name_of(key), fallback, min, max), min));
}

float ConfigReader::number(ConfigKey key) {
  if (const auto value = assumed(key)) return static_cast<float>(*value);
  return static_cast<float>(take(file_.metadata().get_float(name_of(key)), 1.0));
}

double ConfigReader::number_or(ConfigKey key, double fallback) {
  if (const auto value = assumed(key)) return *value;
  return take(file_.metadata().get_float_or(name_of(key), fallback), 1.0);
}

bool ConfigReader::flag_or(ConfigKey key, bool fallback) {
  return take(file_.metadata().get_bool_or(name_of(key), fallback), fallback);
}

std::string ConfigReader::text_or(ConfigKey key, std::string_view fallback) {
  return std::string(take(file_.metadata().get_string_or(name_of(key), fallback), fallback));
}

std::vector<int64_t> ConfigReader::integers_or_none(ConfigKey key, uint64_t max_count) {
  if (!has(key)) return {};
  return take(file_.metadata().get_ints(name_of(key), max_count), {});
}

std::vector<bool> ConfigReader::flags_or_none(ConfigKey key, uint64_t max_count) {
  if (!has(key)) return {};
  return take(file_.metadata().get_bools(name_of(key), max_count), {});
}

std::vector<std::string> ConfigReader::texts_or_none(ConfigKey key, uint64_t max_count) {
  if (!has(key)) return {};
  return take(file_.metadata().get_strings(name_of(key), max_count), {});
}

}  // namespace ogas
