// What names a model's content, and what the bits of its KV cache depend on: names of files that are kept for it.
#pragma once

#include <string>

#include "base/result.h"
#include "engine/options.h"
#include "files/tensor_file.h"
#include "kernels/cpu_kernels.h"
#include "nn/kv_layout.h"

namespace ogas {

// The model's content, by the description of each tensor and samples of its bytes; no names a person could read.
// Errors: io.
Result<std::string> identity_of(const TensorFile& file);

// How a model's KV cache is computed and stored.
struct KvIdentity {
  const CpuKernels& kernels;
  const KvLayout& layout;
  bool has_panels = false;  // of any matrix
  ModelOverrides overrides = {};
};
// A KV cache of another version of ogas, instruction set, layout or model has another identity. Errors: io.
Result<std::string> identity_of_pages(const TensorFile& file, const KvIdentity& kv);

}  // namespace ogas
