// DeepSeek-V2 and -Lite, V3 and R1: latent attention, and experts of which each token takes a few, with shared ones.
// V3.2: the same, and an indexer that chooses the positions a token attends to.
#include <cmath>

#include "arch/architectures.h"
#include "arch/decoder.h"
#include "nn/ffn_layer.h"
#include "nn/mla.h"

namespace ogas {
namespace {

struct DeepSeekConfig {
  DecoderConfig decoder{};
  MlaDims mla{};
  IndexerDims indexer{};  // V3.2
  RopeParams rope;
  float attn_scale = 0;
  FfnDims ffn;
  uint32_t n_dense = 0;          // the first layers have no experts
  bool has_choice_bias = false;  // V3: balances the experts without a loss of its own
  uint32_t n_mtp = 0;            // MTP heads, each with a layer after the last
};

struct DeepSeekLayer {
  std::vector<float> attn_norm, ffn_norm;  // [n_embd]
  Mla attn;
  FfnLayer ffn;
};

MlaDims read_mla_dims(ConfigReader& r, uint32_t n_embd) {
  MlaDims d{.n_embd = n_embd,
            .n_head = 1,
            .q_lora_rank = 0,
            .kv_lora_rank = 1,
            .qk_nope_head_dim = 1,
            .qk_rope_head_dim = 2,
            .v_head_dim = 1};
  constexpr uint64_t kMaxDim = 1U << 16;
  d.n_head = r.count({"attention.head_count", "num_attention_heads"}, 1, kMaxDim);
  d.q_lora_rank = r.count_or({"attention.q_lora_rank", "q_lora_rank"}, 0, 0, kMaxDim);
  d.kv_lora_rank = r.count({"attention.kv_lora_rank", "kv_lora_rank"}, 1, kMaxDim);
  d.qk_rope_head_dim = r.count({"rope.dimension_count", "qk_rope_head_dim"}, 2, kMaxDim);
  if (r.is_hf()) {
    d.qk_nope_head_dim = r.count({"", "qk_nope_head_dim"}, 1, kMaxDim);
    d.v_head_dim = r.count({"", "v_head_dim"}, 1, kMaxDim);
    return d;
  }
  // Files that store attn_k_b and attn_v_b give the sizes of what is cached as key_length, those of a head apart.
  const bool is_split = r.has({"attention.key_length_mla", ""});
  const uint32_t k =
      r.count({is_split ? "attention.key_length_mla" : "attention.key_length", ""}, d.qk_rope_head_dim + 1, kMaxDim);
  d.qk_nope_head_dim = k - d.qk_rope_head_dim;
  d.v_head_dim = r.count({is_split ? "attention.value_length_mla" : "attention.value_length", ""}, 1, kMaxDim);
  return d;
}

IndexerDims read_indexer_dims(ConfigReader& r, const MlaDims& mla) {
  IndexerDims d{.n_head = r.count({"attention.indexer.head_count", "index_n_heads"}, 1, 1U << 16),
                .head_dim = r.count({"attention.indexer.key_length", "index_head_dim"}, 1, 1U << 16),
                .top_k = r.count({"attention.indexer.top_k", "index_topk"}, 1, 1U << 30)};
  if (d.head_dim < mla.qk_rope_head_dim)
    r.refuse(ErrorCode::bad_file, "{} is {}; at least the {} dimensions that are rotated are expected",
             r.name_of({"attention.indexer.key_length", "index_head_dim"}), d.head_dim, mla.qk_rope_head_dim);
  if (mla.q_lora_rank == 0)
    r.refuse(ErrorCode::bad_file, "an indexer, and {} is 0", r.name_of({"attention.q_lora_rank", "q_lora_rank"}));
  return d;
}

RouterRules read_rules(ConfigReader& r) {
  RouterRules rules =
      read_router_counts(r, {"expert_count", "n_routed_experts"}, {"expert_used_count", "num_experts_per_tok"});
  // GGUF numbers them: 1 softmax, 2 sigmoid.
  const bool is_sigmoid = r.is_hf() ? r.text_or({"", "scoring_func"}, "softmax") == "sigmoid"
                                    : r.count_or({"expert_gating_func", ""}, 1, 0, 3) == 2;
  const bool is_grouped = r.text_or({"", "topk_method"}, "") != "greedy";
  rules.scores = is_sigmoid ? RouterScores::sigmoid : RouterScores::softmax;
  rules.group_scores = is_sigmoid ? GroupScores::two_largest : GroupScores::largest;
  if (is_grouped) read_router_groups(r, rules);
  rules.normalize = r.flag_or({"expert_weights_norm", "norm_topk_prob"}, false);
  rules.scale = static_cast<float>(r.number_or({"expert_weights_scale", "routed_scaling_factor"}, 1));
  return rules;
}

// V2 and V3 scale the scores by YaRN's factor for mscale_all_dim, and rotations by the ratio of both.
float read_attn_scale(ConfigReader& r, DeepSeekConfig& c) {
  const double plain = 1 / std::sqrt(static_cast<double>(c.mla.qk_head_dim()));
  if (c.rope.scaling != RopeScaling::yarn) return static_cast<float>(plain);
  double all = r.number_or({"", r.has({"", "rope_parameters.mscale_all_dim"}) ? "rope_parameters.mscale_all_dim"
                                                                              : "rope_scaling.mscale_all_dim"},
                           0);
  if (!r.is_hf()) {
    all = 10 * r.number_or({"rope.scaling.yarn_log_multiplier", ""}, 0);  // GGUF stores 0.1 mscale_all_dim
    c.rope.attention_factor = 1;  // mscale and mscale_all_dim are the same in all of them
  }
  const double factor = all == 0 ? 1 : yarn_mscale(c.rope.factor, all);
  return static_cast<float>(plain * factor * factor);
}

Result<DeepSeekConfig> read_config(const TensorFile& file, std::string_view architecture,
                                   const ModelOverrides& overrides, bool has_indexer) {
  ConfigReader r(file, architecture, overrides);
  DeepSeekConfig c;
  c.decoder = read_decoder_config(r, file);
  c.mla = read_mla_dims(r, c.decoder.n_embd);
  if (has_indexer) c.indexer = read_indexer_dims(r, c.mla);
  c.rope = read_rope(r, c.mla.qk_rope_head_dim, RopeStyle::interleaved);
  c.attn_scale = read_attn_scale(r, c);
  c.ffn = {.n_embd = c.decoder.n_embd,
           .n_ff = r.count({"feed_forward_length", "intermediate_size"}, 1, 1U << 24),
           .rules = read_rules(r)};
  c.ffn.n_ff_exp = r.count({"expert_feed_forward_length", "moe_intermediate_size"}, 1, 1U << 24);
  c.ffn.n_ff_shared = c.ffn.n_ff_exp * r.count_or({"expert_shared_count", "n_shared_experts"}, 0, 0, 1024);
  c.n_dense = r.count_or({"leading_dense_block_count", "first_k_dense_replace"}, 0, 0, c.decoder.n_layer);
  c.has_choice_bias = c.ffn.rules.scores == RouterScores::sigmoid;
  c.n_mtp = read_n_mtp(r, file, c.decoder.n_layer);
  refuse_attention_bias(r);
  if (r.count_or({"", "moe_layer_freq"}, 1, 0, 1U << 16) != 1)
    r.refuse(ErrorCode::unsupported,
             "moe_layer_freq is not 1; ogas knows this family with experts in every later layer");
  OGAS_TRY(r.status());
  return c;
}

class DeepSeek : public Decoder {
 public:
  DeepSeek(std::string_view architecture, const DeepSeekConfig& config)
      : Decoder(config.decoder), config_(config), layers_(config.decoder.n_layer + config.n_mtp) {
    facts_.architecture = architecture;
    if (config_.n_dense == 0) config_.ffn.n_ff = 0;
  }

  Result<> bind(const TensorFile& file) {
    TensorTable table(file);
    w_.add_to(table, c_);
    for (uint32_t layer_idx = 0; layer_idx < layers_.size(); ++layer_idx) {
      if (layer_idx == c_.n_layer) table.begin_head();
      add_layer(table, layer_idx, layers_[layer_idx]);
    }
    if (config_.n_mtp > 0) mtp_.add_to(table, c_);  // under the name of the last
    OGAS_TRY(table.bind());
    const Rope& rope = ropes_.add(config_.rope);
    for (DeepSeekLayer& layer : layers_) {
      layer.attn.rope = layer.attn.indexer.rope = &rope;
      layer.attn.keep_key_rows();
    }
    linears_ = table.linears();
    shards_ = table.shards();
    moes_ = table.moes();
    make_facts(file, table);
    linears_of_token_ = table.linears_of_token(facts_.n_expert_used);
    return {};
  }

 private:
  struct Workspace {
    MlaWorkspace attn;
    FfnWorkspace ffn;
  };

  void add_layer(TensorTable& table, uint32_t layer_idx, DeepSeekLayer& layer) const {
    table.begin_layer(layer_idx);
    table.vector({"attn_norm.weight", "input_layernorm.weight"}, layer.attn_norm, c_.n_embd, kReplicated);
    layer.attn.add_to(table, config_.mla, c_.rms_eps);
    layer.attn.scale = config_.attn_scale;
    if (config_.indexer.top_k > 0)
      layer.attn.indexer.add_to(table, config_.indexer, c_.n_embd, config_.mla.q_lora_rank);
    table.vector({"ffn_norm.weight", "post_attention_layernorm.weight"}, layer.ffn_norm, c_.n_embd, kReplicated);
    layer.ffn.moe.input_norm = &layer.ffn_norm;
    if (layer_idx < config_.n_dense) return layer.ffn.add_dense(table, config_.ffn);
    layer.ffn.add_experts(table, config_.ffn);
    if (config_.has_choice_bias)
      table.vector({"exp_probs_b.bias", "mlp.gate.e_score_correction_bias"}, layer.ffn.moe.exp_probs_b,
                   config_.ffn.rules.n_expert, kReplicated);
    table.ignore({"", "self_attn.rotary_emb.inv_freq"});
  }

  void make_facts(const TensorFile& file, const TensorTable& table) {
    facts_ = decoder_facts(facts_.architecture, file, c_,
                           {.n_embd = c_.n_embd, .n_head = config_.mla.n_head, .n_head_kv = 1, .head_dim = 1}, table);
    add_expert_facts(facts_, table, config_.ffn, moes_);
    facts_.n_ff = static_cast<uint32_t>(config_.ffn.n_ff);
    facts_.n_mtp = config_.n_mtp;
    facts_.prompts_differ = config_.mla.expands();
    for (DeepSeekLayer& layer : layers_) layer.attn.add_to(facts_.kv);
    facts_.latent_dim = config_.mla.latent_dim();
    facts_.indexer_dim = config_.indexer.head_dim;
    facts_.token_bytes = hidden_bytes_per_token() + MlaWorkspace::bytes_per_token(config_.mla, config_.indexer) +
                         FfnWorkspace::bytes_per_token(config_.ffn);
  }

  void reserve(size_t n_tokens) override {
    workspace_.reset(new Workspace{{config_.mla, n_tokens, config_.indexer}, {config_.ffn, n_tokens}});
  }

  ScratchBytes layer_scratch_bytes(const PassLimits& limits) const override {
    return max(MlaWorkspace::scratch_bytes(config_.mla, config_.indexer, limits),
               FfnWorkspace::scratch_bytes(config_.ffn, limits));
  }

  Result<> run_layer(const Step& step, uint32_t layer_idx) override {
    const DeepSeekLayer& layer = layers_[layer_idx];
    OGAS_TRY(add_block(step, layer.attn_norm,
                       [&] { layer.attn.forward(step.exec, attention_call(step), workspace_->attn); }));
    return add_block(step, layer.ffn_norm, [&] {
      return layer.ffn.forward(step.exec, step.s.normed, step.n_tokens, workspace_->ffn, step.s.delta);
    });
  }

  DeepSeekConfig config_;
  std::vector<DeepSeekLayer> layers_;
  std::unique_ptr<Workspace> workspace_;
};

}  // namespace

Result<std::unique_ptr<Model>> create_deepseek(const TensorFile& file, const ModelOverrides& overrides) {
  constexpr std::string_view kName = "deepseek2";
  return bind_model(std::make_unique<DeepSeek>(kName, OGAS_TRY(read_config(file, kName, overrides, false))), file);
}

Result<std::unique_ptr<Model>> create_deepseek_v32(const TensorFile& file, const ModelOverrides& overrides) {
  constexpr std::string_view kName = "deepseek32";
  return bind_model(std::make_unique<DeepSeek>(kName, OGAS_TRY(read_config(file, kName, overrides, true))), file);
}

}  // namespace ogas
