// Llama 1 to 3.x, and what shares their tensors (SmolLM2, Yi, Mistral).
#pragma once

#include "arch/model.h"

namespace ogas {

Result<std::unique_ptr<Model>> create_llama(const TensorFile& file);

}  // namespace ogas
