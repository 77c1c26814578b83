#include "files/metadata.h"

#include <cmath>
#include <cstring>

namespace ogas {
namespace {

template <class T>
T read_as(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

std::unexpected<Error> wrong_type(std::string_view key, const MetaValue& found, std::string_view expected) {
  return fail(ErrorCode::bad_file, "key '{}' is of type {}; {} is expected", key, found.type_name(), expected);
}

bool is_integer(MetaType type) { return type <= MetaType::i32 || type == MetaType::u64 || type == MetaType::i64; }

// Element idx of an array of integers; empty where it is beyond int64.
std::optional<int64_t> int_at(const MetaArray& array, uint64_t idx) {
  const std::byte* p = array.raw.data() + idx * size_of(array.element);
  switch (array.element) {
    case MetaType::u8: return read_as<uint8_t>(p);
    case MetaType::i8: return read_as<int8_t>(p);
    case MetaType::u16: return read_as<uint16_t>(p);
    case MetaType::i16: return read_as<int16_t>(p);
    case MetaType::u32: return read_as<uint32_t>(p);
    case MetaType::i32: return read_as<int32_t>(p);
    case MetaType::i64: return read_as<int64_t>(p);
    case MetaType::u64: {
      const auto value = read_as<uint64_t>(p);
      return value <= INT64_MAX ? std::optional(static_cast<int64_t>(value)) : std::nullopt;
    }
    default: return {};
  }
}

}  // namespace

std::string_view name_of(MetaType type) {
  constexpr std::string_view kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                         "bool", "string", "array", "u64", "i64", "f64"};
  const auto idx = static_cast<size_t>(type);
  return idx < std::size(kNames) ? kNames[idx] : "unknown";
}

size_t size_of(MetaType type) {
  constexpr size_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  const auto idx = static_cast<size_t>(type);
  return idx < std::size(kSizes) ? kSizes[idx] : 0;
}

std::string MetaValue::type_name() const {
  if (const auto* array = std::get_if<MetaArray>(&value))
    return fmt::format("array of {} {}", array->count, name_of(array->element));
  return std::string(name_of(type));
}

Result<const MetaValue*> Metadata::find(std::string_view key, std::string_view expected) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return fail(ErrorCode::bad_file, "key '{}' is missing; {} is expected", key, expected);
  return &found->second;
}

Result<const MetaArray*> Metadata::find_array(std::string_view key, std::string_view expected,
                                              uint64_t max_count) const {
  const MetaValue* found = OGAS_TRY(find(key, expected));
  const auto* array = std::get_if<MetaArray>(&found->value);
  if (!array) return wrong_type(key, *found, expected);
  if (array->count > max_count)
    return fail(ErrorCode::bad_file, "key '{}' has {} elements; at most {} are expected", key, array->count, max_count);
  return array;
}

Result<uint64_t> Metadata::get_uint(std::string_view key, uint64_t min, uint64_t max) const {
  const MetaValue* found = OGAS_TRY(find(key, "an integer"));
  uint64_t value = 0;
  if (const auto* u = std::get_if<uint64_t>(&found->value))
    value = *u;
  else if (const auto* i = std::get_if<int64_t>(&found->value); i && *i >= 0)
    value = static_cast<uint64_t>(*i);
  else if (i)
    return fail(ErrorCode::bad_file, "key '{}' is {}; {} to {} is expected", key, *i, min, max);
  else
    return wrong_type(key, *found, "an integer");
  if (value < min || value > max)
    return fail(ErrorCode::bad_file, "key '{}' is {}; {} to {} is expected", key, value, min, max);
  return value;
}

Result<double> Metadata::get_float(std::string_view key) const {
  const MetaValue* found = OGAS_TRY(find(key, "a float"));
  const auto* value = std::get_if<double>(&found->value);
  // JSON writes 10000.0 as 10000.
  if (const auto* i = std::get_if<int64_t>(&found->value); i && found->type == MetaType::i64)
    return static_cast<double>(*i);
  if (const auto* u = std::get_if<uint64_t>(&found->value); u && found->type == MetaType::u64)
    return static_cast<double>(*u);
  if (!value) return wrong_type(key, *found, "a float");
  if (!std::isfinite(*value))
    return fail(ErrorCode::bad_file, "key '{}' is {}; a finite number is expected", key, *value);
  return *value;
}

Result<bool> Metadata::get_bool(std::string_view key) const {
  const MetaValue* found = OGAS_TRY(find(key, "a bool"));
  const auto* value = std::get_if<bool>(&found->value);
  if (!value) return wrong_type(key, *found, "a bool");
  return *value;
}

Result<std::string_view> Metadata::get_string(std::string_view key) const {
  const MetaValue* found = OGAS_TRY(find(key, "a string"));
  const auto* value = std::get_if<std::string_view>(&found->value);
  if (!value) return wrong_type(key, *found, "a string");
  return *value;
}

Result<std::vector<std::string>> Metadata::get_strings(std::string_view key, uint64_t max_count) const {
  const MetaArray* array = OGAS_TRY(find_array(key, "an array of strings", max_count));
  if (array->element != MetaType::string)
    return fail(ErrorCode::bad_file, "key '{}' is an array of {}; of strings is expected", key,
                name_of(array->element));
  std::vector<std::string> strings;
  strings.reserve(array->count);
  const std::byte* p = array->raw.data();
  for (uint64_t idx = 0; idx < array->count; ++idx) {
    const auto length = read_as<uint64_t>(p);
    p += sizeof length;
    strings.emplace_back(reinterpret_cast<const char*>(p), length);
    p += length;
  }
  return strings;
}

Result<std::vector<int64_t>> Metadata::get_ints(std::string_view key, uint64_t max_count) const {
  const MetaArray* array = OGAS_TRY(find_array(key, "an array of integers", max_count));
  if (!is_integer(array->element))
    return fail(ErrorCode::bad_file, "key '{}' is an array of {}; of integers is expected", key,
                name_of(array->element));
  std::vector<int64_t> values;
  values.reserve(array->count);
  for (uint64_t idx = 0; idx < array->count; ++idx) {
    const auto value = int_at(*array, idx);
    if (!value)
      return fail(ErrorCode::bad_file, "key '{}' is an array of {} whose element {} is {}; below 2^63 is expected", key,
                  name_of(array->element), idx, read_as<uint64_t>(array->raw.data() + 8 * idx));
    values.push_back(*value);
  }
  return values;
}

Result<std::vector<bool>> Metadata::get_bools(std::string_view key, uint64_t max_count) const {
  const MetaArray* array = OGAS_TRY(find_array(key, "an array of booleans", max_count));
  if (array->element != MetaType::boolean)
    return fail(ErrorCode::bad_file, "key '{}' is an array of {}; of booleans is expected", key,
                name_of(array->element));
  std::vector<bool> values(array->count);
  for (uint64_t idx = 0; idx < array->count; ++idx) values[idx] = array->raw[idx] != std::byte{0};
  return values;
}

Result<std::vector<float>> Metadata::get_floats(std::string_view key, uint64_t max_count) const {
  const MetaArray* array = OGAS_TRY(find_array(key, "an array of floats", max_count));
  if (array->element != MetaType::f32 && array->element != MetaType::f64)
    return fail(ErrorCode::bad_file, "key '{}' is an array of {}; of floats is expected", key, name_of(array->element));
  std::vector<float> values(array->count);
  for (uint64_t idx = 0; idx < array->count; ++idx)
    values[idx] = array->element == MetaType::f32 ? read_as<float>(array->raw.data() + 4 * idx)
                                                  : static_cast<float>(read_as<double>(array->raw.data() + 8 * idx));
  return values;
}

Result<uint64_t> Metadata::get_uint_or(std::string_view key, uint64_t fallback, uint64_t min, uint64_t max) const {
  return contains(key) ? get_uint(key, min, max) : fallback;
}
Result<double> Metadata::get_float_or(std::string_view key, double fallback) const {
  return contains(key) ? get_float(key) : fallback;
}
Result<bool> Metadata::get_bool_or(std::string_view key, bool fallback) const {
  return contains(key) ? get_bool(key) : fallback;
}
Result<std::string_view> Metadata::get_string_or(std::string_view key, std::string_view fallback) const {
  return contains(key) ? get_string(key) : fallback;
}

}  // namespace ogas
