// An automaton that reads a decimal number from its first digit on, and knows whether it is a multiple of p / 10^q.
//
// It reads -?(0|[1-9][0-9]*)(\.[0-9]+)? and keeps the remainder of the digits so far, as one whole number, by p. A
// state is left out (it becomes `nothing`) where no continuation is a multiple.
#pragma once

#include "grammar/regex.h"

namespace ogas::grammar {

// The language of all multiples.
NodeId multiples_of(Regexes& regexes, const Divisor& divisor);
NodeId derive_multiple(Regexes& regexes, const Node& node, uint8_t byte);
// The bytes on which its derivatives differ.
ByteSet bytes_of_multiple();

}  // namespace ogas::grammar
