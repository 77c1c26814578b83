// The instruction set that this process computes with.
#pragma once

#include <string_view>

#include "base/result.h"

namespace ogas {

// "avx2", "reference", ... Errors: usage, if OGAS_ISA names one that is unknown or that this processor lacks.
Result<std::string_view> instruction_set();

}  // namespace ogas
