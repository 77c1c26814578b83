// GLM 4.5 and 4.6: biases on queries, keys and values, partial rotation, and experts as DeepSeek-V3 chooses them.
#include "arch/architectures.h"
#include "arch/gqa_decoder.h"

namespace ogas {
namespace {

class Glm4Moe : public GqaDecoder {
 public:
  Glm4Moe(GqaConfig config, bool has_bias, bool has_qk_norm)
      : GqaDecoder("glm4moe", std::move(config)), has_bias_(has_bias), has_qk_norm_(has_qk_norm) {}

 private:
  void add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx) override {
    GqaDecoder::add_tensors(table, layer, layer_idx);
    if (has_bias_) layer.attn.add_qkv_bias(table);
    if (has_qk_norm_) layer.attn.add_qk_norm(table, c_.rms_eps);
    if (has_experts(layer_idx))
      table.vector({"exp_probs_b.bias", "mlp.gate.e_score_correction_bias"}, layer.ffn.moe.exp_probs_b,
                   config_.ffn.rules.n_expert, kReplicated);
  }
  TensorName ffn_norm_name() const override {
    return {"post_attention_norm.weight", "post_attention_layernorm.weight"};
  }

  bool has_bias_, has_qk_norm_;
};

}  // namespace

Result<std::unique_ptr<Model>> create_glm4_moe(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "glm4moe", overrides);
  GqaConfig c = read_dense_config(r, file, RopeStyle::half_split);
  if (r.is_hf()) {
    const auto n_rot = static_cast<uint32_t>(c.attn.head_dim * r.number_or({"", "partial_rotary_factor"}, 0.5));
    c.rope = read_rope(r, n_rot, RopeStyle::half_split);
  }
  RouterRules& rules = c.ffn.rules;
  rules = read_router_counts(r, {"expert_count", "n_routed_experts"}, {"expert_used_count", "num_experts_per_tok"});
  rules.scores = RouterScores::sigmoid;
  read_router_groups(r, rules);
  rules.group_scores = GroupScores::two_largest;
  rules.normalize = r.flag_or({"expert_weights_norm", "norm_topk_prob"}, true);
  rules.scale = static_cast<float>(r.number_or({"expert_weights_scale", "routed_scaling_factor"}, 1));
  c.ffn.n_ff_exp = r.count({"expert_feed_forward_length", "moe_intermediate_size"}, 1, 1U << 24);
  c.ffn.n_ff_shared = c.ffn.n_ff_exp * r.count_or({"expert_shared_count", "n_shared_experts"}, 1, 0, 1024);
  c.n_mtp = read_n_mtp(r, file, c.decoder.n_layer);
  c.has_experts =
      experts_from(r.count_or({"leading_dense_block_count", "first_k_dense_replace"}, 1, 0, c.decoder.n_layer),
                   c.decoder.n_layer + c.n_mtp);
  const bool has_bias = r.flag_or({"", "attention_bias"}, true);
  const bool has_qk_norm =
      r.is_hf() ? r.flag_or({"", "use_qk_norm"}, false) : file.find("blk.0.attn_q_norm.weight") != nullptr;
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<Glm4Moe>(std::move(c), has_bias, has_qk_norm), file);
}

}  // namespace ogas
