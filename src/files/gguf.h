// GGUF, versions 2 and 3, little-endian (specification: ggml, docs/gguf.md).
//
// Parses one file's bytes; files that come in several parts are put together by tensor_file.cc. What is read here is
// what the format defines; what a key means is for those who ask for it.
#pragma once

#include <vector>

#include "base/file.h"
#include "files/metadata.h"
#include "files/tensor_file.h"

namespace ogas {

struct GgufContents {
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // in the order of the file; shard is 0
};

// Everything in the result points into `file`. Bounded: time and memory are linear in the file's size, whatever it
// says. Errors: bad_file and unsupported, naming the key, tensor or byte where it went wrong.
Result<GgufContents> parse_gguf(Bytes file);

}  // namespace ogas
