// Writes GGUF files for tests, right ones and wrong ones: every field can be given a value that does not fit the rest.
//
// Not a writer for models: nothing is checked, and the file is made in memory. It records the position of each field,
// so that a test can damage them one by one.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "files/metadata.h"

namespace ogas::test {

enum class Field {
  version,
  n_tensors,
  n_keys,  // of the header
  key_length,
  value_type,
  scalar,
  string_length,
  element_type,
  array_count,  // of a key
  name_length,
  n_dims,
  dim,
  tensor_type,
  offset,  // of a tensor
};

struct FieldLocation {
  Field kind;
  size_t at;          // byte in the file
  size_t width;       // bytes
  std::string owner;  // the key or tensor it belongs to; empty for the header
  size_t idx;         // number of the key or tensor; of a dim the axis in the file's order
};

// Appends little-endian numbers and strings.
class ByteWriter {
 public:
  template <class T>
  void put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_string(std::string_view text, std::optional<uint64_t> length = {}) {
    put<uint64_t>(length.value_or(text.size()));
    bytes_ += text;
  }
  void put_bytes(std::string_view bytes) { bytes_ += bytes; }
  void pad_to(uint64_t alignment) {
    while (alignment > 1 && bytes_.size() % alignment != 0) bytes_ += '\0';
  }
  size_t size() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// A value with its type's number. Positions in `fields` are relative to the bytes, which follow the type in the file.
struct TestValue {
  uint32_t type;
  std::string bytes;
  std::vector<FieldLocation> fields;
};

template <class T>
TestValue scalar(MetaType type, T value) {
  return {static_cast<uint32_t>(type),
          {reinterpret_cast<const char*>(&value), sizeof value},
          {{Field::scalar, 0, sizeof value, {}, 0}}};
}
inline TestValue u32(uint32_t value) { return scalar(MetaType::u32, value); }
inline TestValue boolean(uint8_t value) { return scalar(MetaType::boolean, value); }
inline TestValue string(std::string_view text, std::optional<uint64_t> length = {}) {
  ByteWriter out;
  out.put_string(text, length);
  return {static_cast<uint32_t>(MetaType::string), out.bytes(), {{Field::string_length, 0, 8, {}, 0}}};
}
// `elements`: the bytes of all of them, back to back.
inline TestValue raw_array(uint32_t element_type, uint64_t count, std::string_view elements) {
  ByteWriter out;
  out.put(element_type);
  out.put(count);
  out.put_bytes(elements);
  return {static_cast<uint32_t>(MetaType::array),
          out.bytes(),
          {{Field::element_type, 0, 4, {}, 0}, {Field::array_count, 4, 8, {}, 0}}};
}
// An array of values of one type (u8 if there are none).
inline TestValue array(const std::vector<TestValue>& values) {
  std::string elements;
  for (const TestValue& value : values) elements += value.bytes;
  return raw_array(values.empty() ? 0 : values.front().type, values.size(), elements);
}
inline TestValue strings(const std::vector<std::string>& texts) {
  std::vector<TestValue> values;
  for (const std::string& text : texts) values.push_back(string(text));
  TestValue result = array(values);
  if (!texts.empty()) result.fields.push_back({Field::string_length, 12, 8, {}, 0});
  result.bytes[0] = static_cast<char>(MetaType::string);
  return result;
}
template <class T>
TestValue numbers(MetaType type, const std::vector<T>& values) {
  return raw_array(static_cast<uint32_t>(type), values.size(),
                   {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

struct TestKey {
  std::string name;
  TestValue value;
  std::optional<uint64_t> name_length = {};
};

struct TestTensor {
  std::string name;
  std::vector<uint64_t> dims;  // as in the file, innermost first
  uint32_t type = 0;           // F32
  std::string data;
  std::optional<uint64_t> offset = {};  // else after the tensor before it, aligned
  std::optional<uint32_t> n_dims = {};
  std::optional<uint64_t> name_length = {};
};

struct TestGguf {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> n_tensors = {};
  std::optional<uint64_t> n_keys = {};
  uint64_t alignment = 32;  // of the data; write a key for it if it is another
  std::vector<TestKey> keys = {};
  std::vector<TestTensor> tensors = {};

  // The file's bytes. fields: receives the position of each field, unless null.
  std::string write(std::vector<FieldLocation>* fields = nullptr) const {
    std::vector<FieldLocation> unused;
    if (!fields) fields = &unused;
    ByteWriter out;
    out.put_bytes(magic);
    fields->push_back({Field::version, out.size(), 4, {}, 0});
    out.put(version);
    fields->push_back({Field::n_tensors, out.size(), 8, {}, 0});
    out.put<uint64_t>(n_tensors.value_or(tensors.size()));
    fields->push_back({Field::n_keys, out.size(), 8, {}, 0});
    out.put<uint64_t>(n_keys.value_or(keys.size()));
    for (size_t idx = 0; idx < keys.size(); ++idx) write_key(out, idx, *fields);
    uint64_t offset = 0;
    for (size_t idx = 0; idx < tensors.size(); ++idx) {
      write_record(out, idx, offset, *fields);
      offset = (offset + tensors[idx].data.size() + alignment - 1) / alignment * alignment;
    }
    for (const TestTensor& tensor : tensors) {
      if (tensor.data.empty()) continue;
      out.pad_to(alignment);
      out.put_bytes(tensor.data);
    }
    return out.bytes();
  }

 private:
  void write_key(ByteWriter& out, size_t idx, std::vector<FieldLocation>& fields) const {
    const TestKey& key = keys[idx];
    fields.push_back({Field::key_length, out.size(), 8, key.name, idx});
    out.put_string(key.name, key.name_length);
    fields.push_back({Field::value_type, out.size(), 4, key.name, idx});
    out.put(key.value.type);
    for (const FieldLocation& field : key.value.fields)
      fields.push_back({field.kind, out.size() + field.at, field.width, key.name, idx});
    out.put_bytes(key.value.bytes);
  }
  void write_record(ByteWriter& out, size_t idx, uint64_t offset, std::vector<FieldLocation>& fields) const {
    const TestTensor& tensor = tensors[idx];
    fields.push_back({Field::name_length, out.size(), 8, tensor.name, idx});
    out.put_string(tensor.name, tensor.name_length);
    fields.push_back({Field::n_dims, out.size(), 4, tensor.name, idx});
    out.put<uint32_t>(tensor.n_dims.value_or(static_cast<uint32_t>(tensor.dims.size())));
    for (size_t axis = 0; axis < tensor.dims.size(); ++axis) {
      fields.push_back({Field::dim, out.size(), 8, tensor.name, axis});
      out.put(tensor.dims[axis]);
    }
    fields.push_back({Field::tensor_type, out.size(), 4, tensor.name, idx});
    out.put(tensor.type);
    fields.push_back({Field::offset, out.size(), 8, tensor.name, idx});
    out.put<uint64_t>(tensor.offset.value_or(offset));
  }
};

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

}  // namespace ogas::test
