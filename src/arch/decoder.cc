#include "arch/decoder.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/quote.h"
#include "nn/moe.h"

namespace ogas {

DecoderConfig read_decoder_config(ConfigReader& r, const TensorFile& file) {
  DecoderConfig c{};
  c.n_layer = r.count({"block_count", "num_hidden_layers"}, 1, 4096);
  c.n_ctx_train = r.count({"context_length", "max_position_embeddings"}, 1, 1U << 30);
  c.n_embd = r.count({"embedding_length", "hidden_size"}, 1, 1U << 20);
  c.rms_eps = r.number({"attention.layer_norm_rms_epsilon", "rms_norm_eps"});
  const bool is_gguf = file.naming() == Naming::gguf;
  const TensorInfo* embeddings = file.find(is_gguf ? "token_embd.weight" : "model.embed_tokens.weight");
  if (!embeddings)
    r.refuse(ErrorCode::bad_file, "tensor '{}' is missing",
             is_gguf ? "token_embd.weight" : "model.embed_tokens.weight");
  else if (embeddings->shape[0] > INT32_MAX)
    r.refuse(ErrorCode::bad_file, "tensor '{}' has shape {}: too many tokens", embeddings->name,
             embeddings->shape.to_string());
  else
    c.n_vocab = static_cast<uint32_t>(embeddings->shape[0]);
  c.is_tied = r.flag_or({"", "tie_word_embeddings"}, false) || !file.find(is_gguf ? "output.weight" : "lm_head.weight");
  return c;
}

AttentionDims read_attention_dims(ConfigReader& r, uint32_t n_embd) {
  AttentionDims d{.n_embd = n_embd, .n_head = 1, .n_head_kv = 1, .head_dim = 1};
  d.n_head = r.count({"attention.head_count", "num_attention_heads"}, 1, 1U << 16);
  d.n_head_kv = r.count_or({"attention.head_count_kv", "num_key_value_heads"}, d.n_head, 1, d.n_head);
  if (d.n_head % d.n_head_kv != 0)
    r.refuse(ErrorCode::bad_file, "{} is {}, not a multiple of {}, {}",
             r.name_of({"attention.head_count", "num_attention_heads"}), d.n_head,
             r.name_of({"attention.head_count_kv", "num_key_value_heads"}), d.n_head_kv);
  d.head_dim = r.count_or({"attention.key_length", "head_dim"}, std::max(1U, n_embd / d.n_head), 1, 1U << 16);
  const auto v_dim = r.count_or({"attention.value_length", ""}, d.head_dim, 1, 1U << 16);
  if (v_dim != d.head_dim)
    r.refuse(ErrorCode::unsupported, "{} is {}; it must equal that of keys, {}",
             r.name_of({"attention.value_length", ""}), v_dim, d.head_dim);
  return d;
}

namespace {

void read_yarn(ConfigReader& r, const std::string& hf, RopeParams& p) {
  const auto key = [&](std::string_view name) { return hf + std::string(name); };
  p.scaling = RopeScaling::yarn;
  p.beta_fast = r.number_or({"rope.scaling.yarn_beta_fast", key("beta_fast")}, 32);
  p.beta_slow = r.number_or({"rope.scaling.yarn_beta_slow", key("beta_slow")}, 1);
  p.truncate = r.flag_or({"", key("truncate")}, true);
  const double mscale = r.number_or({"", key("mscale")}, 0);
  const double all = r.number_or({"", key("mscale_all_dim")}, 0);
  const double usual =
      mscale != 0 && all != 0 ? yarn_mscale(p.factor, mscale) / yarn_mscale(p.factor, all) : yarn_mscale(p.factor, 1);
  p.attention_factor = r.number_or({"", key("attention_factor")}, usual);
}

}  // namespace

RopeParams read_rope(ConfigReader& r, uint32_t n_rot, RopeStyle style) {
  // transformers 5 writes rope_parameters with everything in it, by kinds of layers where these differ; those before
  // rope_theta and rope_scaling.
  std::string hf = "rope_scaling.";
  for (const std::string_view group : {"rope_parameters.", "rope_parameters.full_attention."})
    if (r.has({"", std::string(group) + "rope_theta"})) hf = group;
  const auto key = [&](std::string_view name) { return hf + std::string(name); };
  RopeParams p{.n_rot = n_rot, .style = style};
  if (n_rot == 0 || n_rot % 2 != 0)
    r.refuse(ErrorCode::bad_file, "{} dimensions to rotate; an even number is expected", n_rot);
  p.base = r.number_or({"rope.freq_base", hf == "rope_scaling." ? "rope_theta" : key("rope_theta")}, 10000);
  const std::string old_name = r.text_or({"rope.scaling.type", key("type")}, "none");
  const std::string type = r.text_or({"rope.scaling.type", key("rope_type")}, old_name);
  if (p.base <= 1) r.refuse(ErrorCode::bad_file, "the base of the rotation is {}; more than 1 is expected", p.base);
  if (type == "none" || type == "default") return p;
  p.factor = r.number_or({"rope.scaling.factor", key("factor")}, 1);
  constexpr uint64_t kMaxContext = 1U << 30;
  const uint32_t n_ctx = r.count_or({"context_length", "max_position_embeddings"}, 4096, 1, kMaxContext);
  p.n_ctx_original = r.count_or({"rope.scaling.original_context_length", key("original_max_position_embeddings")},
                                n_ctx, 1, kMaxContext);
  if (!(p.factor > 0) || !(p.n_ctx_original > 0))
    r.refuse(ErrorCode::bad_file, "the rotation is scaled by {} from {} positions; positive numbers are expected",
             p.factor, p.n_ctx_original);
  if (type == "linear") {
    p.scaling = RopeScaling::linear;
  } else if (type == "llama3") {
    p.scaling = RopeScaling::wavelength;
    p.low_freq_factor = r.number_or({"", key("low_freq_factor")}, 1);
    p.high_freq_factor = r.number_or({"", key("high_freq_factor")}, 4);
    if (!(p.high_freq_factor > p.low_freq_factor))
      r.refuse(ErrorCode::bad_file, "high_freq_factor is {}; more than low_freq_factor, {}, is expected",
               p.high_freq_factor, p.low_freq_factor);
  } else if (type == "yarn") {
    read_yarn(r, hf, p);
  } else {
    r.refuse(ErrorCode::unsupported, "{} is {}; ogas knows none, linear, llama3 and yarn",
             r.name_of({"rope.scaling.type", key("rope_type")}), in_quotes(type));
  }
  return p;
}

namespace {

// layer_types of Hugging Face. Empty where the file does not say.
std::vector<std::string> read_layer_types(ConfigReader& r, uint32_t n_layer, std::string_view other) {
  std::vector<std::string> types = r.texts_or_none({"", "layer_types"}, 4096);
  if (types.empty()) return types;
  if (types.size() != n_layer) {
    r.refuse(ErrorCode::bad_file, "layer_types names {} layers; num_hidden_layers is {}", types.size(), n_layer);
    return {};
  }
  for (const std::string& type : types)
    if (type != "full_attention" && type != other)
      r.refuse(ErrorCode::unsupported, "layer_types has {}; ogas knows full_attention and {}", in_quotes(type), other);
  return types;
}

}  // namespace

std::vector<bool> read_layer_kinds(ConfigReader& r, uint32_t n_layer, const LayerKinds& kinds) {
  const std::vector<std::string> types = read_layer_types(r, n_layer, kinds.other);
  std::vector<bool> flags;
  if (!kinds.flags.gguf.empty()) flags = r.flags_or_none(kinds.flags, n_layer + kinds.n_extra_flags);
  if (!flags.empty() && flags.size() < n_layer)
    r.refuse(ErrorCode::bad_file, "{} names {} layers; {} are expected", r.name_of(kinds.flags), flags.size(), n_layer);
  std::vector<bool> is_other(n_layer);
  for (uint32_t layer_idx = 0; layer_idx < n_layer; ++layer_idx) {
    is_other[layer_idx] = (layer_idx + 1) % kinds.every != 0;
    if (!types.empty()) is_other[layer_idx] = types[layer_idx] == kinds.other;
    if (layer_idx < flags.size()) is_other[layer_idx] = flags[layer_idx];
  }
  return is_other;
}

std::vector<uint32_t> windows_of(const std::vector<bool>& has_window, uint32_t window) {
  std::vector<uint32_t> windows(has_window.size(), 0);
  for (size_t layer_idx = 0; layer_idx < windows.size(); ++layer_idx)
    if (has_window[layer_idx]) windows[layer_idx] = window;
  return windows;
}

void refuse_attention_bias(ConfigReader& r) {
  if (r.flag_or({"", "attention_bias"}, false))
    r.refuse(ErrorCode::unsupported, "attention_bias is true; ogas knows this family without");
}

void add_one(std::initializer_list<std::vector<float>*> norms) {
  for (std::vector<float>* norm : norms)
    for (float& weight : *norm) weight += 1;
}

uint32_t read_n_mtp(ConfigReader& r, const TensorFile& file, uint32_t& n_layer, std::string_view hf_proj) {
  const uint32_t n_mtp = r.count_or({"nextn_predict_layers", "num_nextn_predict_layers"}, 0, 0, 1);
  if (n_mtp == 0) return 0;
  if (!r.is_hf() && n_layer < 2) r.refuse(ErrorCode::bad_file, "{} layer, and one of them for further tokens", n_layer);
  if (!r.is_hf()) n_layer -= n_mtp;
  const std::string name = !r.is_hf()        ? fmt::format("blk.{}.nextn.eh_proj.weight", n_layer)
                           : hf_proj.empty() ? fmt::format("model.layers.{}.eh_proj.weight", n_layer)
                                             : std::string(hf_proj);
  return file.find(name) ? n_mtp : 0;
}

RouterRules read_router_counts(ConfigReader& r, ConfigKey n_expert, ConfigKey n_used) {
  // transformers 5 writes this name for Qwen3-MoE, too, whatever the published files call it.
  constexpr std::string_view kOther = "num_local_experts";
  if (r.is_hf() && !r.has(n_expert) && r.has({"", kOther})) n_expert.hf = kOther;
  RouterRules rules;
  rules.n_expert = r.count(n_expert, 1, 65536);
  rules.n_used = rules.n_used_trained = r.count(n_used, 1, rules.n_expert);
  const ModelOverrides& overrides = r.overrides();
  if (!(overrides.min_expert_weight >= 0 && overrides.min_expert_weight < 1))
    r.refuse(ErrorCode::usage, "min_expert_weight is {}; 0 to below 1 is expected", overrides.min_expert_weight);
  if (overrides.n_expert_used > rules.n_used)
    r.refuse(ErrorCode::usage, "{} experts a token; the model was trained with {}, and fewer can be taken",
             overrides.n_expert_used, rules.n_used);
  if (overrides.n_expert_used > 0) rules.n_used = overrides.n_expert_used;
  rules.min_weight = overrides.min_expert_weight;
  return rules;
}

void read_router_groups(ConfigReader& r, RouterRules& rules) {
  rules.n_group = r.count_or({"expert_group_count", "n_group"}, 1, 1, rules.n_expert);
  rules.n_group_used = r.count_or({"expert_group_used_count", "topk_group"}, 1, 1, rules.n_group);
  if (rules.n_expert % rules.n_group != 0)
    r.refuse(ErrorCode::bad_file, "{} experts in {} groups", rules.n_expert, rules.n_group);
  else if (rules.n_used_trained > rules.n_expert / rules.n_group * rules.n_group_used)
    r.refuse(ErrorCode::bad_file, "{} experts a token of {} groups of {}", rules.n_used_trained, rules.n_group_used,
             rules.n_expert / rules.n_group);
}

void DecoderWeights::add_to(TensorTable& table, const DecoderConfig& c) {
  const TensorName embd = {"token_embd.weight", "model.embed_tokens.weight"};
  const TensorName out = {"output.weight", "lm_head.weight"};
  table.embeddings(embd, token_embd.rows, c.n_vocab, c.n_embd, kReplicated);
  table.vector({"output_norm.weight", "model.norm.weight"}, output_norm, c.n_embd, kReplicated);
  table.output(c.is_tied ? embd : out, output, c.n_vocab, c.n_embd, Shard::rows(ShardUnit::token, c.n_vocab));
  if (c.is_tied) table.ignore(out);
}

void MtpHead::add_to(TensorTable& table, const DecoderConfig& c, const MtpHfNames& hf) {
  table.vector({"nextn.enorm.weight", hf.enorm}, enorm, c.n_embd, kReplicated);
  table.vector({"nextn.hnorm.weight", hf.hnorm}, hnorm, c.n_embd, kReplicated);
  table.linear({"nextn.eh_proj.weight", hf.eh_proj}, eh_proj, c.n_embd, 2 * uint64_t{c.n_embd}, kReplicated);
  table.vector({"nextn.shared_head_norm.weight", hf.output_norm}, output_norm, c.n_embd, kReplicated);
  const TensorName embd = {"nextn.embed_tokens.weight", "embed_tokens.weight"};
  const TensorName head = {"nextn.shared_head_head.weight", "shared_head.head.weight"};
  if (table.has(embd)) table.embeddings(embd, token_embd.rows, c.n_vocab, c.n_embd, kReplicated);
  if (table.has(head)) table.output(head, output, c.n_vocab, c.n_embd, Shard::rows(ShardUnit::token, c.n_vocab));
}

void Decoder::rms_norm_hidden(const Step& step, const std::vector<float>& norm) {
  step.exec.device.rms_norm(step.s.hidden, step.rows.kinds(), norm, c_.rms_eps, step.s.normed);
}

Result<> Decoder::embed(const Step& step, const Embeddings& embeddings, std::span<const TokenId> tokens,
                        const Matrix& y) const {
  return step.exec.device.embed(embeddings.lookup(), tokens, 1, y);
}

void Decoder::add_residual(const Step& step, const std::vector<float>& post_norm) {
  if (post_norm.empty()) return step.exec.device.add(step.s.hidden, step.s.delta, step.n_tokens);
  step.exec.device.add_normed(step.s.hidden, step.s.delta, post_norm, c_.rms_eps, step.n_tokens);
}

void Decoder::make_logits(const Step& step, const Linear& output, size_t n, const Matrix& logits) {
  step.exec.device.multiply(step.s.normed, n, {{output, logits}});
}

void Decoder::take_rows(Batch batch) {
  rows_.clear();
  tokens_.clear();
  logits_rows_.clear();
  logits_ends_.clear();
  for (const BatchPart& part : batch) {
    const size_t position = part.kv->n_positions(), n_part = part.tokens.size();
    OGAS_CHECK(part.n_logits <= n_part, "logits of {} of {} tokens", part.n_logits, n_part);
    part.kv->extend(n_part);
    rows_.add(*part.kv, position, n_part, part.kind);
    tokens_.insert(tokens_.end(), part.tokens.begin(), part.tokens.end());
    for (size_t row = tokens_.size() - part.n_logits; row < tokens_.size(); ++row)
      logits_rows_.push_back(static_cast<uint32_t>(row));
    logits_ends_.push_back(static_cast<uint32_t>(logits_rows_.size()));
  }
}

Result<Pass> Decoder::forward(Exec& exec, Batch batch) {
  ++pass_number_;
  take_rows(batch);
  const size_t n = rows_.size();
  if (!workspace_ || workspace_->hidden.max_rows() < n) {
    workspace_ = std::make_unique<HiddenWorkspace>(c_, n, ropes_);
    reserve(n);
  }
  const Step step{exec, rows_, n, *workspace_};
  prepare_angles(step, 0);
  OGAS_TRY(embed(step, w_.token_embd, tokens_, step.s.hidden));
  for (uint32_t layer_idx = 0; layer_idx < c_.n_layer; ++layer_idx) OGAS_TRY(run_layer(step, layer_idx));
  const auto logits = run_head(step, w_.output_norm, w_.output, logits_rows_, logits_);
  return Pass(*this, exec, n, logits, logits_ends_);
}

void Decoder::prepare_angles(const Step& step, size_t shift) {
  positions_.clear();
  for (size_t t = 0; t < step.n_tokens; ++t) positions_.push_back(step.rows.position(t) + shift);
  step.exec.device.prepare_angles(step.s.angles, positions_);
}

std::span<const float> Decoder::hidden_of(Exec& exec, std::span<const uint32_t> rows) {
  const Matrix& normed = workspace_->delta;  // free after the layers
  exec.device.rms_norm_of(workspace_->hidden, rows, w_.output_norm, c_.rms_eps, normed);
  return {normed.data(), rows.size() * c_.n_embd};
}

std::span<const float> Decoder::logits_of(Exec& exec, std::span<const uint32_t> rows) {
  return run_head({exec, rows_, rows_.size(), *workspace_}, w_.output_norm, w_.output, rows, more_logits_);
}

void Decoder::take_draft_rows(std::span<const DraftPart> parts) {
  Drafts& d = drafts_;
  d.rows.clear();
  d.tokens.clear();
  d.pass_rows.clear();
  d.logits_rows.clear();
  for (const DraftPart& part : parts) {
    OGAS_CHECK(part.part_idx < rows_.runs().size(), "part {} of {}", part.part_idx, rows_.runs().size());
    const SequenceRows& run = rows_.runs()[part.part_idx];
    const size_t n = part.tokens.size();
    OGAS_CHECK(n > 0 && n <= run.n_rows && part.n_logits <= n, "{} tokens after {} rows, logits of {}", n, run.n_rows,
               part.n_logits);
    d.rows.add(*run.kv, run.position, n, run.kind);
    d.tokens.insert(d.tokens.end(), part.tokens.begin(), part.tokens.end());
    for (size_t idx = 0; idx < n; ++idx) d.pass_rows.push_back(static_cast<uint32_t>(run.first_row + idx));
    for (size_t row = d.tokens.size() - part.n_logits; row < d.tokens.size(); ++row)
      d.logits_rows.push_back(static_cast<uint32_t>(row));
  }
}

// The head's input: norms of the next token's embedding and of the pass's hidden state, brought together by eh_proj.
Result<> Decoder::embed_drafts(const Step& step) {
  const Embeddings& embeddings = mtp_.token_embd.rows.n_out() > 0 ? mtp_.token_embd : w_.token_embd;
  Device& device = step.exec.device;
  prepare_angles(step, 1);
  OGAS_TRY(embed(step, embeddings, drafts_.tokens, step.s.delta));
  if (mtp_.reads_normed)
    device.rms_norm_of(workspace_->hidden, drafts_.pass_rows, w_.output_norm, c_.rms_eps, step.s.hidden);
  else
    device.copy_rows(workspace_->hidden, drafts_.pass_rows, step.s.hidden);
  device.rms_norm_pair({step.s.delta, mtp_.enorm}, {step.s.hidden, mtp_.hnorm}, step.rows.kinds(), c_.rms_eps,
                       drafts_.input);
  device.multiply(drafts_.input, step.n_tokens, {{mtp_.eh_proj, step.s.hidden}});
  return {};
}

uint64_t Decoder::hidden_bytes_per_token() const {
  const uint64_t bytes = HiddenWorkspace::bytes_per_token(c_, ropes_);
  return facts_.n_mtp == 0 ? bytes : 2 * bytes + Activations::bytes_for(2 * uint64_t{c_.n_embd});
}

Result<std::span<const float>> Decoder::draft(Exec& exec, std::span<const DraftPart> parts) {
  OGAS_CHECK(facts_.n_mtp > 0, "{} has no MTP head", facts_.architecture);
  take_draft_rows(parts);
  Drafts& d = drafts_;
  const size_t n = d.rows.size();
  if (!d.workspace || d.workspace->hidden.max_rows() < n) {
    d.workspace = std::make_unique<HiddenWorkspace>(c_, n, ropes_);
    d.input = Activations(n, 2 * size_t{c_.n_embd});
  }
  OGAS_CHECK(n <= rows_.size(), "{} rows of a pass of {}", n, rows_.size());
  const Step step{exec, d.rows, n, *d.workspace};
  OGAS_TRY(embed_drafts(step));
  OGAS_TRY(run_layer(step, c_.n_layer));
  const std::vector<float>& norm = mtp_.output_norm.empty() ? w_.output_norm : mtp_.output_norm;
  return run_head(step, norm, mtp_.output.n_out() > 0 ? mtp_.output : w_.output, d.logits_rows, d.logits);
}

std::span<const float> Decoder::run_head(const Step& step, const std::vector<float>& norm, const Linear& output,
                                         std::span<const uint32_t> rows, Matrix& logits) {
  const size_t n = rows.size();
  if (n == 0) return {};
  if (logits.max_rows() < n) logits = Matrix(n, c_.n_vocab);
  logits_kinds_.clear();
  for (const uint32_t row : rows) logits_kinds_.push_back(step.rows.kinds()[row]);
  const Matrix& wanted = step.s.delta;  // free after the layers
  step.exec.device.copy_rows(step.s.hidden, rows, wanted);
  step.exec.device.rms_norm(wanted, logits_kinds_, norm, c_.rms_eps, step.s.normed);
  make_logits(step, output, n, logits);
  return {logits.data(), n * c_.n_vocab};
}

ModelFacts decoder_facts(std::string architecture, const TensorFile& file, const DecoderConfig& c,
                         const AttentionDims& dims, const TensorTable& table) {
  ModelFacts facts;
  facts.architecture = std::move(architecture);
  facts.name = file.metadata().get_string_or("general.name", "").value_or("");
  facts.n_vocab = c.n_vocab;
  facts.n_layer = c.n_layer;
  facts.n_embd = c.n_embd;
  facts.n_head = dims.n_head;
  facts.n_head_kv = dims.n_head_kv;
  facts.n_ctx_train = c.n_ctx_train;
  facts.n_params = facts.n_params_active = table.n_params();
  facts.weight_bytes = table.n_bytes();
  facts.work = table.work();
  return facts;
}

void add_expert_facts(ModelFacts& facts, const TensorTable& table, const FfnDims& ffn, std::span<Moe* const> moes) {
  const RouterRules& rules = ffn.rules;
  const uint32_t n_expert = rules.n_expert;
  uint32_t n_used = rules.n_used;
  for (const Moe* moe : moes)
    n_used = std::min(n_used, max_experts_of_weight(rules, rules.min_weight, !moe->exp_probs_b.empty()));
  facts.n_expert = n_expert;
  facts.n_expert_used = n_used;
  facts.n_expert_used_min = rules.min_weight > 0 ? 1 : n_used;
  facts.n_expert_trained = rules.n_used_trained;
  facts.n_ff_exp = static_cast<uint32_t>(ffn.n_ff_exp);
  facts.n_params_active = table.n_params() - table.n_expert_params() / n_expert * (n_expert - n_used);
}

}  // namespace ogas
