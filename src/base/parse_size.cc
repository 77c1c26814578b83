#include "base/parse_size.h"

#include <charconv>
#include <system_error>
#include <utility>

#include "base/ascii.h"
#include "base/quote.h"

namespace ogas {
namespace {

constexpr std::pair<std::string_view, double> kUnits[] = {
    {"", 1},     {"b", 1},    {"k", 1e3},   {"kb", 1e3},     {"m", 1e6},      {"mb", 1e6},     {"g", 1e9},
    {"gb", 1e9}, {"t", 1e12}, {"tb", 1e12}, {"kib", 0x1p10}, {"mib", 0x1p20}, {"gib", 0x1p30}, {"tib", 0x1p40},
};

}  // namespace

Result<uint64_t> parse_size(std::string_view name, std::string_view text) {
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit = lower_ascii(text.substr(static_cast<size_t>(rest - text.data())));
  for (const auto& [known, factor] : kUnits)
    if (error == std::errc() && unit == known && number >= 0 && number * factor < 0x1p63)
      return static_cast<uint64_t>(number * factor);
  return fail(ErrorCode::usage, "{}: {} is not a size such as 800M or 4G", name, in_quotes(text));
}

}  // namespace ogas
