// What Jinja finds out about a template before it runs.
#pragma once

#include "jinja/ast.h"

namespace ogas::jinja {

// Fails for filters and tests that do not exist, except where only an `if` leads to them: there they fail when reached.
// Fills in what each macro takes beyond its parameters.
void check_names(Block& block);

// Fills in the hidden names of every scope. Jinja decides at compile time what a name in a scope starts as: one that is
// assigned to before it is read there starts as it is in the scopes around, and undefined if none of those mentions it,
// even where the conversation has a variable of that name. (jinja2, idtracking.py)
void find_hidden_names(Program& program);

}  // namespace ogas::jinja
