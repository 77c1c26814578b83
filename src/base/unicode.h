// What is known of characters and of text that may be damaged (UTF-8 itself: base/utf8.h); and GPT-2's letters for
// bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace ogas {

// How many bytes at the start of text are valid UTF-8 (whole characters).
size_t valid_utf8_prefix(std::string_view text);
// Where the last character of valid UTF-8 that is not empty begins.
size_t last_character(std::string_view text);
bool is_white_space(char32_t code_point);     // Unicode's White_Space
bool is_word_character(char32_t code_point);  // letters, marks, numbers, connecting punctuation
void append_utf8(std::string& text, char32_t code_point);
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// GPT-2 spells each byte as a printable character: those of Latin-1 that print stand for themselves, the others follow
// from U+0100 on in order. (Radford et al. 2019, encoder.py: bytes_to_unicode.)
const std::array<char32_t, 256>& byte_letters();
// The byte a letter stands for; empty for all other characters.
std::optional<uint8_t> byte_of_letter(char32_t letter);

}  // namespace ogas
