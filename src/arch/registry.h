// The list of architectures: from the name in a file to the code that runs it.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "arch/model.h"
#include "arch/model_overrides.h"
#include "files/tensor_file.h"

namespace ogas {

// Binds and validates every tensor. The file must outlive the model: weights stay where they are mapped.
// Errors: unsupported (an unknown architecture: the message lists those known), bad_file (keys, missing or misshapen
// tensors), usage (overrides: a model without experts, more experts than it was trained with, a weight that is none).
Result<std::unique_ptr<Model>> create_model(const TensorFile& file, const ModelOverrides& overrides = {});
// By the names that files of this naming use.
std::vector<std::string_view> known_architectures(Naming naming);

}  // namespace ogas
