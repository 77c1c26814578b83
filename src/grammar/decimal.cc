#include "grammar/decimal.h"

#include <algorithm>
#include <charconv>

namespace ogas::grammar {
namespace {

std::strong_ordering compare_magnitudes(const Decimal& left, const Decimal& right) {
  if (left.is_zero() || right.is_zero()) return right.is_zero() <=> left.is_zero();
  if (const auto order = left.scale() <=> right.scale(); order != 0) return order;
  return left.digits <=> right.digits;  // both begin at the same power of ten and end without zeros
}

}  // namespace

std::string Decimal::whole() const {
  if (is_zero() || scale() < 0) return "0";
  std::string text = digits.substr(0, std::min(digits.size(), static_cast<size_t>(scale() + 1)));
  text.append(static_cast<size_t>(scale() + 1) - text.size(), '0');
  return text;
}

std::string Decimal::fraction() const {
  if (exponent >= 0) return "";
  if (scale() >= 0) return digits.substr(static_cast<size_t>(scale() + 1));
  return std::string(static_cast<size_t>(-scale() - 1), '0') + digits;
}

std::strong_ordering Decimal::operator<=>(const Decimal& other) const {
  const bool left = is_negative && !is_zero(), right = other.is_negative && !other.is_zero();
  if (left != right) return left ? std::strong_ordering::less : std::strong_ordering::greater;
  return left ? compare_magnitudes(other, *this) : compare_magnitudes(*this, other);
}

Decimal parse_decimal(std::string_view text) {
  Decimal result;
  if (text.starts_with('-')) {
    result.is_negative = true;
    text.remove_prefix(1);
  }
  if (const size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view exponent = text.substr(e + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    constexpr int64_t kHuge = int64_t{1} << 60;
    const auto parsed = std::from_chars(exponent.data(), exponent.data() + exponent.size(), result.exponent);
    if (parsed.ec != std::errc() || result.exponent > kHuge || result.exponent < -kHuge)
      result.exponent = exponent.starts_with('-') ? -kHuge : kHuge;
    text = text.substr(0, e);
  }
  for (const char c : text)
    if (c != '.') result.digits += c;
  if (const size_t point = text.find('.'); point != std::string_view::npos)
    result.exponent -= static_cast<int64_t>(text.size() - point - 1);
  const size_t end = result.digits.find_last_not_of('0');
  result.exponent += static_cast<int64_t>(result.digits.size() - (end + 1));  // npos + 1 is 0: all of them
  result.digits.resize(end + 1);
  result.digits.erase(0, std::min(result.digits.find_first_not_of('0'), result.digits.size()));
  if (result.is_zero()) return {};
  return result;
}

}  // namespace ogas::grammar
