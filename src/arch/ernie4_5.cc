// Baidu's ERNIE 4.5, dense and with experts: Llama's plan, rotation of neighbouring pairs.
#include "arch/architectures.h"
#include "arch/gqa_decoder.h"

namespace ogas {
namespace {

// GGUF's converters leave out the MTP head.
constexpr std::string_view kMtpProj = "model.mtp_linear_proj.0.weight";

class Ernie45Moe : public GqaDecoder {
 public:
  using GqaDecoder::GqaDecoder;

 private:
  void add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx) override {
    GqaDecoder::add_tensors(table, layer, layer_idx);
    // Balances the experts without a loss of its own; for choosing only.
    if (has_experts(layer_idx))
      table.vector({"exp_probs_b.bias", "mlp.moe_statics.e_score_correction_bias"}, layer.ffn.moe.exp_probs_b,
                   config_.ffn.rules.n_expert, kReplicated);
  }
  void begin_layer(TensorTable& table, uint32_t layer_idx) const override {
    layer_idx < c_.n_layer ? table.begin_layer(layer_idx) : table.begin_block({"", "model.mtp_block.0."});
  }
  // In Baidu's training code the head takes hidden states from before the final norm, and shares that norm.
  void add_mtp(TensorTable& table) override {
    table.end_layers();
    table.vector({"", "model.mtp_emb_norm.0.weight"}, mtp_.enorm, c_.n_embd, kReplicated);
    table.vector({"", "model.mtp_hidden_norm.0.weight"}, mtp_.hnorm, c_.n_embd, kReplicated);
    table.linear({"", kMtpProj}, mtp_.eh_proj, c_.n_embd, 2 * uint64_t{c_.n_embd}, kReplicated);
    mtp_.reads_normed = false;
  }
};

void refuse_bias(ConfigReader& r) {
  if (r.flag_or({"", "use_bias"}, false))
    r.refuse(ErrorCode::unsupported, "use_bias is true; ogas knows this family without");
}

// moe_layer_start_index to moe_layer_end_index (-1: the last), every moe_layer_interval-th. GGUF knows no end.
std::vector<bool> read_expert_layers(ConfigReader& r, uint32_t n_layer) {
  const uint32_t every = r.count_or({"interleave_moe_layer_step", "moe_layer_interval"}, 1, 1, 1U << 16);
  const uint32_t first = r.count_or({"leading_dense_block_count", "moe_layer_start_index"}, 0, 0, n_layer);
  const bool to_the_last = r.number_or({"", "moe_layer_end_index"}, -1) < 0;
  const uint32_t last = to_the_last ? n_layer - 1 : r.count_or({"", "moe_layer_end_index"}, n_layer - 1, 0, 1U << 16);
  std::vector<bool> has_experts(n_layer);
  for (uint32_t layer_idx = 0; layer_idx < n_layer; ++layer_idx)
    has_experts[layer_idx] = first <= layer_idx && layer_idx <= last && (layer_idx + 1) % every == 0;
  return has_experts;
}

}  // namespace

Result<std::unique_ptr<Model>> create_ernie4_5(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "ernie4_5", overrides);
  GqaConfig c = read_dense_config(r, file, RopeStyle::interleaved);
  refuse_bias(r);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<GqaDecoder>("ernie4_5", std::move(c)), file);
}

Result<std::unique_ptr<Model>> create_ernie4_5_moe(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "ernie4_5-moe", overrides);
  GqaConfig c = read_dense_config(r, file, RopeStyle::interleaved);
  refuse_bias(r);
  c.ffn.rules = read_router_counts(r, {"expert_count", "moe_num_experts"}, {"expert_used_count", "moe_k"});
  c.ffn.rules.normalize = true;
  c.ffn.n_ff_exp = r.count({"expert_feed_forward_length", "moe_intermediate_size"}, 1, 1U << 24);
  const uint32_t n_shared = r.count_or({"", "moe_num_shared_experts"}, 0, 0, 1024);
  c.ffn.n_ff_shared = r.is_hf() ? uint64_t{n_shared} * c.ffn.n_ff_exp
                                : r.count_or({"expert_shared_feed_forward_length", ""}, 0, 0, 1U << 24);
  c.has_experts = read_expert_layers(r, c.decoder.n_layer);
  c.n_mtp = read_n_mtp(r, file, c.decoder.n_layer, kMtpProj);
  c.has_experts.resize(c.decoder.n_layer + c.n_mtp, false);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<Ernie45Moe>("ernie4_5-moe", std::move(c)), file);
}

}  // namespace ogas
