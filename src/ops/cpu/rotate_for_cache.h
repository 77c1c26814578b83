// Formats of few bits keep keys and values rotated (CpuKernels::hadamard): one large value among them would coarsen all
// the others. Queries are rotated as the keys are, and what is attended to is turned back by the same rotation; scores
// and results stay what they were. Ashkboos et al. 2024, QuaRot. Does nothing with formats of more bits.
#pragma once

#include "kernels/cpu_kernels.h"

namespace ogas {

// n_heads heads of dim values, one after the other.
inline void rotate_for_cache(const CpuKernels& kernels, Format format, float* x, size_t dim, size_t n_heads) {
  if (format != Format::q4_0) return;
  const size_t n = dim & -dim;  // the largest power of two that divides a head
  kernels.hadamard(x, n, n_heads * (dim / n));
}

}  // namespace ogas
