// What a model is to compute differently from how it was trained; given when it is created.
#pragma once

#include <cstdint>

namespace ogas {

// Fewer experts are faster, and not what the model would answer.
struct ModelOverrides {
  uint32_t n_expert_used = 0;   // experts of a layer for each token; 0: as it was trained
  float min_expert_weight = 0;  // experts of less weight are left out, but for a token's best one; below 1

  bool takes_fewer_experts() const { return n_expert_used > 0 || min_expert_weight != 0; }
};

}  // namespace ogas
