// ByteDance's Seed-OSS: Llama's plan with biases on queries, keys and values.
#include "arch/architectures.h"
#include "arch/gqa_decoder.h"

namespace ogas {
namespace {

class SeedOss : public GqaDecoder {
 public:
  SeedOss(GqaConfig config, bool has_bias) : GqaDecoder("seed_oss", std::move(config)), has_bias_(has_bias) {}

 private:
  void add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx) override {
    GqaDecoder::add_tensors(table, layer, layer_idx);
    if (has_bias_) layer.attn.add_qkv_bias(table);
  }
  TensorName ffn_norm_name() const override {
    return {"post_attention_norm.weight", "post_attention_layernorm.weight"};
  }

  bool has_bias_;
};

}  // namespace

Result<std::unique_ptr<Model>> create_seed_oss(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "seed_oss", overrides);
  GqaConfig c = read_dense_config(r, file, RopeStyle::half_split);
  for (const std::string_view name : {"attention_out_bias", "mlp_bias"})
    if (r.flag_or({"", name}, false))
      r.refuse(ErrorCode::unsupported, "{} is true; ogas knows this family without", name);
  const bool has_bias = r.flag_or({"", "attention_bias"}, true);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<SeedOss>(std::move(c), has_bias), file);
}

}  // namespace ogas
