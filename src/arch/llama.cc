// Llama 1 to 3.x, and what shares its tensors: SmolLM2, Yi, Mistral.
#include "arch/architectures.h"
#include "arch/gqa_decoder.h"

namespace ogas {
namespace {

class Llama : public GqaDecoder {
 public:
  Llama(GqaConfig config, bool has_bias) : GqaDecoder("llama", std::move(config)), has_bias_(has_bias) {}

 private:
  void add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx) override {
    GqaDecoder::add_tensors(table, layer, layer_idx);
    if (!has_bias_) return;
    layer.attn.add_qkv_bias(table);
    table.vector({"attn_output.bias", "self_attn.o_proj.bias"}, layer.attn.output_bias, c_.n_embd, kReplicated);
  }
  void add_more(TensorTable& table) override {
    // How GGUF files carry Llama 3.1's scaling: a divisor for each frequency.
    if (table.has({"rope_freqs.weight", ""}))
      table.vector({"rope_freqs.weight", ""}, config_.rope.factors, config_.rope.n_rot / 2, kReplicated);
  }

  bool has_bias_;
};

}  // namespace

Result<std::unique_ptr<Model>> create_llama(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "llama", overrides);
  // GGUF's converters permute the rows of Q and K from halves to neighbours.
  GqaConfig c = read_dense_config(r, file, r.is_hf() ? RopeStyle::half_split : RopeStyle::interleaved);
  if (r.flag_or({"", "mlp_bias"}, false))
    r.refuse(ErrorCode::unsupported, "mlp_bias is true; ogas knows this family without");
  const bool has_bias =
      r.is_hf() ? r.flag_or({"", "attention_bias"}, false) : file.find("blk.0.attn_q.bias") != nullptr;
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<Llama>(std::move(c), has_bias), file);
}

}  // namespace ogas
