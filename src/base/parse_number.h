// A number that is all there is in a text.
#pragma once

#include <charconv>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "base/quote.h"
#include "base/result.h"

namespace ogas {

// name: what the number is of; it begins the message. Errors: usage (another text, or a number out of the type's
// range).
template <class Number>
Result<Number> parse_number(std::string_view name, std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return fail(ErrorCode::usage, "{}: {} is not a {}", name, in_quotes(text),
              std::is_floating_point_v<Number> ? "number" : "whole number in range");
}

}  // namespace ogas
