// Makes shapes of conjunctions of atoms.
#pragma once

#include "grammar/schema_solver.h"

namespace ogas::grammar {

// Throws Refusal for what no shape can say: unique items, too many demands or classes of keys.
ObjectShape build_object_shape(SchemaSolver& solver, const Conjunction& atoms);
ArrayShape build_array_shape(SchemaSolver& solver, const Conjunction& atoms);

}  // namespace ogas::grammar
