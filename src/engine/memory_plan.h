// How a model is to lie in memory: what fits, and where its experts are. Numbers only, from headers alone; loading and
// `ogas plan` go by the same.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/model.h"
#include "base/result.h"
#include "engine/options.h"
#include "nn/kv_cache.h"

namespace ogas {

struct MemoryPlan {
  EngineOptions options = {};  // with the defaults resolved
  bool has_panels = false;     // of any matrix
  bool leaves_experts_on_disk = false;

  uint64_t available = 0;         // bytes the process may still take,
  uint64_t weight_bytes = 0;      // and what goes to weights, experts that are left on disk aside,
  uint64_t expert_bytes = 0;      // to what is kept and read of those,
  uint64_t context_bytes = 0;     // to keys and values, where memory is short all there may be, else a full context,
  uint64_t batch_bytes = 0;       // to activations and logits,
  uint64_t other_bytes = 0;       // and to whatever else a process needs, where memory is short: a guess
  uint64_t all_expert_bytes = 0;  // that expert_bytes would be if all had places
};

// Prompt tokens below which a pass takes hardly less time: weights are read, or decoded to tiles, for them all.
inline uint32_t min_batch(const CpuKernels& kernels) { return kernels.tile_rows > 0 ? 64 : 32; }

// The machine's kernels as they suit a model.
CpuKernels kernels_for(const Model& model, const CpuKernels& machine);

// The matrices that are not an expert's: those in memory where experts are left on disk.
std::vector<Linear*> linears_beside_experts(const Model& model);

// Keys and values as the options want them.
KvLayout kv_layout(const ModelFacts& facts, const EngineOptions& options);

// Errors: usage, for options out of range; out_of_memory, with what it needs and what there is.
Result<MemoryPlan> plan_memory(const Model& model, const CpuKernels& kernels, const EngineOptions& options);

}  // namespace ogas
