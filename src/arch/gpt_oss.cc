// OpenAI's gpt-oss 20b and 120b: attention with sinks, every other layer within a window, and experts with biases and a
// clamped SwiGLU (gpt-oss model card, 2.1 and 2.2).
#include "arch/architectures.h"
#include "arch/gqa_decoder.h"

namespace ogas {
namespace {

// What the plan of GqaDecoder does not have.
struct OwnConfig {
  bool has_attention_bias = true;
  std::vector<uint32_t> windows;  // [n_layer] positions a token sees; 0: all
};

class GptOss : public GqaDecoder {
 public:
  GptOss(GqaConfig config, OwnConfig own) : GqaDecoder("gpt-oss", std::move(config)), own_(std::move(own)) {}

 private:
  void add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx) override {
    if (own_.has_attention_bias) {
      layer.attn.add_qkv_bias(table);
      layer.attn.add_output_bias(table);
    }
    layer.attn.add_sinks(table);
    layer.attn.window = own_.windows[layer_idx];
    layer.ffn.has_experts = true;
    add_experts(table, layer.ffn.moe);
  }

  // GGUF has tensors for gate, up and down. On Hugging Face gate and up are one tensor with interleaved rows. Published
  // models have blocks of MXFP4, models that others trained further have plain numbers, which are stored transposed.
  void add_experts(TensorTable& table, Moe& moe) const {
    const FfnDims& d = config_.ffn;
    const uint64_t n_expert = d.rules.n_expert;
    const Shard rows = Shard::rows(ShardUnit::expert_ff, d.n_ff_exp);
    const Shard columns = Shard::columns(ShardUnit::expert_ff, d.n_ff_exp);
    moe.rules = d.rules;
    moe.glu = d.glu;
    table.moe(moe);
    table.linear({"ffn_gate_inp.weight", "mlp.router.weight"}, moe.ffn_gate_inp, n_expert, d.n_embd, kReplicated);
    table.vector({"ffn_gate_inp.bias", "mlp.router.bias"}, moe.ffn_gate_inp_b, n_expert, kReplicated);
    ExpertStack gate{.n_expert = n_expert, .n_out = d.n_ff_exp, .n_in = d.n_embd};
    ExpertStack down{.n_expert = n_expert, .n_out = d.n_embd, .n_in = d.n_ff_exp};
    if (table.is_hf()) gate.n_parts = 2;
    gate.is_transposed = table.has({"", "mlp.experts.gate_up_proj"});
    down.is_transposed = table.has({"", "mlp.experts.down_proj"});
    ExpertStack up = gate;
    up.part = gate.n_parts - 1;
    const std::string_view gate_up =
        gate.is_transposed ? "mlp.experts.gate_up_proj" : "mlp.experts.gate_up_proj_blocks";
    table.stacked({"ffn_gate_exps.weight", gate_up}, moe.ffn_gate_exps, gate, rows);
    table.stacked({"ffn_up_exps.weight", gate_up}, moe.ffn_up_exps, up, rows);
    table.stacked(
        {"ffn_down_exps.weight", down.is_transposed ? "mlp.experts.down_proj" : "mlp.experts.down_proj_blocks"},
        moe.ffn_down_exps, down, columns);
    table.stacked_bias({"ffn_gate_exps.bias", "mlp.experts.gate_up_proj_bias"}, moe.ffn_gate_exps_b, gate, rows);
    table.stacked_bias({"ffn_up_exps.bias", "mlp.experts.gate_up_proj_bias"}, moe.ffn_up_exps_b, up, rows);
    table.stacked_bias({"ffn_down_exps.bias", "mlp.experts.down_proj_bias"}, moe.ffn_down_exps_b, down, kReplicated);
  }

  TensorName ffn_norm_name() const override {
    return {"post_attention_norm.weight", "post_attention_layernorm.weight"};
  }

  OwnConfig own_;
};

// layer_types names each layer; without it, and in GGUF, every other layer has the window, the first among them.
std::vector<uint32_t> read_windows(ConfigReader& r, uint32_t n_layer) {
  const uint32_t window = r.count_or({"attention.sliding_window", "sliding_window"}, 0, 0, 1U << 30);
  return windows_of(read_layer_kinds(r, n_layer, {.other = "sliding_attention", .every = 2}), window);
}

Glu read_glu(ConfigReader& r) {
  const SwigluClamp clamp{.alpha = static_cast<float>(r.number_or({"", "swiglu_alpha"}, 1.702)),
                          .limit = static_cast<float>(r.number_or({"", "swiglu_limit"}, 7))};
  if (!(clamp.limit > 0)) r.refuse(ErrorCode::bad_file, "swiglu_limit is {}; more than 0 is expected", clamp.limit);
  return {.kind = Glu::Kind::clamped_silu, .clamp = clamp};
}

GqaConfig read_config(ConfigReader& r, const TensorFile& file) {
  GqaConfig c = read_dense_config(r, file, RopeStyle::half_split);
  // GGUF does not say so: the model was trained with borders of YaRN's ramp between pairs.
  if (!r.is_hf()) c.rope.truncate = false;
  FfnDims& ffn = c.ffn;
  ffn.rules =
      read_router_counts(r, {"expert_count", "num_local_experts"}, {"expert_used_count", "num_experts_per_tok"});
  ffn.rules.scores = RouterScores::softmax_selected;
  ffn.glu = read_glu(r);
  ffn.n_ff_exp = r.count({"expert_feed_forward_length", "intermediate_size"}, 1, 1U << 24);
  ffn.n_ff = 0;
  c.has_experts = experts_from(0, c.decoder.n_layer);
  return c;
}

OwnConfig read_own_config(ConfigReader& r, uint32_t n_layer) {
  OwnConfig c;
  c.windows = read_windows(r, n_layer);
  c.has_attention_bias = r.flag_or({"", "attention_bias"}, true);
  return c;
}

}  // namespace

Result<std::unique_ptr<Model>> create_gpt_oss(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "gpt-oss", overrides);
  GqaConfig c = read_config(r, file);
  OwnConfig own = read_own_config(r, c.decoder.n_layer);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<GptOss>(std::move(c), std::move(own)), file);
}

}  // namespace ogas
