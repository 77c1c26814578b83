// Which experts a token goes to, and with what weight: the rules of published models, in F32.
#pragma once

#include <cstdint>
#include <span>

#include "ops/scratch.h"

namespace ogas {

enum class RouterScores : uint8_t {
  softmax,           // over all experts
  softmax_selected,  // over the logits of the chosen ones only (gpt-oss)
  sigmoid,           // each for itself (DeepSeek-V3, 2.1.2)
};

enum class GroupScores : uint8_t {
  largest,      // of a group's experts (DeepSeek-V2: group_limited_greedy)
  two_largest,  // their sum (DeepSeek-V3: noaux_tc)
};

struct RouterRules {
  uint32_t n_expert = 0;
  uint32_t n_used = 0;          // experts a token
  uint32_t n_used_trained = 0;  // as many as the model was trained with, n_used or more
  float min_weight = 0;         // experts of less weight are left out, but for a token's best one
  RouterScores scores = RouterScores::softmax;
  uint32_t n_group = 1;  // groups of neighbouring experts; only those of n_group_used groups can be chosen
  uint32_t n_group_used = 1;
  GroupScores group_scores = GroupScores::largest;
  bool normalize = false;  // weights of the chosen experts are divided by their sum
  float scale = 1;         // then multiplied by it
};

struct Routed {
  uint32_t expert_idx;
  float weight;
};

// The n_used experts for one token, best first; among equals the lower number. logits: [n_expert]. bias: [n_expert]
// added to the scores for choosing only, not to the weights; empty: none.
void route(const RouterRules& rules, std::span<const float> logits, std::span<const float> bias, ScratchArena& own,
           std::span<Routed> chosen);
// Bytes of `own` that it takes.
uint64_t route_scratch_bytes(const RouterRules& rules);

// How many experts a token can take at most that have this weight, in addition to the best one, which it takes whatever
// its weight. has_bias: something is added to scores for choosing, so that the best one need not have the largest
// weight.
uint32_t max_experts_of_weight(const RouterRules& rules, float min_weight, bool has_bias);

}  // namespace ogas
