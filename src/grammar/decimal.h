// A decimal number, exactly.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace ogas::grammar {

// digits * 10^exponent; digits have no zeros at either end, and are empty for zero.
struct Decimal {
  bool is_negative = false;
  std::string digits;
  int64_t exponent = 0;

  bool is_zero() const { return digits.empty(); }
  // Of d.ddd * 10^scale().
  int64_t scale() const { return exponent + static_cast<int64_t>(digits.size()) - 1; }
  bool is_integer() const { return exponent >= 0; }
  // Digits before the point ("0" if there are none), and after it. The number must not be long (fits()).
  std::string whole() const;
  std::string fraction() const;
  // Whether whole() and fraction() have at most `max_digits`.
  bool fits(int64_t max_digits) const { return exponent >= -max_digits && scale() <= max_digits; }
  Decimal magnitude() const { return {.digits = digits, .exponent = exponent}; }

  bool operator==(const Decimal&) const = default;
  std::strong_ordering operator<=>(const Decimal& other) const;
};

// text is a JSON number.
Decimal parse_decimal(std::string_view text);

}  // namespace ogas::grammar
