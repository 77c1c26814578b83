// The disjunctive normal form of what a value must satisfy, for one type.
#pragma once

#include <set>
#include <vector>

#include "grammar/schema_solver.h"

namespace ogas::grammar {

// Conjunctions of atoms of the type; a value of the type satisfies all literals where it satisfies one of them. Throws
// Refusal where there are too many.
std::vector<Conjunction> expand_literals(SchemaSolver& solver, const std::vector<Literal>& literals, TypeBit type);

}  // namespace ogas::grammar
