// Changes text before it is cut: normalization form C, prefixes, replacements.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "text/vocab.h"

namespace ogas {

// What precedes a stretch of text.
enum class TextStart : uint8_t {
  nothing,  // it begins what is encoded
  token,    // an added token
  text,     // invalid UTF-8; no prefix is added
};

// The text after all steps, which is `text` itself where none changed anything; else it lies in `storage`.
// text: valid UTF-8.
std::string_view apply_steps(std::span<const TextStep> steps, std::string_view text, TextStart start,
                             std::string& storage);

// Normalization form C as of Unicode 9, like the library that made the models' training text: what was assigned later
// stays as it is. Returns the text itself where it is normalized already.
std::string_view normalize_nfc(std::string_view text, std::string& storage);

}  // namespace ogas
