// What experts that are read from disk cost an answer, for people and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "nn/expert_store.h"

namespace ogas::cli {

// "37 of 128 experts a layer in memory hold 82% of uses; ..." of all that was computed; `seconds` is how long it took.
std::string describe_experts(const ExpertStore& experts, double seconds);
nlohmann::ordered_json experts_json(const ExpertStore& experts);

}  // namespace ogas::cli
