#include "nn/moe.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace ogas {

namespace {

// Whether a token goes through its slot_idx-th expert, of all tokens' n_used.
bool is_taken(std::span<const Routed> routed, size_t slot_idx, size_t n_used, float min_weight) {
  return routed[slot_idx].weight >= min_weight || slot_idx % n_used == 0;
}

// Counting sort by expert; within one by token. An expert's rows begin with a multiple of `step`.
void group_by_expert(std::span<const Routed> routed, uint32_t n_expert, size_t step, const auto& is_in,
                     ExpertGrouping& grouping) {
  auto& [row_of, first, n_rows] = grouping;
  row_of.resize(routed.size());
  first.assign(n_expert, 0);
  n_rows.assign(n_expert, 0);
  for (size_t idx = 0; idx < routed.size(); ++idx)
    if (is_in(idx)) ++n_rows[routed[idx].expert_idx];
  for (uint32_t e = 1; e < n_expert; ++e) first[e] = first[e - 1] + (n_rows[e - 1] + step - 1) / step * step;
  std::ranges::fill(n_rows, 0);
  for (size_t idx = 0; idx < routed.size(); ++idx) {
    const uint32_t e = routed[idx].expert_idx;
    row_of[idx] = is_in(idx) ? first[e] + n_rows[e]++ : kNoExpertRow;
  }
}

}  // namespace

void Moe::add_to(TensorTable& table, const RouterRules& router_rules, uint64_t n_embd, uint64_t n_ff) {
  rules = router_rules;
  const Shard rows = Shard::rows(ShardUnit::expert_ff, n_ff), columns = Shard::columns(ShardUnit::expert_ff, n_ff);
  table.moe(*this);
  table.linear({"ffn_gate_inp.weight", "mlp.gate.weight"}, ffn_gate_inp, rules.n_expert, n_embd, kReplicated);
  const TensorName gate_up = {"ffn_gate_up_exps.weight", "mlp.experts.gate_up_proj"};
  if (table.has(gate_up)) {
    ExpertStack stack{.n_expert = rules.n_expert, .n_out = n_ff, .n_in = n_embd, .n_parts = 2, .has_blocks = true};
    table.stacked(gate_up, ffn_gate_exps, stack, rows);
    stack.part = 1;
    table.stacked(gate_up, ffn_up_exps, stack, rows);
  } else {
    table.experts({"ffn_gate_exps.weight", "mlp.experts.{}.gate_proj.weight"}, ffn_gate_exps, rules.n_expert, n_ff,
                  n_embd, rows);
    table.experts({"ffn_up_exps.weight", "mlp.experts.{}.up_proj.weight"}, ffn_up_exps, rules.n_expert, n_ff, n_embd,
                  rows);
  }
  const TensorName down = {"ffn_down_exps.weight", "mlp.experts.down_proj"};
  if (table.has(down))
    table.stacked(down, ffn_down_exps, {.n_expert = rules.n_expert, .n_out = n_embd, .n_in = n_ff}, columns);
  else
    table.experts({"ffn_down_exps.weight", "mlp.experts.{}.down_proj.weight"}, ffn_down_exps, rules.n_expert, n_embd,
                  n_ff, columns);
}

std::optional<uint32_t> Moe::expert_of(const Linear& linear) const {
  for (const auto* experts : {&ffn_gate_exps, &ffn_up_exps, &ffn_down_exps}) {
    const Linear* begin = experts->data();
    if (std::less_equal<>()(begin, &linear) && std::less<>()(&linear, begin + experts->size()))
      return static_cast<uint32_t>(&linear - begin);
  }
  return {};
}

// The router works in F32, whatever its format: what it decides must not depend on the rounding of activations.
void Moe::route_all(Exec& exec, const Activations& x, size_t n_tokens, MoeWorkspace& workspace) const {
  constexpr size_t kTogether = 8;  // tokens for which the router's matrix is read once
  exec.device.multiply_in_f32(ffn_gate_inp, x, n_tokens, kTogether, workspace.logits);
  workspace.routed.resize(n_tokens * rules.n_used);
  exec.device.route(routing(), workspace.logits, n_tokens, workspace.routed);
}

GatedRows Moe::rows_of_expert(const MoeWorkspace& workspace, uint32_t e) const {
  const auto bias = [&](std::span<const float> all) {
    const size_t n = all.size() / rules.n_expert;
    return all.subspan(e * n, n);
  };
  const ExpertMatrices* read = source ? &source->matrices(e) : nullptr;
  return {.gate = read ? read->gate : ffn_gate_exps[e],
          .up = read ? read->up : ffn_up_exps[e],
          .down = read ? read->down : ffn_down_exps[e],
          .x = workspace.gathered,
          .gated = workspace.expert,
          .y = workspace.result,
          .first_row = workspace.grouping.first[e],
          .n_rows = workspace.grouping.n_rows[e],
          .glu = glu,
          .gate_bias = bias(ffn_gate_exps_b),
          .up_bias = bias(ffn_up_exps_b),
          .down_bias = bias(ffn_down_exps_b)};
}

// What a layer adds to a token is little compared with what the token is already: its router says of the input of this
// layer about what it will say of its own.
void Moe::predict_next_layer(Exec& exec, const Activations& x, MoeWorkspace& workspace) const {
  const Moe* next = source->next_layer();
  if (!next || next->rules.n_expert > workspace.logits.n_cols()) return;
  const bool knows_norms = input_norm && next->input_norm;
  if (knows_norms)
    exec.device.change_norm(x, *input_norm, *next->input_norm, workspace.predicted);
  else
    exec.device.change_norm(x, {}, {}, workspace.predicted);
  exec.device.multiply_in_f32(next->ffn_gate_inp, workspace.predicted, 1, 1, workspace.logits);
  ScratchArena& shared = exec.scratch.shared();
  const ScratchArena::Frame frame(shared);
  const std::span<Routed> routed = shared.take<Routed>(next->rules.n_used);
  const std::span<uint32_t> experts = shared.take<uint32_t>(routed.size());
  exec.device.route(next->routing(), workspace.logits, 1, routed);
  std::ranges::transform(routed, experts.begin(), &Routed::expert_idx);
  source->predict(experts);
}

// Those that tokens take, with what is in `groups` already.
Result<> Moe::run_experts(Exec& exec, const Activations& x, size_t n_tokens, MoeWorkspace& workspace) const {
  std::vector<GatedRows>& groups = workspace.groups;
  const ExpertGrouping& grouping = workspace.grouping;
  if (!source) {
    for (uint32_t e = 0; e < rules.n_expert; ++e)
      if (grouping.n_rows[e] > 0) groups.push_back(rows_of_expert(workspace, e));
    exec.device.gated_ffn(groups);
    return {};
  }
  workspace.uses.clear();
  for (uint32_t e = 0; e < rules.n_expert; ++e)
    if (grouping.n_rows[e] > 0) workspace.uses.push_back({e, static_cast<uint32_t>(grouping.n_rows[e])});
  auto some = source->start(source_layer, workspace.uses, static_cast<uint32_t>(n_tokens));
  if (n_tokens == 1) predict_next_layer(exec, x, workspace);
  do {
    for (const uint32_t e : some) groups.push_back(rows_of_expert(workspace, e));
    exec.device.gated_ffn(groups);
    groups.clear();
    some = OGAS_TRY(source->next());
  } while (!some.empty());
  return {};
}

Result<> Moe::forward(Exec& exec, const Activations& x, size_t n_tokens, MoeWorkspace& workspace, const Matrix& y,
                      std::span<const GatedRows> others) const {
  route_all(exec, x, n_tokens, workspace);
  const auto is_in = [&](size_t slot_idx) {
    return is_taken(workspace.routed, slot_idx, rules.n_used, rules.min_weight);
  };
  group_by_expert(workspace.routed, rules.n_expert, exec.device.group_step(), is_in, workspace.grouping);
  const ExpertGrouping& grouping = workspace.grouping;
  exec.device.gather(x, n_tokens,
                     {.n_used = rules.n_used,
                      .row_of = grouping.row_of,
                      .gate = ffn_gate_exps,
                      .up = ffn_up_exps,
                      .out = workspace.gathered});
  workspace.groups.clear();
  for (const GatedRows& group : others) workspace.groups.push_back(group);
  OGAS_TRY(run_experts(exec, x, n_tokens, workspace));
  exec.device.sum_experts(workspace.result, workspace.routed, grouping.row_of, n_tokens, y);
  return {};
}

}  // namespace ogas
