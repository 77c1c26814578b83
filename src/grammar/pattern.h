// Patterns of ECMA 262 as expressions over whole texts.
#pragma once

#include <string_view>

#include "grammar/text_encoding.h"

namespace ogas::grammar {

// The texts in which the pattern is found, as JSON Schema means it. Throws Refusal.
NodeId texts_with_match(TextEncoding& encoding, std::string_view pattern);
// The texts that the pattern matches as a whole.
NodeId texts_matched(TextEncoding& encoding, std::string_view pattern);

}  // namespace ogas::grammar
