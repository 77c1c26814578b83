#include "engine/expert_stats.h"

namespace ogas {

ExpertStats ExpertStats::since(const ExpertStats& before) const {
  return {ExpertStore::Stats::since(before), n_slots, n_experts, memory_bytes};
}

std::optional<ExpertStats> expert_stats(const Engine& engine) {
  const ExpertStore* experts = engine.experts();
  if (!experts) return {};
  return ExpertStats{experts->stats(), experts->n_slots(), experts->n_experts(), experts->n_bytes()};
}

}  // namespace ogas
