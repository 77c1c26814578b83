// From tokens to a tree (grammar: Jinja 3.1, jinja2/parser.py). What is not supported is an error, never passed over.
#pragma once

#include <string_view>

#include "jinja/ast.h"

namespace ogas::jinja {

// Throws Failure with line and column.
Program parse_template(std::string_view source);

}  // namespace ogas::jinja
