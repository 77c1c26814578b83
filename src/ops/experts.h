// What a mixture of experts is made of, around its gated feed-forward blocks (gated_ffn.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/linear.h"
#include "ops/matrix.h"
#include "ops/router.h"

namespace ogas {

// A slot of a row, of n_used each, that leads to no expert.
inline constexpr size_t kNoExpertRow = SIZE_MAX;

// What a layer's router has besides its matrix.
struct RoutingRules {
  const RouterRules& rules;
  std::span<const float> logits_bias;  // [n_expert] added to logits; empty: none
  std::span<const float> choice_bias;  // [n_expert] as route()'s bias
};

// Copies of rows, those of the same expert together.
struct GatheredRows {
  size_t n_used;                     // slots of a row
  std::span<const size_t> row_of;    // [n_rows * n_used] where each goes, or kNoExpertRow
  std::span<const Linear> gate, up;  // those that will be multiplied with them
  const Activations& out;            // of Activations::shared()
};

}  // namespace ogas
