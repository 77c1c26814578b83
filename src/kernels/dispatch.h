// Which implementation of the operations this process uses.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernels/cpu_kernels.h"

namespace ogas {

// All tables that are compiled in and that this CPU can run, best first; the last one is the reference.
const std::vector<const CpuKernels*>& available_kernels();

// The first of available_kernels(), or the one OGAS_ISA names. Errors: usage, if OGAS_ISA names an unknown one or one
// this CPU lacks; the message lists the available ones.
Result<const CpuKernels*> choose_kernels();

}  // namespace ogas
