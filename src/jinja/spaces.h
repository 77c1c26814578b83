// White space as Python's str.isspace() has it, Unicode's included.
#pragma once

#include <cstddef>
#include <string_view>

namespace ogas::jinja {

// Bytes of white space at the start and at the end.
size_t leading_space(std::string_view text);
size_t trailing_space(std::string_view text);

}  // namespace ogas::jinja
