// Shapes of published models: the sizes that their GGUF files state, from their config.json.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace ogas {

// Names as in GGUF's keys; 0, false or empty where a model has no such thing.
struct ModelShape {
  std::string_view name;          // as typed on the command line
  std::string_view architecture;  // general.architecture
  std::string_view pre;           // tokenizer.ggml.pre
  uint32_t n_vocab, n_layer, n_ctx;
  uint32_t n_embd, n_ff;
  uint32_t n_head, n_head_kv, head_dim;
  float rms_eps, rope_base;
  bool is_tied = false;      // the embeddings are the output matrix, too
  bool has_qk_norm = false;  // norms of each head's queries and keys
  bool has_qkv_bias = false;
  std::string_view ffn_norm = "ffn_norm.weight";
  // Experts, from layer n_dense on.
  uint32_t n_expert = 0, n_expert_used = 0, n_ff_exp = 0, n_expert_shared = 0, n_dense = 0;
  bool has_sigmoid_router = false, has_choice_bias = false, has_weights_norm = false;
  float weights_scale = 0;
  uint32_t n_group = 0, n_group_used = 0;
  bool says_moe_step = false, says_shared_length = false;  // keys that some architectures need
  // Latent attention: sizes of a head, and of what is cached.
  uint32_t q_lora_rank = 0, kv_lora_rank = 0, qk_nope_dim = 0, qk_rope_dim = 0, v_dim = 0;
  // YaRN: 0 without.
  float yarn_factor = 0, yarn_log_multiplier = 0;
  uint32_t yarn_n_ctx = 0;
  // Gated delta nets (Yang et al. 2024) in place of attention, but for every full_attention_interval-th layer; 0: none.
  uint32_t full_attention_interval = 0;
  uint32_t n_head_k_delta = 0, n_head_v_delta = 0, delta_head_dim = 0, n_taps = 0;
  // Attention whose outputs are gated, and of which only n_rot dimensions of a head rotate; 0: all.
  bool has_attention_gate = false;
  uint32_t n_rot = 0;
  bool has_shared_gate = false;  // of the shared experts' output

  bool has_experts(uint32_t layer_idx) const { return n_expert > 0 && layer_idx >= n_dense; }
  bool is_latent() const { return kv_lora_rank > 0; }
  bool is_recurrent(uint32_t layer_idx) const {
    return full_attention_interval > 0 && (layer_idx + 1) % full_attention_interval != 0;
  }
};

std::span<const ModelShape> all_shapes();
// Null if there is none of that name.
const ModelShape* find_shape(std::string_view name);

}  // namespace ogas
