// safetensors: a JSON header and raw tensors (format: huggingface/safetensors, README "Format").
//
//   u64 n          bytes of the header, little-endian
//   n bytes        {"name": {"dtype": "BF16", "shape": [..], "data_offsets": [begin, end]}, ..., "__metadata__": {..}}
//   the rest       tensors, row-major and little-endian; offsets count from here
//
// Parses one file's bytes; folders of several are put together by hf_folder.cc.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "base/function_ref.h"
#include "files/tensor_file.h"

namespace ogas {

struct SafetensorsEntry {
  std::string name;
  TensorInfo info;  // without its name, which `name` holds; data points into the file
  bool is_bytes;    // U8: no numbers, but what a block format may be made of; info.format means nothing
};

// Tensors of types that no weight has (integers and bools: buffers that checkpoints carry along) are left out, and so
// are those whose names are not wanted, of which nothing is read.
// Bounded: time and memory are linear in the header's size, whatever it says.
// Errors: bad_file and unsupported, naming the tensor, what was found and what was expected.
Result<std::vector<SafetensorsEntry>> parse_safetensors(Bytes file, FunctionRef<bool(std::string_view)> is_wanted);

}  // namespace ogas
