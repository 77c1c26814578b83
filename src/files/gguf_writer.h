// GGUF version 3 written: keys and tensors by name, laid out before any data is there, so that files larger than memory
// can be streamed. What the keys and tensors mean is for those who add them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "files/metadata.h"
#include "files/tensor_file.h"

namespace ogas {

class GgufWriter {
 public:
  static constexpr uint64_t kAlignment = 32;  // the format's default, so that no key for it is needed

  struct Tensor {
    std::string name;
    Format format;  // one that GGUF has a number for
    Shape shape;
    uint64_t offset;  // of its data from the start of the data
    uint64_t n_bytes;
  };

  // A key or name may be added once; the order is that of the file.
  void add_uint(std::string_view key, uint32_t value);
  void add_float(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string> values);
  void add_ints(std::string_view key, std::span<const int32_t> values);
  // Rows must be whole blocks of the format.
  void add_tensor(std::string_view name, Format format, const Shape& shape);

  const std::vector<Tensor>& tensors() const { return tensors_; }
  // Everything before the data, padded to the alignment; tensor data follows at header().size() + offset, with zeros
  // between.
  std::string header() const;
  uint64_t data_bytes() const { return data_bytes_; }  // to the end of the last tensor

 private:
  void begin_key(std::string_view key, MetaType type);

  std::string keys_;
  uint64_t n_keys_ = 0;
  std::vector<Tensor> tensors_;
  uint64_t data_bytes_ = 0;
};

}  // namespace ogas
