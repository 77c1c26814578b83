// ogas_generate_options and what they are to the engine.
#pragma once

#include <ogas/ogas.h>

#include <span>
#include <string_view>
#include <variant>

#include "engine/engine.h"

namespace ogas::capi {

// A number of ogas_generate_options that a row of sampling_settings() describes.
struct SamplingField {
  std::string_view name;
  std::variant<float ogas_generate_options::*, uint32_t ogas_generate_options::*, uint64_t ogas_generate_options::*>
      field;
};
std::span<const SamplingField> sampling_fields();

// A field that a row of request_settings() describes; stop, an array, is none of them.
struct RequestField {
  std::string_view name;
  std::variant<int ogas_generate_options::*, uint32_t ogas_generate_options::*, size_t ogas_generate_options::*,
               double ogas_generate_options::*, const char * ogas_generate_options::*>
      field;
};
std::span<const RequestField> request_fields();

// The model's publisher's, else the engine's defaults.
ogas_generate_options recommended_options(const Engine& engine);

// given: NULL for the recommended ones; of a shorter struct those stand for what it lacks. Errors: usage, unsupported.
Result<ogas_generate_options> read_options(const Engine& engine, const ogas_generate_options* given);

// A request without a prompt; nothing of what the options point to is kept. Errors: usage, unsupported.
Result<Request> make_request(const Engine& engine, const ogas_generate_options& options);
// Has a request keep to the form that the options ask for, where they do, and to its tools, with which it must have its
// start. Errors: usage (two forms, a choice that is none of the tools), and those of ModelText::constrain.
Result<> set_form(const Engine& engine, const ogas_generate_options& options, const nlohmann::ordered_json& tools,
                  Request& request);

}  // namespace ogas::capi
