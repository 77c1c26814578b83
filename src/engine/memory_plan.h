// How a model will use memory: what fits, and where its experts are. Numbers only, from headers alone; loading and
// `ogas plan` use the same ones.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/model_facts.h"
#include "base/result.h"
#include "engine/options.h"

namespace ogas {

class Linear;
class Model;
struct CpuKernels;

struct MemoryPlan {
  EngineOptions options = {};  // with the defaults resolved
  bool has_panels = false;     // of any matrix
  bool leaves_experts_on_disk = false;

  uint64_t available = 0;         // bytes the process may still take
  uint64_t weight_bytes = 0;      // of these: for weights, without experts that are left on disk
  uint64_t expert_bytes = 0;      // for slots of those experts
  uint64_t context_bytes = 0;     // for the KV cache: its budget where experts are on disk, else a full context
  uint64_t batch_bytes = 0;       // for activations and logits
  uint64_t other_bytes = 0;       // for all else that a process needs, where experts are on disk: an estimate
  uint64_t all_expert_bytes = 0;  // what expert_bytes would be if every expert had a slot
};

// The matrices that are not an expert's: those in memory where experts are left on disk.
std::vector<Linear*> linears_without_experts(const Model& model);

// The KV cache as the options want it.
KvLayout kv_layout(const ModelFacts& facts, const EngineOptions& options);

// Errors: usage, for options out of range; out_of_memory, with what it needs and what there is.
Result<MemoryPlan> plan_memory(const Model& model, const CpuKernels& kernels, const EngineOptions& options);

}  // namespace ogas
