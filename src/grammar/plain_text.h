// How much text of characters that any JSON string may hold can follow in a lexeme.
#pragma once

#include "grammar/automaton.h"

namespace ogas::grammar {

struct PlainText {
  // Every text of up to this many characters may follow; kUnbounded: every text.
  uint32_t n_characters = 0;
  bool ends_there = false;  // and no longer one
};

// max: looks no further ahead.
PlainText plain_text_after(Automaton& automaton, NodeId lexeme, uint32_t max);

}  // namespace ogas::grammar
