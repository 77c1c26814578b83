// The text of an argument in a tag, as JSON.
#pragma once

#include <string>
#include <string_view>

#include "chat/tool_table.h"

namespace ogas {

// A value as JSON. Where a string is allowed, the value is one, quotation marks and all, unless it is JSON of another
// type that is allowed, too. Without types (0) it may be of any type. What some templates write as Python does is taken
// for what it means there: True, None, {'a': 1}.
std::string argument_json(std::string_view text, JsonTypes types);

}  // namespace ogas
