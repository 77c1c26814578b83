// Damaged GGUF files, made systematically from one small right one, each with what its error must say.
#pragma once

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "files/gguf_test_writer.h"

namespace ogas::test {

enum class Outcome {
  fails,   // with an error that holds all the words
  parses,  // odd, but right
  either,  // the damage may hit a value that is as good as another
};

struct Damage {
  std::string label;
  std::string bytes;
  Outcome outcome;
  std::vector<std::string> words;
};

// Every kind of value, and tensors of one to three dimensions; the last one's data ends with the file.
inline TestGguf small_model() {
  TestValue nested = array({numbers<uint8_t>(MetaType::u8, {1, 2}), strings({"x"})});
  nested.fields.push_back({Field::element_type, 12, 4, {}, 0});
  nested.fields.push_back({Field::array_count, 16, 8, {}, 0});
  return {.keys = {{"general.architecture", string("llama")},
                   {"general.alignment", u32(32)},
                   {"k.u8", scalar<uint8_t>(MetaType::u8, 7)},
                   {"k.i8", scalar<int8_t>(MetaType::i8, -7)},
                   {"k.u16", scalar<uint16_t>(MetaType::u16, 7)},
                   {"k.i16", scalar<int16_t>(MetaType::i16, -7)},
                   {"k.i32", scalar<int32_t>(MetaType::i32, -7)},
                   {"k.f32", scalar<float>(MetaType::f32, 0.5F)},
                   {"k.bool", boolean(1)},
                   {"k.u64", scalar<uint64_t>(MetaType::u64, 7)},
                   {"k.i64", scalar<int64_t>(MetaType::i64, -7)},
                   {"k.f64", scalar<double>(MetaType::f64, 0.5)},
                   {"k.strings", strings({"ab", "cd"})},
                   {"k.ints", numbers<int32_t>(MetaType::i32, {1, 2, 3})},
                   {"k.bools", numbers<uint8_t>(MetaType::boolean, {1, 0})},
                   {"k.nested", nested}},
          .tensors = {{"a.weight", {3}, 0, std::string(12, 'a')},
                      {"b.weight", {32, 2}, 8, std::string(68, 'b')},
                      {"c.weight", {32, 1, 2}, 2, std::string(36, 'c')}}};
}

// How an error names this key, tensor or header field.
inline std::string name_of_field(const FieldLocation& field) {
  switch (field.kind) {
    case Field::version: return "version";
    case Field::n_tensors: return "tensors";
    case Field::n_keys: return "keys";
    case Field::key_length: return "the name of key " + std::to_string(field.idx);
    case Field::name_length: return "the name of tensor " + std::to_string(field.idx);
    case Field::value_type:
    case Field::scalar:
    case Field::string_length:
    case Field::element_type:
    case Field::array_count: return "key '" + field.owner + "'";
    case Field::n_dims:
    case Field::dim:
    case Field::tensor_type:
    case Field::offset: return "tensor '" + field.owner + "'";
  }
  return {};
}

// The file cut off before every byte. What lacks is the byte at the cut, so the field it belongs to is named.
inline void add_truncations(std::vector<Damage>& damages) {
  std::vector<FieldLocation> fields;
  const std::string bytes = small_model().write(&fields);
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    std::string name = "the magic number";
    for (const FieldLocation& field : fields) {
      if (field.at > cut) break;
      const bool is_in_data = &field == &fields.back() && cut >= field.at + field.width;
      name = is_in_data ? "tensor '" : name_of_field(field);
    }
    damages.push_back({"cut to " + std::to_string(cut), bytes.substr(0, cut), Outcome::fails, {name, "the file"}});
  }
}

// Every length, count, offset, type and scalar set to the values where arithmetic goes wrong.
inline void add_field_values(std::vector<Damage>& damages) {
  std::vector<FieldLocation> fields;
  const std::string bytes = small_model().write(&fields);
  for (const FieldLocation& field : fields) {
    uint64_t original = 0;
    std::memcpy(&original, bytes.data() + field.at, field.width);
    const uint64_t largest = UINT64_MAX >> (64 - 8 * field.width);
    std::set<uint64_t> values = {0, original + 1, original - 1, UINT64_MAX, UINT64_MAX - 1};
    for (const uint64_t edge : {1ULL << 31, 1ULL << 32, 1ULL << 63})
      for (const uint64_t value : {edge - 1, edge, edge + 1}) values.insert(value);
    for (const uint64_t value : values) {
      if (value > largest || value == original) continue;
      std::string damaged = bytes;
      std::memcpy(damaged.data() + field.at, &value, field.width);
      const std::string name = name_of_field(field);
      // No field but a scalar may be this large.
      const bool must_fail = value >= (1ULL << 31) - 1 && field.kind != Field::scalar;
      damages.push_back({fmt::format("field {} of {} at {} = {}", static_cast<int>(field.kind), name, field.at, value),
                         damaged,
                         must_fail ? Outcome::fails : Outcome::either,
                         {name, std::to_string(value)}});
    }
  }
}

// Every byte changed in four ways.
inline void add_byte_changes(std::vector<Damage>& damages) {
  const std::string bytes = small_model().write();
  for (size_t at = 0; at < bytes.size(); ++at) {
    const auto original = static_cast<uint8_t>(bytes[at]);
    for (const int value : std::set<int>{0, 0xFF, original ^ 1, original ^ 0x80}) {
      if (value == original) continue;
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(value);
      damages.push_back({fmt::format("byte {} = {}", at, value), damaged, Outcome::either, {}});
    }
  }
}

// Collects small_model() changed by hand.
class DamageList {
 public:
  explicit DamageList(std::vector<Damage>& damages) : damages_(damages) {}
  void fails(const std::function<void(TestGguf&)>& change, const std::vector<std::string>& words) {
    add(change, Outcome::fails, words);
  }
  void parses(const std::function<void(TestGguf&)>& change, const std::string& label) {
    add(change, Outcome::parses, {label});
  }

 private:
  void add(const std::function<void(TestGguf&)>& change, Outcome outcome, const std::vector<std::string>& words) {
    TestGguf file = small_model();
    change(file);
    damages_.push_back({fmt::format("{}", fmt::join(words, ", ")), file.write(), outcome, words});
  }
  std::vector<Damage>& damages_;
};

inline void add_header_damages(DamageList list) {
  for (const std::string magic : {"GGML", "ggjt", "FUGG", "PK\x03\x04"})
    list.fails([&](TestGguf& f) { f.magic = magic; }, {"the file starts with '" + magic.substr(0, 2), "'GGUF'"});
  list.fails([](TestGguf& f) { f.magic = std::string(4, '\0'); }, {"'\\x00\\x00\\x00\\x00'", "'GGUF'"});
  for (const uint32_t version : {0U, 1U, 4U, 5U, 255U, 0x1000000U << 4})
    list.fails([&](TestGguf& f) { f.version = version; }, {"GGUF version " + std::to_string(version), "2 and 3"});
  for (const uint32_t version : {1U, 2U, 3U, 4U})
    list.fails([&](TestGguf& f) { f.version = version << 24; },
               {"big-endian", "version " + std::to_string(version), "little-endian"});
  list.fails([](TestGguf& f) { f.n_tensors = 4; }, {"tensor 3 is named ''"});
  list.fails([](TestGguf& f) { f.n_tensors = 131'073; }, {"131073 tensors", "131072"});
  list.fails([](TestGguf& f) { f.n_keys = 65'537; }, {"65537 keys", "65536"});
  list.fails([](TestGguf& f) { f.n_keys = 15; }, {"tensor 'k.nested' has 9 dimensions", "1 to 4"});
  list.fails([](TestGguf& f) { f.n_keys = 17; }, {"tensor 0 is named ''"});
  list.parses([](TestGguf& f) { f.version = 2; }, "version 2");
}

inline void add_alignment_damages(DamageList list) {
  const auto with_alignment = [](TestValue value) { return [value](TestGguf& f) { f.keys[1].value = value; }; };
  for (const uint32_t alignment : {0U, 1U, 4U, 7U, 24U, 33U, 48U, UINT32_MAX})
    list.fails(with_alignment(u32(alignment)),
               {"'general.alignment' is " + std::to_string(alignment), "power of two, 8 or more"});
  list.fails(with_alignment(scalar<int32_t>(MetaType::i32, -32)), {"'general.alignment' is -32"});
  list.fails(with_alignment(scalar<int64_t>(MetaType::i64, INT64_MIN)),
             {"'general.alignment' is -9223372036854775808"});
  list.fails(with_alignment(scalar<uint64_t>(MetaType::u64, 1ULL << 32)), {"'general.alignment' is 4294967296"});
  list.fails(with_alignment(scalar<float>(MetaType::f32, 32)), {"'general.alignment' is of type f32", "an integer"});
  list.fails(with_alignment(string("32")), {"'general.alignment' is of type string", "an integer"});
  list.fails(with_alignment(boolean(1)), {"'general.alignment' is of type bool", "an integer"});
  list.fails(with_alignment(numbers<uint32_t>(MetaType::u32, {32})), {"'general.alignment' is of type array"});
  // A right one that the file does not keep to.
  list.fails(with_alignment(u32(64)), {"tensor 'b.weight' starts at offset 32", "64"});
  list.fails(with_alignment(u32(1U << 31)), {"tensor 'b.weight' starts at offset 32", "2147483648"});
  list.fails([](TestGguf& f) { f.keys[1].value = u32(1U << 31), f.tensors.resize(1); },
             {"tensor 'a.weight'", "needs 3 blocks", "0 bytes of data"});
  list.parses(with_alignment(scalar<uint64_t>(MetaType::u64, 32)), "alignment as u64");
}

// Arrays in arrays, `depth` of them, the innermost empty.
inline TestValue nested_arrays(size_t depth) {
  TestValue value = raw_array(0, 0, "");
  if (depth == 1) return value;
  ByteWriter out;
  for (size_t level = 1; level < depth; ++level) {
    out.put<uint32_t>(9);
    out.put<uint64_t>(1);
  }
  value.bytes = out.bytes() + value.bytes;
  return value;
}

inline void add_key_damages(DamageList list) {
  const auto with_value = [](TestValue value) {
    return [value](TestGguf& f) { f.keys.push_back({"odd.key", value}); };
  };
  list.fails([](TestGguf& f) { f.keys.push_back(f.keys[3]); }, {"key 'k.i8' appears twice"});
  list.fails([](TestGguf& f) { f.keys.push_back({"k.i8", string("of another type")}); }, {"key 'k.i8' appears twice"});
  for (const size_t depth : {5, 6, 100, 200'000})
    list.fails(with_value(nested_arrays(depth)), {"key 'odd.key'", "nests arrays deeper than 4"});
  list.parses(with_value(nested_arrays(4)), "nested 4 deep");
  for (const uint32_t type : {13U, 14U, 255U, UINT32_MAX}) {
    list.fails(with_value({type, "1234", {}}), {"key 'odd.key' has value type " + std::to_string(type), "0 to 12"});
    list.fails(with_value(raw_array(type, 1, "1234")), {"key 'odd.key' has value type " + std::to_string(type)});
  }
  for (const int value : {2, 128, 255}) {
    const auto byte = static_cast<uint8_t>(value);
    list.fails(with_value(boolean(byte)), {"key 'odd.key'", "a bool with value " + std::to_string(value), "0 or 1"});
    list.fails(with_value(numbers<uint8_t>(MetaType::boolean, {1, byte, 0})),
               {"key 'odd.key'", "a bool with value " + std::to_string(value), "0 or 1"});
  }
  // Counts whose bytes, multiplied out, would wrap around 2^64 to a size that fits.
  for (const auto& [type, name, count] :
       {std::tuple{10U, "u64", (1ULL << 61) + 1}, {4U, "u32", (1ULL << 62) + 1}, {3U, "i16", (1ULL << 63) + 1}})
    list.fails(with_value(raw_array(type, count, "12345678")),
               {"key 'odd.key' claims " + std::to_string(count), name, "bytes left"});
  list.fails(with_value(raw_array(8, 1ULL << 61, "12345678")), {"key 'odd.key' claims 2305843009213693952", "string"});
  list.fails(with_value(raw_array(9, 1ULL << 62, "12345678")), {"key 'odd.key' claims 4611686018427387904", "array"});
  list.fails(with_value(string("text", UINT64_MAX)), {"key 'odd.key'", "needs 18446744073709551615 bytes"});
  list.parses(with_value(string(std::string_view("a\0b\0", 4))), "a string with NULs");
  list.parses(with_value(raw_array(8, 0, "")), "no strings");
}

inline void add_name_damages(DamageList list) {
  using namespace std::string_literals;
  const std::pair<std::string, std::string> names[] = {{"", "''"},
                                                       {"a\0b"s, "'a\\x00b'"},
                                                       {"\0"s, "'\\x00'"},
                                                       {"a.weight\0"s, "'a.weight\\x00'"},
                                                       {"a b", "'a b'"},
                                                       {"a\nb", "'a\\x0ab'"},
                                                       {"\x1B[31m", "'\\x1b[31m'"},
                                                       {"a\x7F", "'a\\x7f'"},
                                                       {"\xC3\xA4", "'\xC3\xA4'"}};
  for (const auto& [name, quoted] : names) {
    list.fails([&](TestGguf& f) { f.keys[2].name = name; }, {"key 2 is named " + quoted, "printable ASCII"});
    list.fails([&](TestGguf& f) { f.tensors[1].name = name; }, {"tensor 1 is named " + quoted, "printable ASCII"});
  }
  list.fails([](TestGguf& f) { f.keys[2].name.assign(65'536, 'k'); }, {"the name of key 2", "65536 bytes", "65535"});
  list.fails([](TestGguf& f) { f.tensors[1].name.assign(256, 't'); }, {"the name of tensor 1", "256 bytes", "255"});
  list.parses([](TestGguf& f) { f.keys[2].name.assign(65'535, 'k'); }, "the longest key");
  list.parses([](TestGguf& f) { f.tensors[1].name.assign(255, 't'); }, "the longest tensor name");
}

inline void add_shape_damages(DamageList list) {
  for (const uint32_t n_dims : {0U, 5U, 6U, UINT32_MAX})
    list.fails([&](TestGguf& f) { f.tensors[1].n_dims = n_dims; },
               {"tensor 'b.weight' has " + std::to_string(n_dims) + " dimensions", "1 to 4"});
  list.fails([](TestGguf& f) { f.tensors[1].dims = {1, 1, 1, 1, 1}; }, {"tensor 'b.weight' has 5 dimensions"});
  for (const size_t axis : {0, 1, 2})
    list.fails([&](TestGguf& f) { f.tensors[2].dims[axis] = 0; }, {"tensor 'c.weight' has a dimension of 0"});
  const std::vector<uint64_t> overflowing[] = {{1ULL << 32, 1ULL << 31},
                                               {1ULL << 32, 1ULL << 32},
                                               {1ULL << 62, 2},
                                               {1ULL << 63},
                                               {UINT64_MAX},
                                               {UINT64_MAX, UINT64_MAX},
                                               {1ULL << 16, 1, 1ULL << 48},
                                               {1ULL << 32, 1ULL << 32, 1, 1},
                                               {2, 1ULL << 31, 1ULL << 31, 2},
                                               {UINT64_MAX, UINT64_MAX, 1, 1}};
  for (const auto& dims : overflowing)
    list.fails([&](TestGguf& f) { f.tensors[0].dims = dims; },
               {"tensor 'a.weight'", "product is beyond 2^63", std::to_string(dims[0])});
  // The product of the dimensions fits; that with the bytes of a value does not.
  for (const auto& dims : {std::vector<uint64_t>{1ULL << 62}, {1ULL << 31, 1ULL << 31}, {(1ULL << 62) + 1}})
    list.fails([&](TestGguf& f) { f.tensors[0].dims = dims; },
               {"tensor 'a.weight' (F32 [", "of 4 bytes", "are in the file"});
  for (const uint64_t row : {1, 31, 33, 63})
    list.fails([&](TestGguf& f) { f.tensors[1].dims[0] = row; },
               {"tensor 'b.weight' has rows of " + std::to_string(row), "multiple of 32"});
  for (const uint32_t type : {4U, 5U, 9U, 15U, 31U, 36U, 200U, 1U << 16, UINT32_MAX})
    list.fails([&](TestGguf& f) { f.tensors[1].type = type; },
               {"tensor 'b.weight' is of data type " + std::to_string(type), "cannot decode"});
}

inline void add_offset_damages(DamageList list) {
  const auto with_offset = [](size_t tensor, uint64_t offset) {
    return [=](TestGguf& f) { f.tensors[tensor].offset = offset; };
  };
  for (const uint64_t offset : {1ULL, 8ULL, 33ULL, 48ULL, (1ULL << 32) + 1, ~0ULL, ~0ULL - 30})
    list.fails(with_offset(1, offset),
               {"tensor 'b.weight' starts at offset " + std::to_string(offset), "alignment, 32"});
  for (const uint64_t offset : {192ULL, 1ULL << 31, 1ULL << 32, 1ULL << 63, ~0ULL - 31})
    list.fails(with_offset(1, offset), {"tensor 'b.weight'", "from offset " + std::to_string(offset), "of data"});
  list.fails([](TestGguf& f) { f.tensors.push_back(f.tensors[0]); }, {"tensor 'a.weight' appears twice"});
  list.fails([](TestGguf& f) { f.tensors[2].name = "b.weight"; }, {"tensor 'b.weight' appears twice"});
  // Overlaps: the same bytes, a part of them, one tensor within another, and tensors that are not neighbours in the
  // list.
  list.fails(with_offset(1, 0), {"overlaps", "'a.weight'", "'b.weight'"});
  list.fails(with_offset(2, 96), {"tensor 'c.weight' at offset 96 overlaps tensor 'b.weight', which ends at 100"});
  list.fails(with_offset(2, 64), {"tensor 'c.weight' at offset 64 overlaps tensor 'b.weight'"});
  list.fails(with_offset(2, 32), {"overlaps", "'b.weight'", "'c.weight'"});
  list.fails(with_offset(0, 64), {"tensor 'a.weight' at offset 64 overlaps tensor 'b.weight'"});
  list.fails(with_offset(0, 128), {"at offset 128 overlaps tensor", "'a.weight'", "'c.weight'"});
  list.parses(with_offset(0, 0), "where it is");
}

inline std::vector<Damage> all_damages() {
  std::vector<Damage> damages;
  add_truncations(damages);
  add_field_values(damages);
  add_byte_changes(damages);
  const DamageList list(damages);
  add_header_damages(list);
  add_alignment_damages(list);
  add_key_damages(list);
  add_name_damages(list);
  add_shape_damages(list);
  add_offset_damages(list);
  return damages;
}

}  // namespace ogas::test
