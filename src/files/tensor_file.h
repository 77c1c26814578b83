// A model file opened: metadata and tensors by name, the bytes memory-mapped and never copied.
//
// Today GGUF (gguf.h); safetensors folders come to the same TensorFile. Floors above see no difference.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "files/metadata.h"
#include "quant/format.h"

namespace ogas {

// Dimensions outermost first, as NumPy and Hugging Face write them: a linear layer's weight is [n_out, n_in], and the
// last axis is contiguous. (GGUF stores them the other way round.) At most 4.
struct Shape {
  std::array<uint64_t, 4> dims{1, 1, 1, 1};
  uint32_t n_dims = 0;

  uint64_t operator[](size_t axis) const { return dims[axis]; }
  uint64_t n_values() const { return dims[0] * dims[1] * dims[2] * dims[3]; }  // checked against overflow at opening
  std::string to_string() const;                                               // "[49152, 576]"
  bool operator==(const Shape&) const = default;
};

struct TensorInfo {
  std::string_view name;
  Format format;
  Shape shape;
  Bytes data;      // format's bytes_for(n_values()), inside a mapped shard
  uint32_t shard;  // which file it lies in
};

class TensorFile {
 public:
  using Tensors = std::map<std::string_view, TensorInfo, std::less<>>;

  // path: a .gguf file; the first shard of a split one opens all of them (they must lie beside it).
  // Errors: not_found, io, bad_file, unsupported; the message names the file (of a split one, the part that is wrong).
  static Result<TensorFile> open(const std::filesystem::path& path);

  const Metadata& metadata() const { return metadata_; }
  const Tensors& tensors() const { return tensors_; }
  const TensorInfo* find(std::string_view name) const;  // null where there is none
  const std::filesystem::path& path() const { return shards_.front().path(); }
  const std::vector<MappedFile>& shards() const { return shards_; }
  uint64_t total_bytes() const;  // of all shards

 private:
  Result<> add_shard(const std::filesystem::path& path);

  // Names, strings and data are views into the shards' mappings.
  Metadata metadata_;
  Tensors tensors_;
  std::vector<MappedFile> shards_;
};

}  // namespace ogas
