// JSON from outside: bounded in nesting, and no key twice.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

namespace ogas {

using Json = nlohmann::ordered_json;

// Errors (bad_file): no JSON, nested deeper than 64, or an object with the same key twice; `what` names the text, and
// the message says at which byte.
Result<Json> parse_json(std::string_view text, std::string_view what);
Result<Json> parse_json(Bytes bytes, std::string_view what);

// The first letters of a value, for messages.
std::string excerpt(const Json& json);

}  // namespace ogas
