// NumPy's .npy files, version 1.0 (numpy.lib.format), as far as writing a float32 matrix goes.
#pragma once

#include <cstdint>
#include <string>

namespace ogas::cli {

// The header of a C-ordered little-endian float32 array [n_rows, n_cols]; the numbers follow it.
std::string npy_header(uint64_t n_rows, uint64_t n_cols);

}  // namespace ogas::cli
