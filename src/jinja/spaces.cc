#include "jinja/spaces.h"

#include <algorithm>
#include <array>

namespace ogas::jinja {
namespace {

constexpr std::array<std::string_view, 19> kWide = {
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83",
    "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A",
    "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

bool is_narrow(char c) { return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F); }

}  // namespace

size_t leading_space(std::string_view text) {
  size_t n = 0;
  while (n < text.size()) {
    const std::string_view rest = text.substr(n);
    if (is_narrow(rest[0])) {
      ++n;
      continue;
    }
    if (static_cast<unsigned char>(rest[0]) < 0x80) break;
    const auto* wide = std::ranges::find_if(kWide, [&](std::string_view space) { return rest.starts_with(space); });
    if (wide == kWide.end()) break;
    n += wide->size();
  }
  return n;
}

size_t trailing_space(std::string_view text) {
  const size_t n_all = text.size();
  while (!text.empty()) {
    if (is_narrow(text.back())) {
      text.remove_suffix(1);
      continue;
    }
    if (static_cast<unsigned char>(text.back()) < 0x80) break;
    const auto* wide = std::ranges::find_if(kWide, [&](std::string_view space) { return text.ends_with(space); });
    if (wide == kWide.end()) break;
    text.remove_suffix(wide->size());
  }
  return n_all - text.size();
}

}  // namespace ogas::jinja
