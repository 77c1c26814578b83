#include "files/gguf_writer.h"

#include <bit>

#include "base/check.h"

namespace ogas {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_string(std::string& out, std::string_view text) {
  put<uint64_t>(out, text.size());
  out += text;
}

uint64_t align(uint64_t offset) {
  return (offset + GgufWriter::kAlignment - 1) / GgufWriter::kAlignment * GgufWriter::kAlignment;
}

}  // namespace

void GgufWriter::begin_key(std::string_view key, MetaType type) {
  put_string(keys_, key);
  put(keys_, static_cast<uint32_t>(type));
  ++n_keys_;
}

void GgufWriter::add_uint(std::string_view key, uint32_t value) {
  begin_key(key, MetaType::u32);
  put(keys_, value);
}

void GgufWriter::add_float(std::string_view key, float value) {
  begin_key(key, MetaType::f32);
  put(keys_, value);
}

void GgufWriter::add_bool(std::string_view key, bool value) {
  begin_key(key, MetaType::boolean);
  put(keys_, static_cast<uint8_t>(value));
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  begin_key(key, MetaType::string);
  put_string(keys_, value);
}

void GgufWriter::add_strings(std::string_view key, std::span<const std::string> values) {
  begin_key(key, MetaType::array);
  put(keys_, static_cast<uint32_t>(MetaType::string));
  put<uint64_t>(keys_, values.size());
  for (const std::string& value : values) put_string(keys_, value);
}

void GgufWriter::add_ints(std::string_view key, std::span<const int32_t> values) {
  begin_key(key, MetaType::array);
  put(keys_, static_cast<uint32_t>(MetaType::i32));
  put<uint64_t>(keys_, values.size());
  for (const int32_t value : values) put(keys_, value);
}

void GgufWriter::add_tensor(std::string_view name, Format format, const Shape& shape) {
  const FormatFacts& facts = facts_of(format);
  OGAS_CHECK(facts.ggml_type != kNoGgmlType, "GGUF has no number for {}", facts.name);
  OGAS_CHECK(shape.n_dims > 0 && shape[shape.n_dims - 1] % facts.block_values == 0,
             "tensor {} of shape {}: rows are not whole blocks of {}", name, shape.to_string(), facts.name);
  const uint64_t offset = align(data_bytes_);
  const uint64_t n_bytes = facts.bytes_for(shape.n_values());
  tensors_.push_back({std::string(name), format, shape, offset, n_bytes});
  data_bytes_ = offset + n_bytes;
}

std::string GgufWriter::header() const {
  std::string out = "GGUF";
  put<uint32_t>(out, 3);
  put<uint64_t>(out, tensors_.size());
  put(out, n_keys_);
  out += keys_;
  for (const Tensor& tensor : tensors_) {
    put_string(out, tensor.name);
    put(out, tensor.shape.n_dims);
    for (size_t axis = tensor.shape.n_dims; axis-- > 0;) put(out, tensor.shape[axis]);
    put(out, facts_of(tensor.format).ggml_type);
    put(out, tensor.offset);
  }
  out.resize(align(out.size()), '\0');
  return out;
}

}  // namespace ogas
