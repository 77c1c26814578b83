// Grammars as llama.cpp writes them (GBNF), as trees.
#pragma once

#include <string_view>
#include <vector>

#include "grammar/grammar_tree.h"

namespace ogas::grammar {

// Every rule that is mentioned is defined; one of them is "root". Throws Refusal.
std::vector<GrammarRule> parse_gbnf(std::string_view text);

}  // namespace ogas::grammar
