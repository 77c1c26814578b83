// Which implementation of the operations this process uses.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernels/ops.h"

namespace ogas {

// All tables that are compiled in and that this CPU can run, best first; the last one is the reference.
const std::vector<const Ops*>& available_ops();

// The first of available_ops(), or the one OGAS_ISA names. Errors: usage, if OGAS_ISA names an unknown one or one this
// CPU lacks; the message lists the available ones.
Result<const Ops*> choose_ops();

}  // namespace ogas
