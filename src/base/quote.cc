#include "base/quote.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace ogas {
namespace {

struct Range {
  char32_t first, last;
};

// Characters that are invisible, or change how adjacent text is shown. U+200C and U+200D, which join and separate
// letters of many scripts and emoji, are not among them.
constexpr Range kUnseen[] = {
    {0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},       {0x061C, 0x061C}, {0x180E, 0x180E},
    {0x200B, 0x200B}, {0x200E, 0x200F}, {0x2028, 0x202E},   {0x2060, 0x206F}, {0xFDD0, 0xFDEF},
    {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB}, {0xE0000, 0xE0FFF},
};

bool is_seen(char32_t c) {
  const bool is_none = (c & 0xFFFE) == 0xFFFE;  // never to be a character
  return !is_none && std::ranges::none_of(kUnseen, [c](Range range) { return c >= range.first && c <= range.last; });
}

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr size_t kMax = 80;
  std::string result = "'";
  size_t at = 0;
  while (at < text.size()) {
    const Utf8Step step = next_utf8(text.substr(at));
    if (at + step.length > kMax) break;
    const std::string_view bytes = text.substr(at, step.length);
    if (step.kind == Utf8Kind::valid && is_seen(step.code_point))
      result += bytes;
    else
      for (const char c : bytes) result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    at += step.length;
  }
  return result + (at < text.size() ? "...'" : "'");
}

}  // namespace ogas
