#include "arch/llama.h"

#include "arch/decoder.h"
#include "nn/feed_forward.h"

namespace ogas {
namespace {

struct Config {
  DecoderConfig decoder;
  AttentionDims attn;
  RopeParams rope;
  uint32_t n_ff;
  bool has_bias;
};

struct Layer {
  std::vector<float> attn_norm, ffn_norm;  // [n_embd]
  Attention attn;
  FeedForward ffn;
};

Result<Config> read_config(const TensorFile& file) {
  ConfigReader r(file, "llama");
  Config c{};
  c.decoder = read_decoder_config(r, file);
  c.attn = read_attention_dims(r, c.decoder.n_embd);
  c.n_ff = r.count({"feed_forward_length", "intermediate_size"}, 1, 1U << 24);
  c.has_bias = r.flag_or({"", "attention_bias"}, false);
  // GGUF's converters permute the rows of Q and K from halves to neighbours.
  const auto style = r.is_hub() ? RopeStyle::half_split : RopeStyle::interleaved;
  c.rope = read_rope(r, r.count_or({"rope.dimension_count", ""}, c.attn.head_dim, 2, c.attn.head_dim), style);
  if (r.flag_or({"", "mlp_bias"}, false)) r.refuse(ErrorCode::unsupported, "mlp_bias is true; ogas knows llamas without");
  OGAS_TRY(r.status());
  return c;
}

class Llama : public Decoder {
 public:
  explicit Llama(const Config& config) : Decoder(config.decoder, {}), config_(config), layers_(config.decoder.n_layer) {}

  Result<> bind(const TensorFile& file) {
    TensorTable table(file);
    w_.add_to(table, c_);
    if (table.has({"rope_freqs.weight", ""}))
      table.vector({"rope_freqs.weight", ""}, config_.rope.factors, config_.rope.n_rot / 2);
    for (uint32_t layer_idx = 0; layer_idx < c_.n_layer; ++layer_idx) {
      Layer& layer = layers_[layer_idx];
      table.begin_layer(layer_idx);
      table.vector({"attn_norm.weight", "input_layernorm.weight"}, layer.attn_norm, c_.n_embd);
      layer.attn.add_to(table, config_.attn);
      if (config_.has_bias) {
        layer.attn.add_qkv_bias(table);
        table.vector({"attn_output.bias", "self_attn.o_proj.bias"}, layer.attn.output_bias, c_.n_embd);
      }
      table.vector({"ffn_norm.weight", "post_attention_layernorm.weight"}, layer.ffn_norm, c_.n_embd);
      layer.ffn.add_to(table, c_.n_embd, config_.n_ff);
      table.ignore({"", "self_attn.rotary_emb.inv_freq"});
    }
    OGAS_TRY(table.bind());
    rope_ = Rope(config_.rope);
    facts_ = decoder_facts(file, c_, config_.attn, table);
    facts_.architecture = "llama";
    facts_.n_ff = config_.n_ff;
    facts_.token_bytes = HiddenSpace::bytes_per_token(c_, config_.rope.n_rot) + AttentionSpace::bytes_per_token(config_.attn) +
                         FeedForwardSpace::bytes_per_row(config_.n_ff);
    return {};
  }

 private:
  struct Space {
    AttentionSpace attn;
    FeedForwardSpace ffn;
  };

  void reserve(size_t n_tokens) override {
    space_.reset(new Space{{config_.attn, n_tokens}, {n_tokens, config_.n_ff}});
  }

  void run_layer(const Step& step, uint32_t layer_idx) override {
    const Layer& layer = layers_[layer_idx];
    add_block(step, layer.attn_norm,
              [&] { layer.attn.forward(step.exec, attention_call(step, layer_idx, space_->attn)); });
    add_block(step, layer.ffn_norm,
              [&] { layer.ffn.forward(step.exec, step.s.normed, step.n_tokens, space_->ffn, step.s.delta); });
  }

  Config config_;
  std::vector<Layer> layers_;
  std::unique_ptr<Space> space_;
};

}  // namespace

Result<std::unique_ptr<Model>> create_llama(const TensorFile& file) {
  auto model = std::make_unique<Llama>(OGAS_TRY(read_config(file)));
  OGAS_TRY(model->bind(file));
  return model;
}

}  // namespace ogas
