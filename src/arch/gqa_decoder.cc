#include "arch/gqa_decoder.h"

#include <algorithm>
#include <utility>

namespace ogas {

GqaDecoder::GqaDecoder(std::string_view architecture, GqaConfig config)
    : Decoder(config.decoder), config_(std::move(config)), layers_(c_.n_layer + config_.n_mtp) {
  facts_.architecture = architecture;
  const auto& has_experts = config_.has_experts;
  if (!has_experts.empty() && std::ranges::find(has_experts, false) == has_experts.end()) config_.ffn.n_ff = 0;
}

Result<> GqaDecoder::bind(const TensorFile& file) {
  TensorTable table(file);
  KvLayout kv;
  w_.add_to(table, c_);
  add_more(table);
  for (uint32_t layer_idx = 0; layer_idx < layers_.size(); ++layer_idx) {
    if (layer_idx == c_.n_layer) table.begin_head();
    GqaLayer& layer = layers_[layer_idx];
    begin_layer(table, layer_idx);
    table.vector({"attn_norm.weight", "input_layernorm.weight"}, layer.attn_norm, c_.n_embd, kReplicated);
    table.vector(ffn_norm_name(), layer.ffn_norm, c_.n_embd, kReplicated);
    layer.ffn.moe.input_norm = &layer.ffn_norm;
    layer.attn.add_to(table, config_.attn);
    add_tensors(table, layer, layer_idx);
    layer.attn.add_to(kv);
    table.ignore({"", "self_attn.rotary_emb.inv_freq"});
  }
  if (config_.n_mtp > 0) add_mtp(table);
  OGAS_TRY(table.bind());
  linears_ = table.linears();
  shards_ = table.shards();
  moes_ = table.moes();
  for (uint32_t layer_idx = 0; layer_idx < layers_.size(); ++layer_idx)
    layers_[layer_idx].attn.rope = &ropes_.add(rope_of(layer_idx));
  finish(file.naming() == Naming::hf);

  facts_ = decoder_facts(facts_.architecture, file, c_, config_.attn, table);
  facts_.n_mtp = config_.n_mtp;
  facts_.kv = std::move(kv);
  facts_.n_ff = static_cast<uint32_t>(config_.ffn.n_ff);
  if (!config_.has_experts.empty()) add_expert_facts(facts_, table, config_.ffn, moes_);
  linears_of_token_ = table.linears_of_token(facts_.n_expert_used);
  facts_.token_bytes = hidden_bytes_per_token() + AttentionWorkspace::bytes_per_token(config_.attn) +
                       FfnWorkspace::bytes_per_token(config_.ffn);
  return {};
}

void GqaDecoder::add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx) {
  if (has_experts(layer_idx))
    layer.ffn.add_experts(table, config_.ffn);
  else
    layer.ffn.add_dense(table, config_.ffn);
}

void GqaDecoder::reserve(size_t n_tokens) {
  workspace_.reset(new Workspace{{config_.attn, n_tokens}, {config_.ffn, n_tokens}});
}

ScratchBytes GqaDecoder::layer_scratch_bytes(const PassLimits& limits) const {
  return max(AttentionWorkspace::scratch_bytes(config_.attn, limits), FfnWorkspace::scratch_bytes(config_.ffn, limits));
}

Result<> GqaDecoder::run_layer(const Step& step, uint32_t layer_idx) {
  const GqaLayer& layer = layers_[layer_idx];
  OGAS_TRY(add_block(
      step, layer.attn_norm, [&] { layer.attn.forward(step.exec, attention_call(step), workspace_->attn); },
      layer.attn_post_norm));
  return add_block(
      step, layer.ffn_norm,
      [&] { return layer.ffn.forward(step.exec, step.s.normed, step.n_tokens, workspace_->ffn, step.s.delta); },
      layer.ffn_post_norm);
}

GqaConfig read_dense_config(ConfigReader& r, const TensorFile& file, RopeStyle style) {
  GqaConfig c;
  c.decoder = read_decoder_config(r, file);
  c.attn = read_attention_dims(r, c.decoder.n_embd);
  c.rope = read_rope(r, r.count_or({"rope.dimension_count", ""}, c.attn.head_dim, 2, c.attn.head_dim), style);
  c.ffn.n_embd = c.decoder.n_embd;
  c.ffn.n_ff = r.count({"feed_forward_length", "intermediate_size"}, 1, 1U << 24);
  return c;
}

std::vector<bool> experts_from(uint32_t first, uint32_t n_layer) {
  std::vector<bool> has_experts(n_layer, false);
  std::fill(has_experts.begin() + std::min(first, n_layer), has_experts.end(), true);
  return has_experts;
}

}  // namespace ogas
