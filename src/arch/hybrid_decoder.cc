#include "arch/hybrid_decoder.h"

#include <algorithm>
#include <utility>

namespace ogas {
namespace {

DeltaNetDims read_delta_dims(ConfigReader& r, uint32_t n_embd) {
  constexpr uint64_t kMaxDim = 1U << 16;
  DeltaNetDims d{.n_embd = n_embd, .n_head_k = 1, .n_head_v = 1, .k_dim = 1, .v_dim = 1, .n_taps = 1};
  d.n_head_k = r.count({"ssm.group_count", "linear_num_key_heads"}, 1, kMaxDim);
  d.n_head_v = r.count({"ssm.time_step_rank", "linear_num_value_heads"}, 1, kMaxDim);
  d.k_dim = r.count({"ssm.state_size", "linear_key_head_dim"}, 1, kMaxDim);
  d.n_taps = r.count({"ssm.conv_kernel", "linear_conv_kernel_dim"}, 1, 1024);
  const uint32_t n_v = r.is_hf() ? d.n_head_v * r.count({"", "linear_value_head_dim"}, 1, kMaxDim - 1)
                                 : r.count({"ssm.inner_size", ""}, 1, UINT32_MAX);
  if (d.n_head_v % d.n_head_k != 0 || n_v % d.n_head_v != 0)
    r.refuse(ErrorCode::bad_file, "{} values in {} heads, for {} heads of keys; whole multiples are expected", n_v,
             d.n_head_v, d.n_head_k);
  d.v_dim = std::max(1U, n_v / d.n_head_v);
  return d;
}

// A list names each layer (GGUF's has those of the MTP head, too); else every full_attention_interval-th has attention.
std::vector<bool> read_recurrent_layers(ConfigReader& r, uint32_t n_layer) {
  const uint32_t every = r.count_or({"full_attention_interval", "full_attention_interval"}, 4, 1, UINT32_MAX);
  std::vector<bool> is_recurrent = read_layer_kinds(
      r, n_layer,
      {.other = "linear_attention", .every = every, .flags = {"attention.recurrent_layers", ""}, .n_extra_flags = 1});
  if (std::ranges::count(is_recurrent, false) == 0)
    r.refuse(ErrorCode::unsupported, "no layer has full attention; ogas knows this family with some that have");
  return is_recurrent;
}

uint32_t read_n_rot(ConfigReader& r, uint32_t head_dim) {
  if (!r.is_hf()) return r.count_or({"rope.dimension_count", ""}, head_dim / 4, 2, head_dim);
  const double share =
      r.number_or({"", "rope_parameters.partial_rotary_factor"}, r.number_or({"", "partial_rotary_factor"}, 0.25));
  if (!(share > 0 && share <= 1))
    r.refuse(ErrorCode::bad_file, "partial_rotary_factor is {}; more than 0 and at most 1 is expected", share);
  return static_cast<uint32_t>(head_dim * std::clamp(share, 0.0, 1.0));
}

}  // namespace

HybridConfig read_hybrid_config(ConfigReader& r, const TensorFile& file) {
  HybridConfig c;
  c.decoder = read_decoder_config(r, file);
  // config.json need not mention the head.
  if (r.is_hf())
    c.n_mtp = file.find("mtp.fc.weight") ? 1 : 0;
  else
    c.n_mtp = read_n_mtp(r, file, c.decoder.n_layer);
  c.attn = read_attention_dims(r, c.decoder.n_embd);
  c.attn.has_gate = true;
  c.rope = read_rope(r, read_n_rot(r, c.attn.head_dim), RopeStyle::half_split);
  c.delta = read_delta_dims(r, c.decoder.n_embd);
  c.is_recurrent = read_recurrent_layers(r, c.decoder.n_layer);
  c.is_recurrent.resize(c.decoder.n_layer + c.n_mtp, false);
  c.ffn.n_embd = c.decoder.n_embd;
  refuse_attention_bias(r);
  return c;
}

void read_hybrid_experts(ConfigReader& r, FfnDims& ffn) {
  ffn.rules = read_router_counts(r, {"expert_count", "num_experts"}, {"expert_used_count", "num_experts_per_tok"});
  ffn.rules.normalize = r.flag_or({"", "norm_topk_prob"}, true);
  ffn.n_ff_exp = r.count({"expert_feed_forward_length", "moe_intermediate_size"}, 1, 1U << 24);
  ffn.n_ff_shared = r.count({"expert_shared_feed_forward_length", "shared_expert_intermediate_size"}, 1, 1U << 24);
}

HybridDecoder::HybridDecoder(std::string_view architecture, const HybridConfig& config)
    : Decoder(config.decoder), config_(config), layers_(config.is_recurrent.size()) {
  facts_.architecture = architecture;
}

Result<> HybridDecoder::bind(const TensorFile& file) {
  TensorTable table(file);
  w_.add_to(table, c_);
  for (uint32_t layer_idx = 0; layer_idx < layers_.size(); ++layer_idx) {
    if (layer_idx == c_.n_layer) table.begin_head();
    const std::string gguf = fmt::format("blk.{}.", layer_idx);
    layer_idx < c_.n_layer ? table.begin_layer(layer_idx) : table.begin_block({gguf, "mtp.layers.0."});
    add_mixer(table, layers_[layer_idx], config_.is_recurrent[layer_idx]);
    add_ffn(table, layers_[layer_idx]);
  }
  if (config_.n_mtp > 0) add_mtp(table);
  OGAS_TRY(table.bind());
  linears_ = table.linears();
  shards_ = table.shards();
  moes_ = table.moes();
  finish(file.naming() == Naming::hf);
  make_facts(file, table);
  linears_of_token_ = table.linears_of_token(facts_.n_expert_used);
  return {};
}

void HybridDecoder::add_mixer(TensorTable& table, HybridLayer& layer, bool is_recurrent) {
  if (is_recurrent) {
    auto& delta = layer.mixer.emplace<DeltaNet>();
    delta.add_to(table, config_.delta, c_.rms_eps);
    return delta.add_to(kv_);
  }
  auto& attn = layer.mixer.emplace<Attention>();
  attn.add_to(table, config_.attn);
  attn.add_qk_norm(table, c_.rms_eps);
  attn.add_to(kv_);
  attn.rope = &ropes_.add(config_.rope);
}

void HybridDecoder::add_ffn(TensorTable& table, HybridLayer& layer) const {
  table.vector({"attn_norm.weight", "input_layernorm.weight"}, layer.attn_norm, c_.n_embd, kReplicated);
  table.vector({"post_attention_norm.weight", "post_attention_layernorm.weight"}, layer.ffn_norm, c_.n_embd,
               kReplicated);
  if (config_.ffn.n_ff_exp == 0) return layer.ffn.add_dense(table, config_.ffn);
  layer.ffn.moe.input_norm = &layer.ffn_norm;
  layer.ffn.add_experts(table, config_.ffn, "mlp.shared_expert");
  table.linear({"ffn_gate_inp_shexp.weight", "mlp.shared_expert_gate.weight"}, layer.ffn.ffn_gate_inp_shexp, 1,
               c_.n_embd, kReplicated);
}

void HybridDecoder::add_mtp(TensorTable& table) {
  const std::string gguf = fmt::format("blk.{}.", c_.n_layer);
  table.begin_block({gguf, "mtp."});
  mtp_.add_to(table, c_,
              {.enorm = "pre_fc_norm_embedding.weight",
               .hnorm = "pre_fc_norm_hidden.weight",
               .eh_proj = "fc.weight",
               .output_norm = "norm.weight"});
}

// What the file has in another form.
void HybridDecoder::finish(bool is_hf) {
  for (HybridLayer& layer : layers_)
    if (auto* delta = std::get_if<DeltaNet>(&layer.mixer)) delta->finish(is_hf);
  if (!is_hf) return;
  add_one({&w_.output_norm, &mtp_.enorm, &mtp_.hnorm, &mtp_.output_norm});
  for (HybridLayer& layer : layers_) {
    add_one({&layer.attn_norm, &layer.ffn_norm});
    if (auto* attn = std::get_if<Attention>(&layer.mixer)) add_one({&attn->attn_q_norm, &attn->attn_k_norm});
  }
}

void HybridDecoder::make_facts(const TensorFile& file, const TensorTable& table) {
  facts_ = decoder_facts(facts_.architecture, file, c_, config_.attn, table);
  if (config_.ffn.n_ff_exp > 0) add_expert_facts(facts_, table, config_.ffn, moes_);
  facts_.n_ff = static_cast<uint32_t>(config_.ffn.n_ff);
  facts_.n_mtp = config_.n_mtp;
  facts_.kv = std::move(kv_);
  facts_.token_bytes = hidden_bytes_per_token() + AttentionWorkspace::bytes_per_token(config_.attn) +
                       DeltaNetWorkspace::bytes_per_token(config_.delta) + FfnWorkspace::bytes_per_token(config_.ffn);
}

void HybridDecoder::reserve(size_t n_tokens) {
  workspace_.reset(new Workspace{{config_.attn, n_tokens}, {config_.delta, n_tokens}, {config_.ffn, n_tokens}});
}

ScratchBytes HybridDecoder::layer_scratch_bytes(const PassLimits& limits) const {
  const ScratchBytes mixers = max(AttentionWorkspace::scratch_bytes(config_.attn, limits),
                                  DeltaNetWorkspace::scratch_bytes(config_.delta, limits));
  return max(mixers, FfnWorkspace::scratch_bytes(config_.ffn, limits));
}

Result<> HybridDecoder::run_layer(const Step& step, uint32_t layer_idx) {
  const HybridLayer& layer = layers_[layer_idx];
  OGAS_TRY(add_block(step, layer.attn_norm, [&] {
    if (const auto* attn = std::get_if<Attention>(&layer.mixer))
      return attn->forward(step.exec, attention_call(step), workspace_->attn);
    const DeltaNetCall call{step.rows, step.s.normed, step.s.delta};
    std::get<DeltaNet>(layer.mixer).forward(step.exec, call, workspace_->delta);
  }));
  return add_block(step, layer.ffn_norm, [&] {
    return layer.ffn.forward(step.exec, step.s.normed, step.n_tokens, workspace_->ffn, step.s.delta);
  });
}

}  // namespace ogas
