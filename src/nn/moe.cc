#include "nn/moe.h"

#include <algorithm>

#include "base/check.h"

namespace ogas {
namespace {

// Counting sort by expert; within one by token. An expert's rows begin with a multiple of `step`.
void group_by_expert(std::span<const Routed> routed, uint32_t n_expert, size_t step, ExpertGrouping& grouping) {
  auto& [row_of, first, n_rows] = grouping;
  row_of.resize(routed.size());
  first.assign(n_expert, 0);
  n_rows.assign(n_expert, 0);
  for (const Routed& slot : routed) ++n_rows[slot.expert_idx];
  for (uint32_t e = 1; e < n_expert; ++e) first[e] = first[e - 1] + (n_rows[e - 1] + step - 1) / step * step;
  std::ranges::fill(n_rows, 0);
  for (size_t idx = 0; idx < routed.size(); ++idx) {
    const uint32_t e = routed[idx].expert_idx;
    row_of[idx] = first[e] + n_rows[e]++;
  }
}

}  // namespace

void Moe::add_to(TensorTable& table, const RouterRules& router_rules, uint64_t n_embd, uint64_t n_ff) {
  rules = router_rules;
  table.linear({"ffn_gate_inp.weight", "mlp.gate.weight"}, ffn_gate_inp, rules.n_expert, n_embd);
  table.experts({"ffn_gate_exps.weight", "mlp.experts.{}.gate_proj.weight"}, ffn_gate_exps, rules.n_expert, n_ff,
                n_embd);
  table.experts({"ffn_up_exps.weight", "mlp.experts.{}.up_proj.weight"}, ffn_up_exps, rules.n_expert, n_ff, n_embd);
  table.experts({"ffn_down_exps.weight", "mlp.experts.{}.down_proj.weight"}, ffn_down_exps, rules.n_expert, n_embd,
                n_ff);
}

// The router works in F32, whatever its format: what it decides must not hang on the rounding of activations.
void Moe::route_all(Exec& exec, const Activations& x, size_t n_tokens, MoeSpace& space) const {
  constexpr size_t kTogether = 8;  // tokens for which the router's matrix is read once
  multiply_in_f32(exec, ffn_gate_inp, x, n_tokens, kTogether, space.logits);
  space.routed.resize(n_tokens * rules.n_used);
  exec.pool.parallel_for(n_tokens, [&](size_t t, unsigned) {
    thread_local RouterSpace router_space;
    if (!ffn_gate_inp_b.empty()) exec.ops.add(space.logits.row(t), ffn_gate_inp_b.data(), rules.n_expert);
    route(rules, {space.logits.row(t), rules.n_expert}, exp_probs_b, router_space,
          std::span(space.routed).subspan(t * rules.n_used, rules.n_used));
  });
}

GatedRows Moe::rows_of_expert(const MoeSpace& space, size_t e, size_t first_row, size_t n_rows) const {
  const auto bias = [&](const std::vector<float>& all) {
    return all.empty() ? nullptr : all.data() + e * (all.size() / rules.n_expert);
  };
  return {.gate = ffn_gate_exps[e],
          .up = ffn_up_exps[e],
          .down = ffn_down_exps[e],
          .x = space.gathered,
          .space = space.expert,
          .y = space.result,
          .first_row = first_row,
          .n_rows = n_rows,
          .gate_bias = bias(ffn_gate_exps_b),
          .up_bias = bias(ffn_up_exps_b),
          .down_bias = bias(ffn_down_exps_b),
          .clamp = clamp ? &*clamp : nullptr};
}

void Moe::forward(Exec& exec, const Activations& x, size_t n_tokens, MoeSpace& space, const Matrix& y,
                  std::span<const GatedRows> beside) const {
  route_all(exec, x, n_tokens, space);
  const ExpertGrouping& grouping = space.grouping;
  group_by_expert(space.routed, rules.n_expert, std::max<size_t>(exec.ops.tile_rows, 1), space.grouping);
  const size_t n_embd = x.values().n_cols();
  const auto reads_values = [&](const Linear& linear) { return linear.reads_values(exec.ops); };
  const bool wants_values =
      std::ranges::any_of(ffn_gate_exps, reads_values) || std::ranges::any_of(ffn_up_exps, reads_values);
  exec.pool.parallel_for(n_tokens, [&](size_t t, unsigned) {
    for (size_t rank = 0; rank < rules.n_used; ++rank)
      space.gathered.share_row(exec.ops, x, t, grouping.row_of[t * rules.n_used + rank], wants_values);
  });
  space.groups.clear();
  for (const GatedRows& group : beside) space.groups.push_back(group);
  for (uint32_t e = 0; e < rules.n_expert; ++e)
    if (grouping.n_rows[e] > 0) space.groups.push_back(rows_of_expert(space, e, grouping.first[e], grouping.n_rows[e]));
  feed_forward(exec, space.groups);
  exec.pool.parallel_for(n_tokens, [&](size_t t, unsigned) {
    std::fill_n(y.row(t), n_embd, 0.0F);
    for (size_t rank = 0; rank < rules.n_used; ++rank) {
      const Routed& slot = space.routed[t * rules.n_used + rank];
      const float* result = space.result.row(grouping.row_of[t * rules.n_used + rank]);
      for (size_t i = 0; i < n_embd; ++i) y.row(t)[i] += slot.weight * result[i];
    }
  });
}

}  // namespace ogas
