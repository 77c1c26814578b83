#include "engine/model_kernels.h"

#include <algorithm>

namespace ogas {

// Narrow models show what rounding activations costs (docs/PERFORMANCE.md), and are fast as they are: they have their
// prompts in BF16 where that is possible, others only where it is faster, too.
CpuKernels kernels_for(const Model& model, const CpuKernels& machine) {
  constexpr uint32_t kNarrow = 1024;
  CpuKernels kernels = machine;
  if (!kernels.tiles_are_quicker && model.facts().n_embd > kNarrow) kernels.tile_rows = 0;
  kernels.quantizes_prompts = kernels.tile_rows == 0 || std::ranges::any_of(model.linears(), [&](const Linear* linear) {
                                return !linear->reads_values(kernels) && linear->panel_bytes(kernels) == 0;
                              });
  return kernels;
}

}  // namespace ogas
