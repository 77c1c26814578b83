// Fewer experts a token than a model was trained with: quicker, and not what it would answer.
#pragma once

#include "arch/model.h"
#include "engine/engine.h"

namespace ogas {

// What the options ask for; nothing where they do not. Errors: usage (a model without experts, more experts than it
// takes, a weight that is none).
Result<> take_fewer_experts(Model& model, const EngineOptions& options);

}  // namespace ogas
