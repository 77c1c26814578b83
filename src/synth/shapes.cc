#include "synth/shapes.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace ogas {
namespace {

constexpr ModelShape kQwen3 = {.name = "qwen3-0.6b",
                               .architecture = "qwen3",
                               .pre = "qwen2",
                               .n_vocab = 151936,
                               .n_layer = 28,
                               .n_ctx = 40960,
                               .n_embd = 1024,
                               .n_ff = 3072,
                               .n_head = 16,
                               .n_head_kv = 8,
                               .head_dim = 128,
                               .rms_eps = 1e-6F,
                               .rope_base = 1e6F,
                               .is_tied = true,
                               .has_qk_norm = true};

constexpr ModelShape qwen3_8b() {
  ModelShape s = kQwen3;
  s.name = "qwen3-8b";
  s.n_layer = 36, s.n_embd = 4096, s.n_ff = 12288, s.n_head = 32, s.is_tied = false;
  return s;
}

constexpr ModelShape qwen3_30b_a3b() {
  ModelShape s = kQwen3;
  s.name = "qwen3-30b-a3b", s.architecture = "qwen3moe";
  s.n_layer = 48, s.n_embd = 2048, s.n_ff = 6144, s.n_head = 32, s.n_head_kv = 4, s.is_tied = false;
  s.n_expert = 128, s.n_expert_used = 8, s.n_ff_exp = 768;
  return s;
}

constexpr ModelShape qwen3_235b_a22b() {
  ModelShape s = qwen3_30b_a3b();
  s.name = "qwen3-235b-a22b";
  s.n_layer = 94, s.n_embd = 4096, s.n_ff = 12288, s.n_head = 64, s.n_ff_exp = 1536;
  return s;
}

constexpr ModelShape qwen3_next_80b_a3b() {
  ModelShape s = qwen3_30b_a3b();
  s.name = "qwen3-next-80b-a3b", s.architecture = "qwen3next", s.ffn_norm = "post_attention_norm.weight";
  s.n_ctx = 262144, s.n_ff = 5120, s.n_head = 16, s.n_head_kv = 2, s.head_dim = 256, s.n_rot = 64, s.rope_base = 1e7F;
  s.n_expert = 512, s.n_expert_used = 10, s.n_ff_exp = 512, s.n_expert_shared = 1;
  s.has_attention_gate = s.has_shared_gate = s.says_shared_length = true;
  s.full_attention_interval = 4, s.n_head_k_delta = 16, s.n_head_v_delta = 32, s.delta_head_dim = 128, s.n_taps = 4;
  return s;
}

constexpr ModelShape kDeepSeekV2Lite = {.name = "deepseek-v2-lite",
                                        .architecture = "deepseek2",
                                        .pre = "deepseek-llm",
                                        .n_vocab = 102400,
                                        .n_layer = 27,
                                        .n_ctx = 163840,
                                        .n_embd = 2048,
                                        .n_ff = 10944,
                                        .n_head = 16,
                                        .n_head_kv = 1,
                                        .head_dim = 192,
                                        .rms_eps = 1e-6F,
                                        .rope_base = 1e4F,
                                        .n_expert = 64,
                                        .n_expert_used = 6,
                                        .n_ff_exp = 1408,
                                        .n_expert_shared = 2,
                                        .n_dense = 1,
                                        .weights_scale = 1,
                                        .kv_lora_rank = 512,
                                        .qk_nope_dim = 128,
                                        .qk_rope_dim = 64,
                                        .v_dim = 128,
                                        .yarn_factor = 40,
                                        .yarn_log_multiplier = 0.0707F,
                                        .yarn_n_ctx = 4096};

constexpr ModelShape deepseek_v3() {
  ModelShape s = kDeepSeekV2Lite;
  s.name = "deepseek-v3", s.pre = "deepseek-v3", s.n_vocab = 129280;
  s.n_layer = 61, s.n_embd = 7168, s.n_ff = 18432, s.n_head = 128, s.q_lora_rank = 1536;
  s.n_expert = 256, s.n_expert_used = 8, s.n_ff_exp = 2048, s.n_expert_shared = 1, s.n_dense = 3;
  s.has_sigmoid_router = s.has_choice_bias = s.has_weights_norm = true;
  s.weights_scale = 2.5F, s.n_group = 8, s.n_group_used = 4;
  s.yarn_log_multiplier = 0.1F;
  return s;
}

constexpr std::array kShapes = {
    ModelShape{.name = "llama-3.1-8b",
               .architecture = "llama",
               .pre = "llama-bpe",
               .n_vocab = 128256,
               .n_layer = 32,
               .n_ctx = 131072,
               .n_embd = 4096,
               .n_ff = 14336,
               .n_head = 32,
               .n_head_kv = 8,
               .head_dim = 128,
               .rms_eps = 1e-5F,
               .rope_base = 5e5F},
    kQwen3,
    qwen3_8b(),
    qwen3_30b_a3b(),
    qwen3_235b_a22b(),
    qwen3_next_80b_a3b(),
    kDeepSeekV2Lite,
    deepseek_v3(),
    ModelShape{.name = "ernie-4.5-21b-a3b",
               .architecture = "ernie4_5-moe",
               .pre = "default",
               .n_vocab = 103424,
               .n_layer = 28,
               .n_ctx = 131072,
               .n_embd = 2560,
               .n_ff = 12288,
               .n_head = 20,
               .n_head_kv = 4,
               .head_dim = 128,
               .rms_eps = 1e-5F,
               .rope_base = 5e5F,
               .is_tied = true,
               .n_expert = 64,
               .n_expert_used = 6,
               .n_ff_exp = 1536,
               .n_expert_shared = 2,
               .n_dense = 1,
               .has_choice_bias = true,
               .says_moe_step = true,
               .says_shared_length = true},
    ModelShape{.name = "seed-oss-36b",
               .architecture = "seed_oss",
               .pre = "llama-bpe",
               .n_vocab = 155136,
               .n_layer = 64,
               .n_ctx = 524288,
               .n_embd = 5120,
               .n_ff = 27648,
               .n_head = 80,
               .n_head_kv = 8,
               .head_dim = 128,
               .rms_eps = 1e-6F,
               .rope_base = 1e7F,
               .has_qkv_bias = true,
               .ffn_norm = "post_attention_norm.weight"},
    ModelShape{.name = "yi-34b",
               .architecture = "llama",
               .pre = "llama-bpe",
               .n_vocab = 64000,
               .n_layer = 60,
               .n_ctx = 4096,
               .n_embd = 7168,
               .n_ff = 20480,
               .n_head = 56,
               .n_head_kv = 8,
               .head_dim = 128,
               .rms_eps = 1e-5F,
               .rope_base = 5e6F},
};

}  // namespace

std::span<const ModelShape> all_shapes() { return kShapes; }

const ModelShape* find_shape(std::string_view name) {
  const auto* found = std::ranges::find(kShapes, name, &ModelShape::name);
  return found == kShapes.end() ? nullptr : found;
}

}  // namespace ogas
