// Baidu's ERNIE 4.5, dense and with experts: Llama's plan, rotation of neighbouring pairs.
#include "arch/architectures.h"
#include "arch/gqa_decoder.h"

namespace ogas {
namespace {

class Ernie45Moe : public GqaDecoder {
 public:
  using GqaDecoder::GqaDecoder;

 private:
  void add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx) override {
    GqaDecoder::add_tensors(table, layer, layer_idx);
    // Balances the experts without a loss of its own; for choosing only.
    if (has_experts(layer_idx))
      table.vector({"exp_probs_b.bias", "mlp.moe_statics.e_score_correction_bias"}, layer.ffn.moe.exp_probs_b,
                   config_.ffn.rules.n_expert);
  }
};

void refuse_bias(ConfigReader& r) {
  if (r.flag_or({"", "use_bias"}, false))
    r.refuse(ErrorCode::unsupported, "use_bias is true; ogas knows this family without");
}

// moe_layer_start_index to moe_layer_end_index (-1: the last), every moe_layer_interval-th.
std::vector<bool> read_expert_layers(ConfigReader& r, uint32_t n_layer) {
  if (!r.is_hub()) {
    const uint32_t every = r.count_or({"interleave_moe_layer_step", ""}, 1, 1, n_layer);
    std::vector<bool> has_experts = experts_from(r.count_or({"leading_dense_block_count", ""}, 0, 0, n_layer), n_layer);
    for (uint32_t layer_idx = 0; layer_idx < n_layer; ++layer_idx)
      if ((layer_idx + 1) % every != 0) has_experts[layer_idx] = false;
    return has_experts;
  }
  const uint32_t every = r.count_or({"", "moe_layer_interval"}, 1, 1, 1U << 16);
  const uint32_t first = r.count_or({"", "moe_layer_start_index"}, 0, 0, n_layer);
  const bool to_the_last = r.number_or({"", "moe_layer_end_index"}, -1) < 0;
  const uint32_t last = to_the_last ? n_layer - 1 : r.count_or({"", "moe_layer_end_index"}, n_layer - 1, 0, 1U << 16);
  std::vector<bool> has_experts(n_layer, false);
  for (uint32_t layer_idx = first; layer_idx < n_layer && layer_idx <= last; ++layer_idx)
    has_experts[layer_idx] = (layer_idx + 1) % every == 0;
  return has_experts;
}

}  // namespace

Result<std::unique_ptr<Model>> create_ernie4_5(const TensorFile& file) {
  ConfigReader r(file, "ernie4_5");
  GqaConfig c = read_dense_config(r, file, RopeStyle::interleaved);
  refuse_bias(r);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<GqaDecoder>("ernie4_5", std::move(c)), file);
}

Result<std::unique_ptr<Model>> create_ernie4_5_moe(const TensorFile& file) {
  ConfigReader r(file, "ernie4_5-moe");
  GqaConfig c = read_dense_config(r, file, RopeStyle::interleaved);
  refuse_bias(r);
  c.ffn.rules = read_router_counts(r, {"expert_count", "moe_num_experts"}, {"expert_used_count", "moe_k"});
  c.ffn.rules.normalize = true;
  c.ffn.n_ff_exp = r.count({"expert_feed_forward_length", "moe_intermediate_size"}, 1, 1U << 24);
  const uint32_t n_shared = r.count_or({"", "moe_num_shared_experts"}, 0, 0, 1024);
  c.ffn.n_ff_shared = r.is_hub() ? uint64_t{n_shared} * c.ffn.n_ff_exp
                                 : r.count_or({"expert_shared_feed_forward_length", ""}, 0, 0, 1U << 24);
  c.has_experts = read_expert_layers(r, c.decoder.n_layer);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<Ernie45Moe>("ernie4_5-moe", std::move(c)), file);
}

}  // namespace ogas
