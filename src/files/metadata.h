// Typed key-value pairs of a model file, with errors that name the key, what was found and what was expected.
//
// Strings and arrays are views into the mapped file, which must outlive the Metadata: a vocabulary of 150,000 tokens
// costs nothing until somebody asks for it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace ogas {

// The value types of GGUF, by their numbers there.
enum class MetaType : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};
std::string_view name_of(MetaType type);  // "u32", "string"
// Bytes of one value; 0 for strings and arrays, whose size varies.
size_t size_of(MetaType type);

// `count` values of one type, back to back as in the file (strings: u64 length and bytes). They were checked when the
// file was opened.
struct MetaArray {
  MetaType element;
  uint64_t count;
  Bytes raw;
};

// A value: integers widen to 64 bits by signedness, floats to double; the type in the file is kept for messages.
struct MetaValue {
  MetaType type;
  std::variant<uint64_t, int64_t, double, bool, std::string_view, MetaArray> value;

  // "u32", "array of string"
  std::string type_name() const;
};

class Metadata {
 public:
  using Map = std::map<std::string_view, MetaValue, std::less<>>;

  // False if the key was there already.
  bool insert(std::string_view key, MetaValue value) { return values_.emplace(key, std::move(value)).second; }
  const Map& all() const { return values_; }
  bool contains(std::string_view key) const { return values_.contains(key); }

  // Required values. Errors (bad_file): missing, of another type, or out of range. Integers of either sign and width
  // are accepted where the value fits; floats are accepted from f32 and f64, and
  // from 64-bit integers, as which JSON gives whole ones.
  Result<uint64_t> get_uint(std::string_view key, uint64_t min = 0, uint64_t max = UINT32_MAX) const;
  Result<double> get_float(std::string_view key) const;
  Result<bool> get_bool(std::string_view key) const;
  Result<std::string_view> get_string(std::string_view key) const;
  // Whole arrays, copied, at most max_count long. Integers of any width become int64 (u64 beyond that is an error).
  Result<std::vector<std::string>> get_strings(std::string_view key, uint64_t max_count) const;
  Result<std::vector<int64_t>> get_ints(std::string_view key, uint64_t max_count) const;
  Result<std::vector<bool>> get_bools(std::string_view key, uint64_t max_count) const;
  Result<std::vector<float>> get_floats(std::string_view key, uint64_t max_count) const;

  // The same, or the given value where the key is missing (still an error if present with a wrong type).
  Result<uint64_t> get_uint_or(std::string_view key, uint64_t fallback, uint64_t min = 0,
                               uint64_t max = UINT32_MAX) const;
  Result<double> get_float_or(std::string_view key, double fallback) const;
  Result<bool> get_bool_or(std::string_view key, bool fallback) const;
  Result<std::string_view> get_string_or(std::string_view key, std::string_view fallback) const;

 private:
  Result<const MetaValue*> find(std::string_view key, std::string_view expected) const;
  Result<const MetaArray*> find_array(std::string_view key, std::string_view expected, uint64_t max_count) const;

  Map values_;
};

}  // namespace ogas
