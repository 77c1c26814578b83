// Brzozowski's derivatives: what may follow a byte.
#pragma once

#include <array>

#include "grammar/regex.h"

namespace ogas::grammar {

// The texts t for which byte + t is in the language of id.
NodeId derive(Regexes& regexes, NodeId id, uint8_t byte);

// Bytes that no derivative of an expression distinguishes.
struct ByteClasses {
  std::array<uint8_t, 256> class_of = {};
  unsigned n_classes = 1;

  void refine(const ByteSet& set);
  void refine_byte(uint8_t byte);
};
ByteClasses byte_classes(const Regexes& regexes, NodeId id);

// Whether the text is in the language.
bool matches(Regexes& regexes, NodeId id, std::string_view text);

}  // namespace ogas::grammar
