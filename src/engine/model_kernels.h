// Which of the machine's kernels a model uses.
#pragma once

#include <cstdint>

#include "arch/model.h"
#include "kernels/cpu_kernels.h"

namespace ogas {

// The machine's kernels, without those that would be slower, or less exact, for this model.
CpuKernels kernels_for(const Model& model, const CpuKernels& machine);

// With fewer prompt tokens than this a pass takes hardly less time: weights are read, or decoded to tiles, once for all
// of them.
inline uint32_t min_batch(const CpuKernels& kernels) { return kernels.tile_rows > 0 ? 64 : 32; }

}  // namespace ogas
