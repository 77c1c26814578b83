// ogas_engine_options and what they are to the engine.
#pragma once

#include <ogas/ogas.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "engine/options.h"

namespace ogas::capi {

// A field that a row of engine_settings() or scheduler_settings() describes; mirrors, an array, is none of them.
struct EngineField {
  std::string_view name;
  std::variant<uint32_t ogas_engine_options::*, uint64_t ogas_engine_options::*, float ogas_engine_options::*,
               const char * ogas_engine_options::*>
      field;
};
std::span<const EngineField> engine_fields();

// Nothing of what the options point to is kept. Errors: usage, naming the option.
Result<EngineOptions> make_engine_options(const ogas_engine_options& given);
Result<SchedulerOptions> make_scheduler_options(const ogas_engine_options& given);

}  // namespace ogas::capi
