#include "base/quote.h"

#include <fmt/format.h>

namespace ogas {

std::string in_quotes(std::string_view text) {
  constexpr size_t kMost = 80;
  std::string result = "'";
  for (const char c : text.substr(0, kMost)) {
    if (c >= 0x20 && c < 0x7F)
      result += c;
    else
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return result + (text.size() > kMost ? "...'" : "'");
}

}  // namespace ogas
