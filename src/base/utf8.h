// UTF-8, one character at a time, of text that may be damaged.
#pragma once

#include <cstddef>
#include <string_view>

namespace ogas {

enum class Utf8Kind {
  valid,       // `length` bytes are one character
  invalid,     // `length` bytes can never be part of one (a maximal subpart, Unicode 15, 3.9)
  incomplete,  // the text ends within a character that may still be valid; `length` is all of it
};

struct Utf8Step {
  Utf8Kind kind;
  size_t length;
  char32_t code_point;  // of a valid character
};

// The first character of a text, which must not be empty.
Utf8Step next_utf8(std::string_view text);

}  // namespace ogas
