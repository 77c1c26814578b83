#include "arch/llama.h"

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
    table.vector({"attn_output.bias", "self_attn.o_proj.bias"}, layer.attn.output_bias, c_.n_embd);
  }
  void add_more(TensorTable& table) override {
    // How GGUF files carry Llama 3.1's scaling: a divisor for each frequency.
    if (table.has({"rope_freqs.weight", ""}))
      table.vector({"rope_freqs.weight", ""}, config_.rope.factors, config_.rope.n_rot / 2);
  }

  bool has_bias_;
};

}  // namespace

Result<std::unique_ptr<Model>> create_llama(const TensorFile& file) {
  ConfigReader r(file, "llama");
  GqaConfig c;
  c.decoder = read_decoder_config(r, file);
  c.attn = read_attention_dims(r, c.decoder.n_embd);
  c.ffn = {.n_embd = c.decoder.n_embd, .n_ff = r.count({"feed_forward_length", "intermediate_size"}, 1, 1U << 24)};
  // GGUF's converters permute the rows of Q and K from halves to neighbours.
  const auto style = r.is_hub() ? RopeStyle::half_split : RopeStyle::interleaved;
  c.rope = read_rope(r, r.count_or({"rope.dimension_count", ""}, c.attn.head_dim, 2, c.attn.head_dim), style);
  if (r.flag_or({"", "mlp_bias"}, false)) r.refuse(ErrorCode::unsupported, "mlp_bias is true; ogas knows this family without");
  const bool has_bias = r.flag_or({"", "attention_bias"}, false);
  OGAS_TRY(r.status());
  auto model = std::make_unique<Llama>(std::move(c), has_bias);
  OGAS_TRY(model->bind(file));
  return model;
}

}  // namespace ogas
