// Typed key-value pairs of a model file, with errors that name the key, what was found and what was expected.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace ogas {

class MetaValue;

// An array of one element type, held compactly: numbers as they are, strings as views into the mapped file.
using MetaArray = std::variant<std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>, std::vector<bool>,
                               std::vector<std::string_view>, std::vector<MetaValue>>;

// One value. Integers widen to 64 bits by signedness, floats to double; the type as spelled in the file is kept for messages.
class MetaValue {
 public:
  using Scalar = std::variant<uint64_t, int64_t, double, bool, std::string_view, std::shared_ptr<const MetaArray>>;

  MetaValue(Scalar value, std::string_view type_name) : value_(std::move(value)), type_name_(type_name) {}

  const Scalar& value() const { return value_; }
  std::string_view type_name() const { return type_name_; }  // "u32", "string", "array of f32"

 private:
  Scalar value_;
  std::string_view type_name_;  // static storage
};

class Metadata {
 public:
  using Map = std::map<std::string, MetaValue, std::less<>>;

  // False if the key was there already.
  bool insert(std::string key, MetaValue value) { return values_.emplace(std::move(key), std::move(value)).second; }
  const Map& all() const { return values_; }
  bool contains(std::string_view key) const { return values_.contains(key); }

  // Required values. Errors (bad_file): missing, of another type, or out of the type's range. Integers of either sign and
  // width are accepted where the value fits; floats are accepted from f32 and f64.
  Result<uint64_t> get_uint(std::string_view key, uint64_t min = 0, uint64_t max = UINT32_MAX) const;
  Result<double> get_float(std::string_view key) const;
  Result<bool> get_bool(std::string_view key) const;
  Result<std::string_view> get_string(std::string_view key) const;
  Result<const std::vector<std::string_view>*> get_strings(std::string_view key) const;
  // Any integer or float array, converted.
  Result<std::vector<int64_t>> get_ints(std::string_view key) const;
  Result<std::vector<double>> get_floats(std::string_view key) const;

  // The same, or the given value where the key is missing (still an error if present with a wrong type).
  Result<uint64_t> get_uint_or(std::string_view key, uint64_t otherwise, uint64_t min = 0,
                               uint64_t max = UINT32_MAX) const;
  Result<double> get_float_or(std::string_view key, double otherwise) const;
  Result<bool> get_bool_or(std::string_view key, bool otherwise) const;
  Result<std::string_view> get_string_or(std::string_view key, std::string_view otherwise) const;

 private:
  Map values_;
};

}  // namespace ogas
