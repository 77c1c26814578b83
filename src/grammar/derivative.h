// Brzozowski's derivatives: what may follow a byte.
#pragma once

#include <string_view>
#include <vector>

#include "grammar/regex.h"

namespace ogas::grammar {

// The texts t for which byte + t is in the language of id.
NodeId derive(Regexes& regexes, NodeId id, uint8_t byte);

// A partition of all bytes: no derivative of the expression distinguishes the bytes of one set.
std::vector<ByteSet> byte_classes(const Regexes& regexes, NodeId id);

// Whether the text is in the language.
bool matches(Regexes& regexes, NodeId id, std::string_view text);

}  // namespace ogas::grammar
