// Loads a model, step by step: open the file, create the model, plan memory, read the text, choose where the weights
// will be, read them, fill the experts' slots.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "engine/loaded_model.h"
#include "engine/options.h"

namespace ogas {

// Errors: as Engine::load.
Result<std::unique_ptr<LoadedModel>> load_model(const std::filesystem::path& path, const EngineOptions& options,
                                                const LoadProgress& progress, const PlanReady& planned);

}  // namespace ogas
