// What reading experts from disk has cost since a model was loaded.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/engine.h"
#include "nn/expert_store.h"

namespace ogas {

struct ExpertStats : ExpertStore::Stats {
  uint64_t n_slots = 0;       // experts that can be in memory,
  uint64_t n_experts = 0;     // of this number in all layers
  uint64_t memory_bytes = 0;  // that they may come to take

  // What came to these since those; the memory is today's.
  ExpertStats since(const ExpertStats& before) const;
};

// Between two passes, on the engine's thread. None where all weights are in memory.
std::optional<ExpertStats> expert_stats(const Engine& engine);

}  // namespace ogas
