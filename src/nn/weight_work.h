// What a pass reads of a model's weights and multiplies with.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>

#include "quant/format.h"

namespace ogas {

// How many weights there are of each WeightKind.
using WeightCounts = std::array<uint64_t, kWeightKinds>;
inline uint64_t total_of(const WeightCounts& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

// What a pass over tokens reads of the weights and multiplies with. Bytes are those of the file; weights are the
// numbers of matrices, each of which is multiplied and added once a token. The MTP head does not count.
struct WeightWork {
  uint64_t row_bytes = 0;     // of a token's embedding
  uint64_t n_bytes = 0;       // in addition to experts and output: read whole by every pass
  uint64_t expert_bytes = 0;  // all routed experts: a token takes a few of them
  uint64_t output_bytes = 0;  // the matrix of the tokens whose logits are wanted
  WeightCounts weights{}, expert_weights{}, output_weights{};  // of the same three, those that are multiplied with
};

}  // namespace ogas
