// Rows of weights as floats, from any format and order they are stored in. Slow: for single rows (embeddings) and for
// the reference.
#pragma once

#include <span>

#include "kernels/cpu_kernels.h"

namespace ogas {

// Row o of W [n_in]; of args only the fields that locate W are used.
void read_row(const MatmulArgs& args, size_t o, std::span<float> row);

}  // namespace ogas
