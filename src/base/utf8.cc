#include "base/utf8.h"

#include <cstdint>

namespace ogas {
namespace {

struct Lead {
  size_t length;
  uint8_t second_min,
      second_max;  // narrower than 80..BF where overlong forms, surrogates and 110000.. must be kept out
};

// By Unicode 15, table 3-7; length 0 for bytes that start no character.
Lead lead_of(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

Utf8Step next_utf8(std::string_view text) {
  const auto byte = [&](size_t idx) { return static_cast<uint8_t>(text[idx]); };
  const Lead lead = lead_of(byte(0));
  if (lead.length == 0) return {Utf8Kind::invalid, 1, 0};
  if (lead.length == 1) return {Utf8Kind::valid, 1, byte(0)};
  char32_t code_point = byte(0) & (0x7FU >> lead.length);
  for (size_t idx = 1; idx < lead.length; ++idx) {
    if (idx == text.size()) return {Utf8Kind::incomplete, idx, 0};
    const uint8_t min = idx == 1 ? lead.second_min : 0x80;
    const uint8_t max = idx == 1 ? lead.second_max : 0xBF;
    if (byte(idx) < min || byte(idx) > max) return {Utf8Kind::invalid, idx, 0};
    code_point = code_point << 6 | (byte(idx) & 0x3FU);
  }
  return {Utf8Kind::valid, lead.length, code_point};
}

}  // namespace ogas
