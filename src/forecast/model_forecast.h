// The memory and the speed of a model file on this machine, from its headers alone.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "files/tensor_file.h"
#include "forecast/forecast.h"

namespace ogas {

struct ModelForecast {
  ModelFacts facts;
  MemoryPlan memory;
  Rates rates = {};
  Forecast even = {}, skewed = {};
  std::map<std::string, double> token_seconds_with = {};  // to decode one, by the change that would help
};

// has_weights: the file holds its weights, so that the disk they lie on can be measured; otherwise a model that does
// not fit needs `disk`, in bytes a second. name: in messages. Errors: as create_model and plan_memory; usage where
// `disk` is missing; not_found for a mirror without the file.
Result<ModelForecast> forecast_model(const TensorFile& file, const std::string& name, const EngineOptions& options,
                                     std::optional<uint64_t> disk, bool has_weights);

}  // namespace ogas
