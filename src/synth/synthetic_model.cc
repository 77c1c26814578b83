#include "synth/synthetic_model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>

#include "base/quote.h"
#include "synth/synthetic_vocab.h"

namespace ogas {
namespace {

constexpr std::string_view kMix = "Q4_K_M";

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// general.file_type (llama_ftype); 1024 marks it as inferred.
uint32_t file_type_of(std::string_view type) {
  constexpr std::pair<std::string_view, uint32_t> kTypes[] = {
      {"F32", 0},   {"F16", 1},     {"Q4_0", 2},    {"Q4_1", 3},  {"Q8_0", 7}, {"Q5_0", 8},
      {"Q5_1", 9},  {"Q2_K", 10},   {"Q3_K", 12},   {"Q4_K", 15}, {kMix, 15},  {"Q5_K", 17},
      {"Q6_K", 18}, {"IQ4_NL", 25}, {"IQ4_XS", 30}, {"BF16", 32}};
  for (const auto& [name, number] : kTypes)
    if (name == type) return number;
  return 1024;
}

// llama.cpp's fallback where rows are not whole blocks of 256.
Format with_small_blocks(Format format) {
  switch (format) {
    case Format::q2_k:
    case Format::q3_k:
    case Format::iq4_xs: return Format::iq4_nl;
    case Format::q4_k: return Format::q5_0;
    case Format::q5_k: return Format::q5_1;
    case Format::q6_k: return Format::q8_0;
    default: return format;
  }
}

// Where the mix takes Q6_K for attn_v and ffn_down: the first and last eighth of the layers, and every third between.
bool takes_more_bits(uint32_t layer_idx, uint32_t n_layer) {
  const uint32_t eighth = n_layer / 8;
  return layer_idx < eighth || layer_idx >= 7 * n_layer / 8 || (layer_idx - eighth) % 3 == 2;
}

Shape shape_of(std::initializer_list<uint64_t> dims) {
  Shape shape;
  for (const uint64_t dim : dims) shape.dims[shape.n_dims++] = dim;
  return shape;
}

}  // namespace

std::vector<std::string> synth_types() {
  std::vector<std::string> types{std::string(kMix)};
  for (const FormatFacts& facts : all_formats())
    if (has_random_blocks(facts.format)) types.emplace_back(facts.name);
  return types;
}

// Keys and tensors of one file, in order.
class SyntheticModel::Layout {
 public:
  Layout(SyntheticModel& model, const ModelShape& shape, const SynthOptions& options)
      : m_(model), s_(shape), is_mix_(options.type == kMix), n_layer_(options.n_layer) {
    base_ = is_mix_ ? Format::q4_k : *format_from_name(options.type);
  }

  void add_keys(const SynthOptions& options);
  void add_tensors();

 private:
  std::string key(std::string_view name) const { return fmt::format("{}.{}", s_.architecture, name); }
  void count(std::string_view name, uint32_t value) {
    if (value > 0) m_.layout_.add_uint(key(name), value);
  }
  void add_attention_keys();
  void add_expert_keys();

  // Numbers around `mean`, as norms, biases and routers have them.
  void floats(const std::string& name, const Shape& shape, float mean, float deviation) {
    m_.layout_.add_tensor(name, Format::f32, shape);
    m_.contents_.push_back({.blocks = {}, .mean = mean, .width = deviation * std::sqrt(3.0F)});
    m_.n_params_ += shape.n_values();
  }
  void norm(const std::string& name, uint64_t n) { floats(name, shape_of({n}), 1, 0.1F); }
  // gain: the deviation in units of 1 / sqrt(n_in).
  void matrix(const std::string& name, Format format, const Shape& shape, float gain = 1) {
    const uint64_t n_in = shape[shape.n_dims - 1];
    if (n_in % facts_of(format).block_values != 0) format = with_small_blocks(format);
    if (n_in % facts_of(format).block_values != 0) format = Format::f16;
    m_.layout_.add_tensor(name, format, shape);
    m_.contents_.push_back({.blocks = RandomBlocks(format, gain / std::sqrt(static_cast<float>(n_in)))});
    m_.n_params_ += shape.n_values();
  }
  std::string in_layer(std::string_view name) const { return fmt::format("blk.{}.{}", layer_idx_, name); }
  Format v_or_down() const { return is_mix_ && takes_more_bits(layer_idx_, n_layer_) ? Format::q6_k : base_; }
  // As llama.cpp does: better than the rest, unless all of them are good.
  Format of_output() const { return base_ == Format::q8_0 || is_plain(base_) ? base_ : Format::q6_k; }

  void add_attention();
  void add_latent_attention();
  void add_delta_net();
  void add_feed_forward();

  SyntheticModel& m_;
  const ModelShape& s_;
  bool is_mix_;
  Format base_ = Format::f32;
  uint32_t n_layer_, layer_idx_ = 0;
};

void SyntheticModel::Layout::add_keys(const SynthOptions& options) {
  GgufWriter& out = m_.layout_;
  out.add_string("general.architecture", s_.architecture);
  out.add_string("general.name", fmt::format("synthetic {}, {} layers, seed {}", s_.name, n_layer_, options.seed));
  out.add_uint("general.file_type", file_type_of(options.type));
  out.add_uint("general.quantization_version", 2);
  count("block_count", n_layer_);
  count("context_length", s_.n_ctx);
  count("embedding_length", s_.n_embd);
  count("feed_forward_length", s_.n_ff);
  count("vocab_size", s_.n_vocab);
  out.add_float(key("attention.layer_norm_rms_epsilon"), s_.rms_eps);
  add_attention_keys();
  count("full_attention_interval", s_.full_attention_interval);
  count("ssm.conv_kernel", s_.n_taps);
  count("ssm.state_size", s_.delta_head_dim);
  count("ssm.group_count", s_.n_head_k_delta);
  count("ssm.time_step_rank", s_.n_head_v_delta);
  count("ssm.inner_size", s_.n_head_v_delta * s_.delta_head_dim);
  if (s_.n_expert > 0) add_expert_keys();
  add_synthetic_vocab(out, s_.n_vocab, s_.pre);
}

void SyntheticModel::Layout::add_attention_keys() {
  GgufWriter& out = m_.layout_;
  count("attention.head_count", s_.n_head);
  count("attention.head_count_kv", s_.n_head_kv);
  count("attention.q_lora_rank", s_.q_lora_rank);
  count("attention.kv_lora_rank", s_.kv_lora_rank);
  count("attention.key_length", s_.is_latent() ? s_.kv_lora_rank + s_.qk_rope_dim : s_.head_dim);
  count("attention.value_length", s_.is_latent() ? s_.kv_lora_rank : s_.head_dim);
  if (s_.is_latent()) count("attention.key_length_mla", s_.qk_nope_dim + s_.qk_rope_dim);
  count("attention.value_length_mla", s_.v_dim);
  count("rope.dimension_count", s_.is_latent() ? s_.qk_rope_dim : s_.n_rot > 0 ? s_.n_rot : s_.head_dim);
  out.add_float(key("rope.freq_base"), s_.rope_base);
  if (s_.yarn_factor == 0) return;
  out.add_string(key("rope.scaling.type"), "yarn");
  out.add_float(key("rope.scaling.factor"), s_.yarn_factor);
  count("rope.scaling.original_context_length", s_.yarn_n_ctx);
  out.add_float(key("rope.scaling.yarn_log_multiplier"), s_.yarn_log_multiplier);
}

void SyntheticModel::Layout::add_expert_keys() {
  count("expert_count", s_.n_expert);
  count("expert_used_count", s_.n_expert_used);
  count("expert_feed_forward_length", s_.n_ff_exp);
  count("expert_shared_count", s_.n_expert_shared);
  if (s_.says_shared_length) count("expert_shared_feed_forward_length", s_.n_expert_shared * s_.n_ff_exp);
  if (s_.says_moe_step) count("interleave_moe_layer_step", 1);
  count("leading_dense_block_count", std::min(s_.n_dense, n_layer_));
  if (s_.weights_scale > 0) m_.layout_.add_float(key("expert_weights_scale"), s_.weights_scale);
  if (s_.has_weights_norm) m_.layout_.add_bool(key("expert_weights_norm"), true);
  if (s_.is_latent()) count("expert_gating_func", s_.has_sigmoid_router ? 2 : 1);
  count("expert_group_count", s_.n_group);
  count("expert_group_used_count", s_.n_group_used);
}

void SyntheticModel::Layout::add_tensors() {
  const Shape vocab = shape_of({s_.n_vocab, s_.n_embd});
  // Rows of the embeddings have numbers of order one, unless they are the output's, too.
  const float of_one = std::sqrt(static_cast<float>(s_.n_embd));
  matrix("token_embd.weight", s_.is_tied ? of_output() : base_, vocab, s_.is_tied ? 1 : of_one);
  norm("output_norm.weight", s_.n_embd);
  if (!s_.is_tied) matrix("output.weight", of_output(), vocab);
  for (layer_idx_ = 0; layer_idx_ < n_layer_; ++layer_idx_) {
    norm(in_layer("attn_norm.weight"), s_.n_embd);
    if (s_.is_recurrent(layer_idx_))
      add_delta_net();
    else
      s_.is_latent() ? add_latent_attention() : add_attention();
    norm(in_layer(s_.ffn_norm), s_.n_embd);
    add_feed_forward();
  }
}

void SyntheticModel::Layout::add_attention() {
  const uint64_t n_q = uint64_t{s_.n_head} * s_.head_dim, n_kv = uint64_t{s_.n_head_kv} * s_.head_dim;
  matrix(in_layer("attn_q.weight"), base_, shape_of({s_.has_attention_gate ? 2 * n_q : n_q, s_.n_embd}));
  matrix(in_layer("attn_k.weight"), base_, shape_of({n_kv, s_.n_embd}));
  matrix(in_layer("attn_v.weight"), v_or_down(), shape_of({n_kv, s_.n_embd}));
  if (s_.has_qkv_bias)
    for (const auto& [part, n] : {std::pair("q", n_q), std::pair("k", n_kv), std::pair("v", n_kv)})
      floats(in_layer(fmt::format("attn_{}.bias", part)), shape_of({n}), 0, 0.1F);
  if (s_.has_qk_norm) {
    norm(in_layer("attn_q_norm.weight"), s_.head_dim);
    norm(in_layer("attn_k_norm.weight"), s_.head_dim);
  }
  matrix(in_layer("attn_output.weight"), base_, shape_of({s_.n_embd, n_q}),
         1 / std::sqrt(static_cast<float>(n_layer_)));
}

void SyntheticModel::Layout::add_latent_attention() {
  const uint64_t n_q = uint64_t{s_.n_head} * (s_.qk_nope_dim + s_.qk_rope_dim);
  if (s_.q_lora_rank == 0) {
    matrix(in_layer("attn_q.weight"), base_, shape_of({n_q, s_.n_embd}));
  } else {
    matrix(in_layer("attn_q_a.weight"), base_, shape_of({s_.q_lora_rank, s_.n_embd}));
    norm(in_layer("attn_q_a_norm.weight"), s_.q_lora_rank);
    matrix(in_layer("attn_q_b.weight"), base_, shape_of({n_q, s_.q_lora_rank}));
  }
  matrix(in_layer("attn_kv_a_mqa.weight"), base_, shape_of({s_.kv_lora_rank + s_.qk_rope_dim, s_.n_embd}));
  norm(in_layer("attn_kv_a_norm.weight"), s_.kv_lora_rank);
  // Keys are latents times the transposed matrix: the deviation follows from the latents' number.
  const float gain = std::sqrt(static_cast<float>(s_.qk_nope_dim) / static_cast<float>(s_.kv_lora_rank));
  matrix(in_layer("attn_k_b.weight"), base_, shape_of({s_.n_head, s_.kv_lora_rank, s_.qk_nope_dim}), gain);
  matrix(in_layer("attn_v_b.weight"), base_, shape_of({s_.n_head, s_.v_dim, s_.kv_lora_rank}));
  matrix(in_layer("attn_output.weight"), base_, shape_of({s_.n_embd, uint64_t{s_.n_head} * s_.v_dim}),
         1 / std::sqrt(static_cast<float>(n_layer_)));
}

// Heads keep what they know for some tens to thousands of tokens, as those of trained models do.
void SyntheticModel::Layout::add_delta_net() {
  const uint64_t n_k = uint64_t{s_.n_head_k_delta} * s_.delta_head_dim;
  const uint64_t n_v = uint64_t{s_.n_head_v_delta} * s_.delta_head_dim, n_qkv = 2 * n_k + n_v;
  matrix(in_layer("attn_qkv.weight"), base_, shape_of({n_qkv, s_.n_embd}));
  matrix(in_layer("attn_gate.weight"), base_, shape_of({n_v, s_.n_embd}));
  matrix(in_layer("ssm_ba.weight"), base_, shape_of({2 * uint64_t{s_.n_head_v_delta}, s_.n_embd}));
  floats(in_layer("ssm_conv1d.weight"), shape_of({n_qkv, s_.n_taps}), 0, 1 / std::sqrt(static_cast<float>(s_.n_taps)));
  floats(in_layer("ssm_a"), shape_of({s_.n_head_v_delta}), -1, 0.5F);
  floats(in_layer("ssm_dt.bias"), shape_of({s_.n_head_v_delta}), -5, 1);
  norm(in_layer("ssm_norm.weight"), s_.delta_head_dim);
  matrix(in_layer("ssm_out.weight"), base_, shape_of({s_.n_embd, n_v}), 1 / std::sqrt(static_cast<float>(n_layer_)));
}

void SyntheticModel::Layout::add_feed_forward() {
  const float to_residual = 1 / std::sqrt(static_cast<float>(n_layer_));
  const auto add = [&](std::string_view suffix, uint64_t n_ff) {
    matrix(in_layer(fmt::format("ffn_gate{}.weight", suffix)), base_, shape_of({n_ff, s_.n_embd}));
    matrix(in_layer(fmt::format("ffn_up{}.weight", suffix)), base_, shape_of({n_ff, s_.n_embd}));
    matrix(in_layer(fmt::format("ffn_down{}.weight", suffix)), v_or_down(), shape_of({s_.n_embd, n_ff}), to_residual);
  };
  if (!s_.has_experts(layer_idx_)) return add("", s_.n_ff);
  const uint64_t n = s_.n_expert;
  floats(in_layer("ffn_gate_inp.weight"), shape_of({n, s_.n_embd}), 0, 1 / std::sqrt(static_cast<float>(s_.n_embd)));
  if (s_.has_choice_bias) floats(in_layer("exp_probs_b.bias"), shape_of({n}), 0, 0.01F);
  matrix(in_layer("ffn_gate_exps.weight"), base_, shape_of({n, s_.n_ff_exp, s_.n_embd}));
  matrix(in_layer("ffn_up_exps.weight"), base_, shape_of({n, s_.n_ff_exp, s_.n_embd}));
  matrix(in_layer("ffn_down_exps.weight"), v_or_down(), shape_of({n, s_.n_embd, s_.n_ff_exp}), to_residual);
  if (s_.n_expert_shared > 0) add("_shexp", uint64_t{s_.n_expert_shared} * s_.n_ff_exp);
  if (s_.has_shared_gate)
    floats(in_layer("ffn_gate_inp_shexp.weight"), shape_of({1, s_.n_embd}), 0,
           1 / std::sqrt(static_cast<float>(s_.n_embd)));
}

Result<SyntheticModel> SyntheticModel::create(const ModelShape& shape, const SynthOptions& wanted) {
  SynthOptions options = wanted;
  options.type = upper(options.type);
  const auto types = synth_types();
  if (std::ranges::find(types, options.type) == types.end())
    return fail(ErrorCode::usage, "type {} cannot be written; one of {} is expected", in_quotes(wanted.type),
                fmt::join(types, ", "));
  if (options.n_layer > shape.n_layer)
    return fail(ErrorCode::usage, "{} layers; {} has {}", options.n_layer, shape.name, shape.n_layer);
  if (options.n_layer == 0) options.n_layer = shape.n_layer;
  SyntheticModel model;
  model.seed_ = options.seed;
  Layout layout(model, shape, options);
  layout.add_keys(options);
  layout.add_tensors();
  model.header_ = model.layout_.header();
  constexpr uint64_t kPiece = 4 << 20;
  for (uint32_t tensor_idx = 0; tensor_idx < model.layout_.tensors().size(); ++tensor_idx) {
    const GgufWriter::Tensor& tensor = model.layout_.tensors()[tensor_idx];
    const uint64_t block = facts_of(tensor.format).block_bytes;
    const uint64_t step = kPiece / block * block;
    for (uint64_t begin = 0; begin < tensor.n_bytes; begin += step)
      model.pieces_.push_back({tensor_idx, begin, std::min(step, tensor.n_bytes - begin)});
  }
  return model;
}

void SyntheticModel::fill(const Piece& piece, std::span<std::byte> out) const {
  const Content& content = contents_[piece.tensor_idx];
  const uint64_t seed = mix_seeds(mix_seeds(seed_, piece.tensor_idx), piece.begin);
  if (content.blocks) return content.blocks->fill(out, seed);
  RandomBlocks(Format::f32, content.width / std::sqrt(3.0F)).fill(out, seed);
  for (size_t at = 0; at < out.size(); at += sizeof(float)) {
    float value;
    std::memcpy(&value, out.data() + at, sizeof value);
    value += content.mean;
    std::memcpy(out.data() + at, &value, sizeof value);
  }
}

}  // namespace ogas
