// Google's Gemma 3, its text part (Gemma 3 technical report, 2): five layers of six within a window, with a rotation of
// their own; norms before and after each block, of which Hugging Face stores what their weights differ from 1 by;
// feed-forward blocks gated by GELU; embeddings scaled by sqrt(n_embd). Configs may cap scores and logits as Gemma 2's.
#include <cmath>

#include "arch/architectures.h"
#include "arch/gqa_decoder.h"
#include "base/quote.h"
#include "quant/half.h"

namespace ogas {
namespace {

// What the plan of GqaDecoder does not have.
struct Gemma3Config {
  RopeParams local_rope;
  std::vector<uint32_t> windows;  // [n_layer] positions a token sees; 0: all
  float embedding_scale = 1;
  float attention_scale = 1;           // of scores
  float score_cap = 0, logit_cap = 0;  // 0: none
};

class Gemma3 : public GqaDecoder {
 public:
  Gemma3(GqaConfig config, Gemma3Config own) : GqaDecoder("gemma3", std::move(config)), own_(std::move(own)) {}

 private:
  void add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx) override {
    GqaDecoder::add_tensors(table, layer, layer_idx);
    layer.attn.add_qk_norm(table, c_.rms_eps);
    table.vector({"post_attention_norm.weight", "post_attention_layernorm.weight"}, layer.attn_post_norm, c_.n_embd,
                 kReplicated);
    table.vector({"post_ffw_norm.weight", "post_feedforward_layernorm.weight"}, layer.ffn_post_norm, c_.n_embd,
                 kReplicated);
    layer.attn.window = own_.windows[layer_idx];
    layer.attn.scale = own_.attention_scale;
    layer.attn.soft_cap = own_.score_cap;
  }

  TensorName ffn_norm_name() const override { return {"ffn_norm.weight", "pre_feedforward_layernorm.weight"}; }

  const RopeParams& rope_of(uint32_t layer_idx) const override {
    return own_.windows[layer_idx] > 0 ? own_.local_rope : config_.rope;
  }

  void finish(bool is_hf) override {
    if (!is_hf) return;
    add_one({&w_.output_norm});
    for (GqaLayer& layer : layers_)
      add_one({&layer.attn_norm, &layer.attn_post_norm, &layer.ffn_norm, &layer.ffn_post_norm, &layer.attn.attn_q_norm,
               &layer.attn.attn_k_norm});
  }

  Result<> embed(const Step& step, const Embeddings& embeddings, std::span<const TokenId> tokens,
                 const Matrix& y) const override {
    return step.exec.device.embed(embeddings.lookup(), tokens, own_.embedding_scale, y);
  }

  void make_logits(const Step& step, const Linear& output, size_t n, const Matrix& logits) override {
    GqaDecoder::make_logits(step, output, n, logits);
    if (own_.logit_cap > 0) step.exec.device.soft_cap(logits, own_.logit_cap, n);
  }

  Gemma3Config own_;
};

// Values that configs of the first release leave to transformers.
void assume_defaults(ConfigReader& r) {
  r.assume("num_attention_heads", 8);
  r.assume("num_key_value_heads", 4);
  r.assume("head_dim", 256);
  r.assume("query_pre_attn_scalar", 256);
  r.assume("max_position_embeddings", 131072);
  r.assume("rms_norm_eps", 1e-6);
  r.assume("rope_theta", 1e6);
}

void refuse_gemma3_variants(ConfigReader& r) {
  refuse_attention_bias(r);
  if (r.flag_or({"", "use_bidirectional_attention"}, false))
    r.refuse(ErrorCode::unsupported,
             "use_bidirectional_attention is true; ogas knows this family with causal attention");
  constexpr std::string_view kGelu = "gelu_pytorch_tanh";
  if (const std::string name = r.text_or({"", "hidden_activation"}, kGelu); name != kGelu)
    r.refuse(ErrorCode::unsupported, "hidden_activation is {}; ogas knows this family with {}", in_quotes(name), kGelu);
  if (const std::string type = r.text_or({"", "rope_parameters.sliding_attention.rope_type"}, "default");
      type != "default")
    r.refuse(ErrorCode::unsupported, "the rotation of layers with a window is {}; ogas knows this family without",
             in_quotes(type));
}

// A list names each layer, or every n-th sees all.
std::vector<uint32_t> read_gemma3_windows(ConfigReader& r, uint32_t n_layer) {
  const uint32_t window = r.count_or({"attention.sliding_window", "sliding_window"}, 0, 0, 1U << 30);
  constexpr ConfigKey kPattern = {"attention.sliding_window_pattern", "sliding_window_pattern"};
  LayerKinds kinds = {.other = "sliding_attention", .every = 1};
  if (r.is_list(kPattern))
    kinds.flags = kPattern;
  else
    kinds.every = r.count_or(kPattern, 6, 1, UINT32_MAX);
  return windows_of(read_layer_kinds(r, n_layer, kinds), window);
}

// GGUF does not say; llama.cpp knows the 27B by its layers.
float read_attention_scale(ConfigReader& r, const GqaConfig& c) {
  constexpr uint32_t kLayersOf27B = 62;
  double scalar = c.decoder.n_layer == kLayersOf27B ? c.decoder.n_embd / c.attn.n_head : c.attn.head_dim;
  if (r.is_hf()) scalar = static_cast<double>(r.number({"", "query_pre_attn_scalar"}));
  if (!(scalar > 0)) r.refuse(ErrorCode::bad_file, "query_pre_attn_scalar is {}; more than 0 is expected", scalar);
  return static_cast<float>(1 / std::sqrt(scalar));
}

// transformers multiplies in the type of the embeddings; the model was trained in BF16.
float embedding_scale(const TensorFile& file, uint32_t n_embd) {
  const float scale = std::sqrt(static_cast<float>(n_embd));
  const TensorInfo* embeddings = file.find("model.embed_tokens.weight");
  return embeddings && embeddings->format == Format::bf16 ? bf16_to_f32(f32_to_bf16(scale)) : scale;
}

float read_cap(ConfigReader& r, ConfigKey key) {
  const double cap = r.number_or(key, 0);
  if (!(cap >= 0)) r.refuse(ErrorCode::bad_file, "{} is {}; 0 or more is expected", r.name_of(key), cap);
  return static_cast<float>(cap);
}

Gemma3Config read_gemma3_config(ConfigReader& r, const TensorFile& file, const GqaConfig& c) {
  Gemma3Config own;
  own.windows = read_gemma3_windows(r, c.decoder.n_layer);
  own.local_rope = {.n_rot = c.rope.n_rot, .style = c.rope.style};
  constexpr std::string_view kLocalBase = "rope_parameters.sliding_attention.rope_theta";
  own.local_rope.base =
      r.number_or({"rope.freq_base_swa", r.has({"", kLocalBase}) ? kLocalBase : "rope_local_base_freq"}, 10000);
  own.embedding_scale = embedding_scale(file, c.decoder.n_embd);
  own.attention_scale = read_attention_scale(r, c);
  own.score_cap = read_cap(r, {"attn_logit_softcapping", "attn_logit_softcapping"});
  own.logit_cap = read_cap(r, {"final_logit_softcapping", "final_logit_softcapping"});
  return own;
}

}  // namespace

Result<std::unique_ptr<Model>> create_gemma3(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "gemma3", overrides);
  assume_defaults(r);
  GqaConfig c = read_dense_config(r, file, RopeStyle::half_split);
  c.ffn.glu.kind = Glu::Kind::gelu_tanh;
  Gemma3Config own = read_gemma3_config(r, file, c);
  refuse_gemma3_variants(r);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<Gemma3>(std::move(c), std::move(own)), file);
}

}  // namespace ogas
