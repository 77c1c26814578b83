// UTF-8, one character at a time, for text that may be damaged; and GPT-2's letters for bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ogas {

enum class Utf8Kind {
  valid,       // `length` bytes are one character
  invalid,     // `length` bytes can never be part of one (a maximal subpart, Unicode 15, 3.9)
  incomplete,  // the text ends within what may still become a character; `length` is all of it
};

struct Utf8Step {
  Utf8Kind kind;
  size_t length;
  char32_t code_point;  // of a valid character
};

// What stands at the start of a text that is not empty.
Utf8Step next_utf8(std::string_view text);
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
