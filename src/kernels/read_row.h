// Rows of weights as floats, from whatever format and order they are stored in. The slow way: for single rows
// (embeddings) and for the reference.
#pragma once

#include <span>

#include "kernels/ops.h"

namespace ogas {

// Row o of W [n_in]; of args, what says where W lies.
void read_row(const MatmulArgs& args, size_t o, std::span<float> row);

}  // namespace ogas
