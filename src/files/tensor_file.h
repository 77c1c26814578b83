// A model file opened: metadata and tensors by name, the bytes memory-mapped and never copied.
//
// One class serves GGUF files (gguf.h) and Hugging Face folders: config.json with safetensors (safetensors.h). They
// name tensors and keys differently; naming() says which names to ask for.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
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
  // F8_E4M3: the factors of its blocks of 128 x 128, [ceil(rows / 128), ceil(columns / 128)]; empty for other formats.
  std::span<const float> block_scales = {};
  // MXFP4_SPLIT: a byte for each block of 32 (quant/mxfp4_split.h), inside a mapped shard; empty for other formats.
  Bytes scales = {};

  uint64_t n_bytes() const { return data.size() + scales.size(); }  // in the files
};

// By which convention tensors and keys are called.
enum class Naming : uint8_t {
  gguf,  // blk.0.attn_q.weight, qwen3.block_count
  hf,    // model.layers.0.self_attn.q_proj.weight, num_hidden_layers; of an object in config.json rope_scaling.factor
};

class TensorFile {
 public:
  using Tensors = std::map<std::string_view, TensorInfo, std::less<>>;

  // path: a .gguf file, a folder with config.json and safetensors, or a file of such a folder. The first shard of a
  // split GGUF file opens all of them; they must be in the same folder.
  // before_part is called before each file is opened; an error of it ends the opening.
  // Errors: not_found, io, bad_file, unsupported; the message names the file (of a split one, the part that is wrong).
  using BeforePart = std::function<Result<>()>;
  static Result<TensorFile> open(const std::filesystem::path& path, const BeforePart& before_part = {});

  const Metadata& metadata() const { return metadata_; }
  const Tensors& tensors() const { return tensors_; }
  const TensorInfo* find(std::string_view name) const;  // null where there is none
  Naming naming() const { return naming_; }
  const std::filesystem::path& path() const { return path_; }  // the file, or the folder
  const std::vector<MappedFile>& shards() const { return shards_; }
  // The one that these bytes are of; null where they are of none.
  const MappedFile* find_shard(Bytes bytes) const;
  // The same where there is one.
  const MappedFile& shard_of(Bytes bytes) const;
  uint64_t total_bytes() const;  // of all shards

 private:
  Result<> open_gguf(const std::filesystem::path& path, const BeforePart& before_part);
  Result<> add_gguf_shard(const std::filesystem::path& path);
  // hf_folder.cc
  Result<> open_hf_folder(const std::filesystem::path& folder, const BeforePart& before_part);
  // is_nested: of a model that sees or hears, too, only the tensors of its language model, by their plain names.
  Result<> add_safetensors(const std::filesystem::path& path, bool is_nested);
  Result<> attach_block_scales();
  Result<> attach_mxfp4_scales();

  std::filesystem::path path_;
  Naming naming_ = Naming::gguf;
  // Names, strings and data are views into the shards' mappings, or into texts_ where a file has them in another form.
  Metadata metadata_;
  Tensors tensors_;
  std::vector<MappedFile> shards_;
  std::deque<std::string> texts_;          // a deque: what is added moves nothing
  std::deque<std::vector<float>> scales_;  // block_scales
  Tensors bytes_;                          // safetensors of plain bytes, of which MXFP4 is made
};

}  // namespace ogas
