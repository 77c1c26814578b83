// The standard formats of strings (JSON Schema, "format") as sets of texts.
#pragma once

#include <optional>
#include <string_view>

#include "grammar/text_encoding.h"

namespace ogas::grammar {

// Empty for a format that has no standard meaning: those are annotations. Throws Refusal for one that has, but is not
// supported.
std::optional<NodeId> format_texts(TextEncoding& encoding, std::string_view format);

}  // namespace ogas::grammar
