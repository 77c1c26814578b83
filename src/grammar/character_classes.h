// Sets of characters with a name.
#pragma once

#include <optional>
#include <string_view>

#include "grammar/code_points.h"

namespace ogas::grammar {

// \d \D \w \W \s \S of ECMA 262, by their letter.
std::optional<CodePoints> named_class(char letter);
// What . matches.
CodePoints any_but_line_ends();
// A general category of Unicode: "L", "Lu", "Letter", "Uppercase_Letter"; also "Any" and "ASCII".
std::optional<CodePoints> category_class(std::string_view name);

}  // namespace ogas::grammar
