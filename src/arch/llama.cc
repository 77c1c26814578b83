#include "arch/llama.h"

#include <algorithm>
#include <vector>

#include "base/quote.h"
#include "nn/layers.h"
#include "nn/linear.h"
#include "nn/rope.h"
#include "nn/tensor_table.h"

namespace ogas {
namespace {

struct Config {
  uint32_t n_vocab, n_ctx_train, n_embd, n_ff, n_layer, n_head, n_head_kv, head_dim, n_rot;
  float rms_eps;
  double rope_base;
};

struct Layer {
  std::vector<float> attn_norm, ffn_norm;  // [n_embd]
  Linear attn_q;                           // [n_head * head_dim, n_embd]
  Linear attn_k, attn_v;                   // [n_head_kv * head_dim, n_embd]
  Linear attn_output;                      // [n_embd, n_head * head_dim]
  Linear ffn_gate, ffn_up;                 // [n_ff, n_embd]
  Linear ffn_down;                         // [n_embd, n_ff]
};

struct Weights {
  Linear token_embd;  // [n_vocab, n_embd]
  std::vector<Layer> layers;
  std::vector<float> output_norm;  // [n_embd]
  Linear output;                   // [n_vocab, n_embd]; token_embd itself where the file has none
  std::vector<float> rope_freqs;   // [n_rot / 2], or none
};

Result<Config> read_config(const TensorFile& file) {
  const Metadata& meta = file.metadata();
  const auto get = [&](std::string_view key, uint64_t min, uint64_t max) {
    return meta.get_uint(fmt::format("llama.{}", key), min, max);
  };
  Config c{};
  c.n_layer = static_cast<uint32_t>(OGAS_TRY(get("block_count", 1, 4096)));
  c.n_ctx_train = static_cast<uint32_t>(OGAS_TRY(get("context_length", 1, 1U << 30)));
  c.n_embd = static_cast<uint32_t>(OGAS_TRY(get("embedding_length", 1, 1U << 20)));
  c.n_ff = static_cast<uint32_t>(OGAS_TRY(get("feed_forward_length", 1, 1U << 24)));
  c.n_head = static_cast<uint32_t>(OGAS_TRY(get("attention.head_count", 1, 1U << 16)));
  c.n_head_kv =
      static_cast<uint32_t>(OGAS_TRY(meta.get_uint_or("llama.attention.head_count_kv", c.n_head, 1, c.n_head)));
  if (c.n_head > c.n_embd)
    return fail(ErrorCode::bad_file, "llama.attention.head_count is {}, more than embedding_length, {}", c.n_head,
                c.n_embd);
  if (c.n_head % c.n_head_kv != 0)
    return fail(ErrorCode::bad_file, "llama.attention.head_count is {}, not a multiple of head_count_kv, {}", c.n_head,
                c.n_head_kv);
  c.head_dim =
      static_cast<uint32_t>(OGAS_TRY(meta.get_uint_or("llama.attention.key_length", c.n_embd / c.n_head, 1, 1U << 16)));
  const auto v_dim = OGAS_TRY(meta.get_uint_or("llama.attention.value_length", c.head_dim, 1, 1U << 16));
  if (v_dim != c.head_dim)
    return fail(ErrorCode::unsupported, "llama.attention.value_length is {}; it must equal key_length, {}", v_dim,
                c.head_dim);
  c.n_rot = static_cast<uint32_t>(OGAS_TRY(meta.get_uint_or("llama.rope.dimension_count", c.head_dim, 2, c.head_dim)));
  if (c.n_rot % 2 != 0)
    return fail(ErrorCode::bad_file, "llama.rope.dimension_count is {}; rotation needs an even number", c.n_rot);
  c.rms_eps = static_cast<float>(OGAS_TRY(meta.get_float("llama.attention.layer_norm_rms_epsilon")));
  c.rope_base = OGAS_TRY(meta.get_float_or("llama.rope.freq_base", 10000));

  const auto scaling = OGAS_TRY(meta.get_string_or("llama.rope.scaling.type", "none"));
  if (scaling != "none")
    return fail(ErrorCode::unsupported, "llama.rope.scaling.type is {}; ogas reads scaling from rope_freqs.weight only",
                in_quotes(scaling));
  const TensorInfo* embeddings = file.find("token_embd.weight");
  if (!embeddings) return fail(ErrorCode::bad_file, "tensor 'token_embd.weight' is missing");
  if (embeddings->shape[0] > INT32_MAX)
    return fail(ErrorCode::bad_file, "tensor 'token_embd.weight' has shape {}: too many tokens",
                embeddings->shape.to_string());
  c.n_vocab = static_cast<uint32_t>(embeddings->shape[0]);
  return c;
}

// Everything this architecture reads, by the names GGUF gives it.
TensorTable tensor_table(const TensorFile& file, const Config& c, Weights& w) {
  TensorTable table;
  const uint64_t n_q = uint64_t{c.n_head} * c.head_dim;
  const uint64_t n_kv = uint64_t{c.n_head_kv} * c.head_dim;
  table.linear("token_embd.weight", w.token_embd, c.n_vocab, c.n_embd);
  table.vector("output_norm.weight", w.output_norm, c.n_embd);
  const bool tied = !file.find("output.weight");
  table.linear(tied ? "token_embd.weight" : "output.weight", w.output, c.n_vocab, c.n_embd);
  if (file.find("rope_freqs.weight")) table.vector("rope_freqs.weight", w.rope_freqs, c.n_rot / 2);
  w.layers.resize(c.n_layer);
  for (uint32_t layer_idx = 0; layer_idx < c.n_layer; ++layer_idx) {
    Layer& layer = w.layers[layer_idx];
    const auto name = [&](std::string_view part) { return fmt::format("blk.{}.{}.weight", layer_idx, part); };
    table.vector(name("attn_norm"), layer.attn_norm, c.n_embd);
    table.linear(name("attn_q"), layer.attn_q, n_q, c.n_embd);
    table.linear(name("attn_k"), layer.attn_k, n_kv, c.n_embd);
    table.linear(name("attn_v"), layer.attn_v, n_kv, c.n_embd);
    table.linear(name("attn_output"), layer.attn_output, c.n_embd, n_q);
    table.vector(name("ffn_norm"), layer.ffn_norm, c.n_embd);
    table.linear(name("ffn_gate"), layer.ffn_gate, c.n_ff, c.n_embd);
    table.linear(name("ffn_up"), layer.ffn_up, c.n_ff, c.n_embd);
    table.linear(name("ffn_down"), layer.ffn_down, c.n_embd, c.n_ff);
  }
  return table;
}

// Activations of a batch, one row a token.
struct Workspace {
  Workspace(const Config& c, size_t n_batch)
      : hidden(n_batch, c.n_embd),
        delta(n_batch, c.n_embd),
        normed(n_batch, c.n_embd),
        q(n_batch, size_t{c.n_head} * c.head_dim),
        k(n_batch, size_t{c.n_head_kv} * c.head_dim),
        v(n_batch, size_t{c.n_head_kv} * c.head_dim),
        attended(n_batch, size_t{c.n_head} * c.head_dim),
        gate(n_batch, c.n_ff),
        up(n_batch, c.n_ff),
        cos_sin(n_batch, c.n_rot) {}

  static uint64_t bytes_per_token(const Config& c) {
    const uint64_t n_q = uint64_t{c.n_head} * c.head_dim;
    const uint64_t n_kv = uint64_t{c.n_head_kv} * c.head_dim;
    const uint64_t plain = 2 * uint64_t{c.n_embd} + n_q + 2 * n_kv + c.n_ff + c.n_rot;
    const uint64_t quantized = c.n_embd + n_q + c.n_ff;
    return plain * sizeof(float) + Activations::bytes_for(quantized);
  }

  Matrix hidden, delta;
  Activations normed;
  Matrix q, k, v;
  Activations attended;
  Activations gate;
  Matrix up, cos_sin;
};

class Llama : public Model {
 public:
  Llama(Config config, Weights weights, ModelFacts facts)
      : c_(config),
        w_(std::move(weights)),
        facts_(std::move(facts)),
        rope_(c_.n_rot, c_.rope_base, w_.rope_freqs, RopeStyle::interleaved) {}

  const ModelFacts& facts() const override { return facts_; }

  std::span<const float> forward(Exec& exec, const Batch& batch) override {
    const size_t n = batch.tokens.size();
    reserve(n, batch.all_logits ? n : 1);
    Workspace& s = *space_;
    batch.kv->extend(n);
    rope_.prepare(batch.position, n, s.cos_sin);
    for (size_t t = 0; t < n; ++t) w_.token_embd.decode_row(static_cast<size_t>(batch.tokens[t]), s.hidden.row(t));

    for (size_t layer_idx = 0; layer_idx < w_.layers.size(); ++layer_idx) {
      const Layer& layer = w_.layers[layer_idx];
      rms_norm(exec, s.hidden, n, layer.attn_norm, c_.rms_eps, s.normed);
      multiply(exec, s.normed, n, {{layer.attn_q, s.q}, {layer.attn_k, s.k}, {layer.attn_v, s.v}});
      attend(exec, {.layer_idx = layer_idx,
                    .n_head = c_.n_head,
                    .position = batch.position,
                    .n_tokens = n,
                    .rope = rope_,
                    .cos_sin = s.cos_sin,
                    .q = s.q,
                    .k = s.k,
                    .v = s.v,
                    .kv = *batch.kv,
                    .out = s.attended});
      multiply(exec, s.attended, n, {{layer.attn_output, s.delta}});
      add(exec, s.hidden, s.delta, n);

      rms_norm(exec, s.hidden, n, layer.ffn_norm, c_.rms_eps, s.normed);
      multiply(exec, s.normed, n, {{layer.ffn_gate, s.gate.values()}, {layer.ffn_up, s.up}});
      swiglu(exec, s.gate, s.up, n);
      multiply(exec, s.gate, n, {{layer.ffn_down, s.delta}});
      add(exec, s.hidden, s.delta, n);
    }
    return output_logits(exec, batch);
  }

 private:
  std::span<const float> output_logits(Exec& exec, const Batch& batch) {
    const size_t n = batch.tokens.size();
    const size_t n_rows = batch.all_logits ? n : 1;
    if (n_rows < n) std::copy_n(space_->hidden.row(n - 1), c_.n_embd, space_->hidden.row(0));
    rms_norm(exec, space_->hidden, n_rows, w_.output_norm, c_.rms_eps, space_->normed);
    multiply(exec, space_->normed, n_rows, {{w_.output, logits_}});
    return {logits_.data(), n_rows * c_.n_vocab};
  }

  void reserve(size_t n_tokens, size_t n_logits) {
    if (!space_ || space_->hidden.max_rows() < n_tokens) space_ = std::make_unique<Workspace>(c_, n_tokens);
    if (logits_.max_rows() < n_logits) logits_ = Matrix(n_logits, c_.n_vocab);
  }

  Config c_;
  Weights w_;
  ModelFacts facts_;
  Rope rope_;
  std::unique_ptr<Workspace> space_;
  Matrix logits_;
};

}  // namespace

Result<std::unique_ptr<Model>> create_llama(const TensorFile& file) {
  const Config c = OGAS_TRY(read_config(file));
  Weights weights;
  TensorTable table = tensor_table(file, c, weights);
  OGAS_TRY(table.bind(file));
  ModelFacts facts{.architecture = "llama",
                   .name = {},
                   .n_vocab = c.n_vocab,
                   .n_layer = c.n_layer,
                   .n_embd = c.n_embd,
                   .n_head = c.n_head,
                   .n_head_kv = c.n_head_kv,
                   .n_ff = c.n_ff,
                   .n_ctx_train = c.n_ctx_train,
                   .n_params = table.n_params(),
                   .n_params_active = table.n_params(),
                   .weight_bytes = table.n_bytes(),
                   .token_bytes = Workspace::bytes_per_token(c),
                   .kv = {.n_layer = c.n_layer, .n_head_kv = c.n_head_kv, .head_dim = c.head_dim}};
  facts.name = OGAS_TRY(file.metadata().get_string_or("general.name", ""));
  return std::make_unique<Llama>(c, std::move(weights), std::move(facts));
}

}  // namespace ogas
