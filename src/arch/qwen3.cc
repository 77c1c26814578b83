// Qwen3, dense: queries and keys are normed head by head before they are rotated (Qwen3 technical report, 2).
#include "arch/architectures.h"
#include "arch/gqa_decoder.h"

namespace ogas {
namespace {

class Qwen3 : public GqaDecoder {
 public:
  using GqaDecoder::GqaDecoder;

 private:
  void add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx) override {
    GqaDecoder::add_tensors(table, layer, layer_idx);
    layer.attn.add_qk_norm(table, c_.rms_eps);
  }
};

void refuse_variants(ConfigReader& r) {
  refuse_attention_bias(r);
  if (r.flag_or({"", "use_sliding_window"}, false))
    r.refuse(ErrorCode::unsupported, "use_sliding_window is true; ogas knows this family with full attention");
}

// mlp_only_layers and decoder_sparse_step say which layers have experts; usually all.
std::vector<bool> read_sparse_layers(ConfigReader& r, uint32_t n_layer) {
  const uint32_t every = r.count_or({"", "decoder_sparse_step"}, 1, 1, 1U << 16);
  std::vector<bool> has_experts(n_layer);
  for (uint32_t layer_idx = 0; layer_idx < n_layer; ++layer_idx) has_experts[layer_idx] = (layer_idx + 1) % every == 0;
  for (const int64_t layer_idx : r.integers_or_none({"", "mlp_only_layers"}, n_layer))
    if (layer_idx >= 0 && layer_idx < n_layer) has_experts[static_cast<size_t>(layer_idx)] = false;
  return has_experts;
}

}  // namespace

Result<std::unique_ptr<Model>> create_qwen3(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "qwen3", overrides);
  GqaConfig c = read_dense_config(r, file, RopeStyle::half_split);
  refuse_variants(r);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<Qwen3>("qwen3", std::move(c)), file);
}

// The same attention; experts by the softmax of all, renormed among the chosen.
Result<std::unique_ptr<Model>> create_qwen3_moe(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "qwen3moe", overrides);
  GqaConfig c = read_dense_config(r, file, RopeStyle::half_split);
  refuse_variants(r);
  c.ffn.rules = read_router_counts(r, {"expert_count", "num_experts"}, {"expert_used_count", "num_experts_per_tok"});
  c.ffn.rules.normalize = r.flag_or({"", "norm_topk_prob"}, true);
  c.ffn.n_ff_exp = r.count({"expert_feed_forward_length", "moe_intermediate_size"}, 1, 1U << 24);
  c.has_experts = read_sparse_layers(r, c.decoder.n_layer);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<Qwen3>("qwen3moe", std::move(c)), file);
}

}  // namespace ogas
