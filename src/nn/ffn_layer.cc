#include "nn/ffn_layer.h"

#include <algorithm>

namespace ogas {

FfnWorkspace::FfnWorkspace(const FfnDims& d, size_t n_batch) {
  if (d.n_ff > 0) dense.emplace(n_batch, d.n_ff);
  if (d.n_ff_exp > 0) moe.emplace(d.rules, d.n_embd, d.n_ff_exp, n_batch);
  if (d.n_ff_shared > 0) {
    shared.emplace(n_batch, d.n_ff_shared);
    shared_result = Matrix(n_batch, d.n_embd);
  }
}

uint64_t FfnWorkspace::bytes_per_token(const FfnDims& d) {
  uint64_t bytes = d.n_ff > 0 ? Activations::bytes_for(d.n_ff) : 0;
  if (d.n_ff_exp > 0) bytes += MoeWorkspace::bytes_per_token(d.rules, d.n_embd, d.n_ff_exp);
  if (d.n_ff_shared > 0) bytes += Activations::bytes_for(d.n_ff_shared) + d.n_embd * sizeof(float);
  return bytes;
}

ScratchBytes FfnWorkspace::scratch_bytes(const FfnDims& d, const PassLimits& limits) {
  ScratchBytes bytes;
  if (d.n_ff > 0) bytes = gated_ffn_scratch_bytes(limits, {d.n_embd, d.n_ff, 1, limits.n_batch});
  if (d.n_ff_exp == 0) return bytes;
  const uint64_t n_routed = limits.n_batch * d.rules.n_used;
  bytes = max(bytes, gated_ffn_scratch_bytes(limits, {d.n_embd, std::max(d.n_ff_exp, d.n_ff_shared),
                                                      size_t{d.rules.n_expert} + 1, n_routed + limits.n_batch}));
  const uint64_t n_route = route_scratch_bytes(d.rules);
  const uint64_t n_predicted =
      ScratchArena::bytes_for<Routed>(d.rules.n_used) + ScratchArena::bytes_for<uint32_t>(d.rules.n_used);
  return max(bytes, {.shared = n_route + n_predicted, .per_thread = n_route});
}

void FfnLayer::add_dense(TensorTable& table, const FfnDims& dims) {
  dense.glu = dims.glu;
  dense.add_to(table, dims.n_embd, dims.n_ff);
}

void FfnLayer::add_experts(TensorTable& table, const FfnDims& dims, std::string_view hf_shared) {
  has_experts = true;
  moe.glu = shared.glu = dims.glu;
  moe.add_to(table, dims.rules, dims.n_embd, dims.n_ff_exp);
  has_shared_ = dims.n_ff_shared > 0;
  if (!has_shared_) return;
  const Shard rows = Shard::rows(ShardUnit::shared_ff, dims.n_ff_shared);
  const Shard columns = Shard::columns(ShardUnit::shared_ff, dims.n_ff_shared);
  const auto add = [&](std::string_view part, Linear& linear, uint64_t n_out, uint64_t n_in, const Shard& shard) {
    table.linear({fmt::format("ffn_{}_shexp.weight", part), fmt::format("{}.{}_proj.weight", hf_shared, part)}, linear,
                 n_out, n_in, shard);
  };
  add("gate", shared.ffn_gate, dims.n_ff_shared, dims.n_embd, rows);
  add("up", shared.ffn_up, dims.n_ff_shared, dims.n_embd, rows);
  add("down", shared.ffn_down, dims.n_embd, dims.n_ff_shared, columns);
}

Result<> FfnLayer::forward(Exec& exec, const Activations& x, size_t n_tokens, FfnWorkspace& workspace,
                           const Matrix& y) const {
  if (!has_experts) {
    dense.forward(exec, x, n_tokens, *workspace.dense, y);
    return {};
  }
  if (!has_shared_) return moe.forward(exec, x, n_tokens, *workspace.moe, y);
  const GatedRows of_shared = shared.rows_of(x, n_tokens, *workspace.shared, workspace.shared_result);
  OGAS_TRY(moe.forward(exec, x, n_tokens, *workspace.moe, y, {&of_shared, 1}));
  exec.device.add_shared(y, workspace.shared_result, ffn_gate_inp_shexp, x, n_tokens);
  return {};
}

}  // namespace ogas
