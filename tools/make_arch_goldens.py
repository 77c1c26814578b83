#!/usr/bin/env python3
"""Tiny random models of every architecture, as Hugging Face folders and as GGUF, with the logits of transformers.

  make_arch_goldens.py OUT [--seed 7] [--only NAME]...

For each case OUT/NAME/: config.json, model.safetensors, logits.npy (float32 [72, n_vocab], eager, in float32, after each
token of the prompt), rounded_logits.npy (of experts in MXFP4, with activations rounded to 8 bits), mtp_logits.npy
([8, n_vocab], after the first 1, 2, 9 ... tokens) if the model has an MTP head, model.gguf (same weights, names and keys as llama.cpp's converter writes them; not of what it leaves out), and golden.json: prompt,
tokens given to the MTP head, greedy continuation, and the smallest margin between best and second.
Shapes have few powers of two, so that a mixed-up axis shows; weights are at scales where every tensor matters.
Needs: gguf transformers>=5 torch safetensors numpy
"""
import argparse
import json
import math
import os
import pathlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
import transformers
from arch_gguf import N_VOCAB, QWEN3_NEXT_HEAD, is_zero_centred, n_mtp_of, write_gguf
from deepseek_v32_oracle import DeepSeekV32
from ernie_mtp_oracle import Ernie
from safetensors.torch import load_file, save_file

N_PROMPT = 72
BASE = dict(hidden_act="silu", max_position_embeddings=4096, rms_norm_eps=1e-6, tie_word_embeddings=False,
            attention_dropout=0.0, bos_token_id=0, eos_token_id=1, pad_token_id=0, vocab_size=N_VOCAB)
GQA = dict(BASE, hidden_size=48, intermediate_size=56, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2,
           head_dim=12)
MLA = dict(BASE, hidden_size=42, intermediate_size=56, num_hidden_layers=3, num_attention_heads=3, num_key_value_heads=3,
           qk_nope_head_dim=14, qk_rope_head_dim=8, v_head_dim=10, kv_lora_rank=20, attention_bias=False,
           moe_intermediate_size=24, moe_layer_freq=1, first_k_dense_replace=1, rope_theta=10000.0,
           max_position_embeddings=16384)
GPT_OSS = dict(BASE, model_type="gpt_oss", hidden_size=40, intermediate_size=28, num_hidden_layers=3, num_attention_heads=4,
               num_key_value_heads=2, head_dim=12, attention_bias=True, num_local_experts=5, num_experts_per_tok=2,
               sliding_window=9, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
               swiglu_limit=7.0, rope_theta=150000.0, max_position_embeddings=131072,
               rope_scaling=dict(rope_type="yarn", factor=32.0, original_max_position_embeddings=4096, beta_fast=32.0,
                                 beta_slow=1.0, truncate=False))
YARN = dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=2048, beta_fast=32.0, beta_slow=1.0)

QWEN3_5 = dict(BASE, hidden_size=48, intermediate_size=56, num_hidden_layers=4, num_attention_heads=4,
               num_key_value_heads=2, head_dim=24, attention_bias=False, attn_output_gate=True, linear_conv_kernel_dim=4,
               linear_key_head_dim=16, linear_value_head_dim=16, mtp_num_hidden_layers=1,
               mtp_use_dedicated_embeddings=False,
               rope_parameters=dict(rope_type="default", rope_theta=1e7, partial_rotary_factor=0.25,
                                    mrope_section=[1, 1, 1], mrope_interleaved=True))
QWEN3_5_VISION = dict(model_type="qwen3_5_vision", depth=1, hidden_size=8, intermediate_size=8, num_heads=2, patch_size=2,
                      num_position_embeddings=4, out_hidden_size=48)
GEMMA3 = dict({key: value for key, value in GQA.items() if key != "hidden_act"}, num_hidden_layers=7, num_attention_heads=4,
              hidden_activation="gelu_pytorch_tanh", attention_bias=False, tie_word_embeddings=True, sliding_window=9)

FP8 = dict(quant_method="fp8", fmt="e4m3", activation_scheme="dynamic", weight_block_size=[128, 128])

CASES = {
    "llama": dict(GQA, model_type="llama", attention_bias=False, mlp_bias=False, rope_theta=500000.0,
                  rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                    original_max_position_embeddings=64)),
    "llama_bias_tied": dict(GQA, model_type="llama", attention_bias=True, mlp_bias=False, rope_theta=10000.0,
                            tie_word_embeddings=True),
    "qwen2": dict(GQA, model_type="qwen2", num_attention_heads=4, rope_theta=1e6,
                  tie_word_embeddings=True, use_sliding_window=False, sliding_window=None, max_window_layers=2),
    "qwen3": dict(GQA, model_type="qwen3", attention_bias=False, rope_theta=1e6, tie_word_embeddings=True,
                  use_sliding_window=False, sliding_window=None, max_window_layers=2),
    "qwen3_yarn": dict(GQA, model_type="qwen3", attention_bias=False, rope_theta=1e6, use_sliding_window=False,
                       sliding_window=None, max_window_layers=2, rope_scaling=YARN, max_position_embeddings=16384),
    "qwen3_moe": dict(GQA, model_type="qwen3_moe", attention_bias=False, rope_theta=1e6, num_experts=7,
                      num_experts_per_tok=3, moe_intermediate_size=20, norm_topk_prob=True, decoder_sparse_step=1,
                      mlp_only_layers=[], use_sliding_window=False, sliding_window=None, max_window_layers=2),
    "deepseek_v2": dict(MLA, model_type="deepseek_v2", q_lora_rank=28, n_routed_experts=8, n_shared_experts=2,
                        num_experts_per_tok=3, n_group=4, topk_group=2, topk_method="group_limited_greedy",
                        scoring_func="softmax", norm_topk_prob=False, routed_scaling_factor=4.0,
                        rope_scaling=dict(YARN, mscale=0.707, mscale_all_dim=0.707)),
    "deepseek_v2_lite": dict(MLA, model_type="deepseek_v2", q_lora_rank=None, n_routed_experts=6, n_shared_experts=2,
                             num_experts_per_tok=2, n_group=1, topk_group=1, topk_method="greedy",
                             scoring_func="softmax", norm_topk_prob=False, routed_scaling_factor=1.0,
                             rope_scaling=dict(YARN, mscale=0.707, mscale_all_dim=0.707)),
    "deepseek_v3": dict(MLA, model_type="deepseek_v3", q_lora_rank=28, n_routed_experts=12, n_shared_experts=1,
                        num_experts_per_tok=4, n_group=4, topk_group=2, topk_method="noaux_tc", scoring_func="sigmoid",
                        norm_topk_prob=True, routed_scaling_factor=2.5, num_nextn_predict_layers=1,
                        rope_scaling=dict(YARN, mscale=1.0, mscale_all_dim=1.0)),
    "deepseek_v32": dict(MLA, model_type="deepseek_v32", q_lora_rank=28, n_routed_experts=8, n_shared_experts=1,
                         num_experts_per_tok=3, n_group=2, topk_group=1, topk_method="noaux_tc", scoring_func="sigmoid",
                         norm_topk_prob=True, routed_scaling_factor=2.5, num_nextn_predict_layers=1, index_n_heads=11,
                         index_head_dim=12, index_topk=20, rope_scaling=dict(YARN, mscale=1.0, mscale_all_dim=1.0)),
    "ernie4_5": dict(GQA, model_type="ernie4_5", use_bias=False, rope_theta=500000.0, tie_word_embeddings=True),
    "ernie4_5_moe": dict(GQA, model_type="ernie4_5_moe", num_hidden_layers=3, num_attention_heads=4,
                         use_bias=False, rope_theta=500000.0, tie_word_embeddings=True, moe_intermediate_size=20,
                         moe_k=3, moe_num_experts=7, moe_num_shared_experts=2, moe_layer_start_index=1,
                         moe_layer_end_index=-1, moe_layer_interval=1, moe_gate="topk", moe_use_aux_free=True),
    "ernie4_5_moe_mtp": dict(GQA, model_type="ernie4_5_moe", num_attention_heads=4, use_bias=False, rope_theta=500000.0,
                             moe_intermediate_size=20, moe_k=2, moe_num_experts=6, moe_num_shared_experts=1,
                             moe_layer_start_index=1, moe_layer_end_index=1, moe_layer_interval=1, moe_gate="topk",
                             moe_use_aux_free=True, num_nextn_predict_layers=1),
    "seed_oss": dict(GQA, model_type="seed_oss", attention_bias=True, attention_out_bias=False, mlp_bias=False,
                     rope_theta=1e7, residual_dropout=0.0),
    "glm4_moe": dict(GQA, model_type="glm4_moe", num_hidden_layers=2, attention_bias=True, use_qk_norm=True,
                     partial_rotary_factor=0.5, rope_theta=1e6, moe_intermediate_size=20, num_experts_per_tok=3,
                     n_shared_experts=1, n_routed_experts=8, routed_scaling_factor=2.5, n_group=1, topk_group=1,
                     first_k_dense_replace=1, norm_topk_prob=True, num_nextn_predict_layers=1),
    "gpt_oss": GPT_OSS,
    "gpt_oss_mxfp4": dict(GPT_OSS, hidden_size=64, intermediate_size=32, torch_dtype="bfloat16",
                          quantization_config=dict(quant_method="mxfp4")),
    "qwen3_fp8": dict(GQA, model_type="qwen3", hidden_size=160, intermediate_size=200, attention_bias=False, rope_theta=1e6,
                      tie_word_embeddings=True, use_sliding_window=False, sliding_window=None, max_window_layers=2,
                      num_attention_heads=14, quantization_config=FP8),
    "deepseek_v3_fp8": dict(MLA, model_type="deepseek_v3", hidden_size=140, moe_intermediate_size=132, q_lora_rank=28,
                            num_attention_heads=7, num_key_value_heads=7, n_routed_experts=4, n_shared_experts=1,
                            num_experts_per_tok=2, n_group=1, topk_group=1, topk_method="noaux_tc", scoring_func="sigmoid",
                            norm_topk_prob=True, routed_scaling_factor=2.5, num_hidden_layers=2,
                            rope_scaling=dict(YARN, mscale=1.0, mscale_all_dim=1.0), quantization_config=FP8),
    "qwen3_next": dict(GQA, model_type="qwen3_next", num_hidden_layers=5, full_attention_interval=2, head_dim=16,
                       partial_rotary_factor=0.25, attention_bias=False, rope_theta=1e7, linear_conv_kernel_dim=4,
                       linear_key_head_dim=12, linear_value_head_dim=20, linear_num_key_heads=2,
                       linear_num_value_heads=6, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=16,
                       shared_expert_intermediate_size=28, norm_topk_prob=True, decoder_sparse_step=1,
                       mlp_only_layers=[], num_nextn_predict_layers=1),
    "qwen3_5": dict(model_type="qwen3_5", text_config=dict(
        QWEN3_5, model_type="qwen3_5_text", full_attention_interval=2, layer_types=["linear_attention", "full_attention"] * 2,
        linear_num_key_heads=2, linear_num_value_heads=6, tie_word_embeddings=True), tie_word_embeddings=True,
        vision_config=QWEN3_5_VISION),
    "qwen3_5_moe": dict(model_type="qwen3_5_moe", text_config=dict(
        {key: value for key, value in QWEN3_5.items() if key != "intermediate_size"}, model_type="qwen3_5_moe_text",
        layer_types=["linear_attention", "linear_attention", "full_attention", "linear_attention"],
        linear_num_key_heads=2, linear_num_value_heads=4, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=16,
        shared_expert_intermediate_size=20), tie_word_embeddings=False,
        vision_config=dict(QWEN3_5_VISION, model_type="qwen3_5_moe_vision")),
    "qwen3_5_text": dict({key: value for key, value in QWEN3_5.items() if key != "mtp_num_hidden_layers"},
                         model_type="qwen3_5_text", linear_num_key_heads=2, linear_num_value_heads=2,
                         linear_value_head_dim=20),
    # As published before transformers 5, and as it writes them.
    "gemma3_text": dict(GEMMA3, model_type="gemma3_text", query_pre_attn_scalar=12, rope_theta=1e6,
                        rope_local_base_freq=10000.0, rope_scaling=dict(rope_type="linear", factor=8.0),
                        sliding_window_pattern=6),
    "gemma3": dict(model_type="gemma3", text_config=dict(
        GEMMA3, model_type="gemma3_text", num_hidden_layers=3, query_pre_attn_scalar=20, final_logit_softcapping=3.0,
        attn_logit_softcapping=2.0, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters=dict(full_attention=dict(rope_type="linear", rope_theta=1e5, factor=4.0),
                             sliding_attention=dict(rope_type="default", rope_theta=5000.0))),
        vision_config=dict(model_type="siglip_vision_model", hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                           num_attention_heads=2, image_size=4, patch_size=2), mm_tokens_per_image=4,
        image_token_index=N_VOCAB - 1, boi_token_index=N_VOCAB - 2, eoi_token_index=N_VOCAB - 3, tie_word_embeddings=True),
}

# llama.cpp's converter drops this head, GGUF has no FP8, no caps on scores of attention and no scale of queries.
HF_ONLY = ("ernie4_5_moe_mtp", "qwen3_fp8", "deepseek_v3_fp8", "gemma3")


def text_config(config):
    """That of the part that reads and writes text, with the kind of the whole."""
    return dict(config["text_config"], model_type=config["model_type"]) if "text_config" in config else config


def fill(name, tensor, rng, config):
    """Random values at a scale where the tensor matters and logits stay of order one."""
    def normal(scale, mean=0.0):
        tensor.copy_(torch.randn(tensor.shape, generator=rng) * scale + mean)

    is_gpt = config["model_type"] == "gpt_oss"
    if "correction_bias" in name: normal(0.05)
    elif name.endswith("A_log"): tensor.copy_(torch.empty(tensor.shape).uniform_(0.05, 8, generator=rng).log())
    elif name.endswith("dt_bias"): normal(0.5, -2.0)
    elif name.endswith("conv1d.weight"): normal(0.5)
    elif is_zero_centred(config["model_type"], name): normal(0.15)
    elif "norm" in name and name.endswith("weight"): normal(0.15, 1.0)
    elif name.endswith("bias"): normal(0.2)
    elif name.endswith("sinks"): normal(1)
    elif is_gpt and name.endswith("experts.gate_up_proj"): normal(4 / math.sqrt(tensor.shape[1]))  # often beyond the limit
    elif is_gpt and name.endswith("experts.down_proj"): normal(1 / math.sqrt(tensor.shape[1]))
    elif "embed_tokens" in name: normal(0.3 if config["tie_word_embeddings"] else 1.0)
    elif name.endswith(("mlp.gate.weight", "mlp.router.weight")): normal(2 / math.sqrt(tensor.shape[-1]))
    else: normal(1 / math.sqrt(tensor.shape[-1]))


def is_qwen3_next(config):
    """Whether it is of the family with gated DeltaNet, whose MTP heads have the same names."""
    return config["model_type"].startswith(("qwen3_next", "qwen3_5"))


def attention_layer_of(config):
    types = config.get("layer_types") or ["full_attention" if (i + 1) % config["full_attention_interval"] == 0 else ""
                                          for i in range(config["num_hidden_layers"])]
    return types.index("full_attention")


def add_qwen3_next_mtp(state, config, rng):
    """mtp.layers.0 with attention, and the rest of the head next to it; experts one by one."""
    n_embd, attention = config["hidden_size"], f".layers.{attention_layer_of(config)}."
    shapes = {"layers.0." + name.split(attention)[1]: tensor.shape for name, tensor in state.items() if attention in name}
    if "layers.0.mlp.experts.down_proj" in shapes:
        gate_up, down = (shapes.pop(f"layers.0.mlp.experts.{part}_proj") for part in ("gate_up", "down"))
        for e in range(gate_up[0]):
            shapes[f"layers.0.mlp.experts.{e}.down_proj.weight"] = down[1:]
            for part in ("gate", "up"):
                shapes[f"layers.0.mlp.experts.{e}.{part}_proj.weight"] = (gate_up[1] // 2, gate_up[2])
    for name, own in QWEN3_NEXT_HEAD.items():
        shapes[own + ".weight"] = (n_embd, 2 * n_embd) if name == "eh_proj" else (n_embd,)
    renamed = {own + ".weight": name + ".weight" for name, own in QWEN3_NEXT_HEAD.items()}
    for name, shape in shapes.items():
        state["mtp." + name] = torch.empty(shape)
        fill(renamed.get(name, name), state["mtp." + name], rng, config)


def qwen3_next_mtp_logits(model, prompt, following, state):
    """The head put together from the parts that transformers has."""
    config, decoder = model.config.get_text_config(), model.get_decoder()
    layer = type(decoder.layers[0])(config, config.layer_types.index("full_attention")).eval()
    own = {name.removeprefix("mtp.layers.0."): tensor for name, tensor in state.items() if name.startswith("mtp.layers.0.")}
    if getattr(config, "num_experts", 0):
        expert = lambda projection: torch.stack([own.pop(f"mlp.experts.{e}.{projection}.weight")
                                                 for e in range(config.num_experts)])
        own["mlp.experts.gate_up_proj"] = torch.cat([expert("gate_proj"), expert("up_proj")], 1)
        own["mlp.experts.down_proj"] = expert("down_proj")
    layer.load_state_dict(own)

    def norm(name, x):
        module = type(decoder.norm)(config.hidden_size, eps=config.rms_norm_eps)
        module.weight.data = state[f"mtp.{name}.weight"]
        return module(x)

    hidden = model(prompt, output_hidden_states=True, use_cache=False).hidden_states[-1]
    both = torch.cat([norm("pre_fc_norm_embedding", decoder.embed_tokens(following)), norm("pre_fc_norm_hidden", hidden)], -1)
    x = both @ state["mtp.fc.weight"].T
    n = prompt.shape[1]
    mask = torch.full((n, n), torch.finfo(torch.float32).min).triu(1)[None, None]
    positions = torch.arange(1, n + 1)[None]
    if "mrope_section" in (config.rope_parameters or {}):
        positions = positions[None].expand(3, -1, -1)  # the same for time, height and width
    x = layer(x, position_embeddings=decoder.rotary_emb(x, positions), attention_mask=mask)
    return model.lm_head(norm("norm", x))[0, [length - 1 for length in MTP_LENGTHS]].numpy()


def add_mtp(state, config, rng):
    """The release's layout: a layer after the last, with norms, projection and (shared) embedding and head."""
    n_layer, n_embd = config["num_hidden_layers"], config["hidden_size"]
    last, more = f"model.layers.{n_layer - 1}.", f"model.layers.{n_layer}."
    for name in [name for name in state if name.startswith(last)]:
        tensor = torch.empty_like(state[name])
        fill(name, tensor, rng, config)
        state[name.replace(last, more)] = tensor
    for name, shape in (("enorm", (n_embd,)), ("hnorm", (n_embd,)), ("shared_head.norm", (n_embd,)),
                        ("eh_proj", (n_embd, 2 * n_embd))):
        tensor = torch.empty(shape)
        fill(name + ".weight", tensor, rng, config)
        state[f"{more}{name}.weight"] = tensor
    state[more + "embed_tokens.weight"] = state["model.embed_tokens.weight"].clone()
    state[more + "shared_head.head.weight"] = state["lm_head.weight"].clone()


E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)


def to_mxfp4(weight):
    """[n_expert, n_in, n_out] as Hugging Face has MXFP4: blocks [n_expert, n_out, n_in / 32, 16], and a scale for each."""
    values = weight.float().numpy().swapaxes(1, 2)
    values = values.reshape(*values.shape[:2], -1, 32)
    exponents = np.floor(np.log2(np.abs(values).max(-1))) - 2
    scaled = values / np.exp2(exponents)[..., None]
    codes = np.abs(np.abs(scaled)[..., None] - E2M1).argmin(-1).astype(np.uint8) | (scaled < 0).astype(np.uint8) << 3
    blocks = codes[..., 0::2] | codes[..., 1::2] << 4
    return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in (blocks, (exponents + 127).astype(np.uint8)))


def publish_in_mxfp4(state):
    """What is published, and what it means by transformers' own function: experts in MXFP4, the rest in BF16."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    published, meant = {}, {}
    for name, tensor in state.items():
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            published[name] = tensor.bfloat16()
            meant[name] = published[name].float()
            continue
        published[name + "_blocks"], published[name + "_scales"] = to_mxfp4(tensor)
        meant[name] = convert_moe_packed_tensors(published[name + "_blocks"], published[name + "_scales"],
                                                 dtype=torch.float32)
    return published, meant


def round_to_8_bits(x):
    """As kernels do for weights in blocks: 32 values share a scale, max|x| / 127."""
    blocks = x.reshape(-1, 32)
    scales = blocks.abs().amax(-1, keepdim=True) / 127
    return torch.where(scales > 0, torch.round(blocks / scales) * scales, blocks).reshape(x.shape)


def rounded_logits(model, prompt):
    """The logits when what the experts' matrices read is rounded to 8 bits, and nothing else."""
    for layer in model.model.layers:
        experts = layer.mlp.experts
        forward, gate = experts.forward, experts._apply_gate
        experts.forward = lambda x, *args, forward=forward: forward(round_to_8_bits(x), *args)
        experts._apply_gate = lambda x, gate=gate: round_to_8_bits(gate(x))
    return model(prompt, use_cache=False).logits[0].float().numpy()


def spread(scales, shape, block=128):
    """The factor of each value, from those of blocks."""
    return scales.repeat_interleave(block, 0)[:shape[0]].repeat_interleave(block, 1)[:, :shape[1]]


def publish_in_fp8(state, block=128):
    """Projections as E4M3 with a factor for each block of 128 x 128, as DeepSeek-V3 is published; and what that means."""
    published, meant = dict(state), dict(state)
    for name, weight in state.items():
        if not name.endswith(("_proj.weight", "_mqa.weight")):
            continue
        n_blocks = [-(-n // block) for n in weight.shape]
        scales = torch.tensor([[weight[i * block:(i + 1) * block, j * block:(j + 1) * block].abs().max() / 448
                                for j in range(n_blocks[1])] for i in range(n_blocks[0])])
        codes = (weight / spread(scales, weight.shape)).to(torch.float8_e4m3fn)
        published |= {name: codes, name + "_scale_inv": scales}
        meant[name] = codes.float() * spread(scales, weight.shape)
    return published, meant


def add_caps(model, config):
    """What transformers knows and Gemma 3's own classes leave out of a model that sees: both soft caps."""
    forward, cap = model.forward, config["final_logit_softcapping"]

    def capped(*args, **options):
        output = forward(*args, softcap=config["attn_logit_softcapping"], **options)
        output.logits = torch.tanh(output.logits / cap) * cap
        return output

    model.forward = capped


def continue_greedily(model, prompt, n):
    """Without a cache: that of some families drifts in transformers itself."""
    sequence = prompt
    for _ in range(n):
        sequence = torch.cat([sequence, model(sequence, use_cache=False).logits[:, -1:].argmax(-1)], 1)
    return sequence[0, prompt.shape[1]:]


def add_ernie_mtp(state, config, rng):
    n_embd, first = config["hidden_size"], "model.layers.0."  # a dense one
    shapes = {name.replace(first, "model.mtp_block.0."): state[name].shape for name in state if name.startswith(first)}
    shapes |= {"model.mtp_emb_norm.0.weight": (n_embd,), "model.mtp_hidden_norm.0.weight": (n_embd,),
               "model.mtp_linear_proj.0.weight": (n_embd, 2 * n_embd)}
    for name, shape in shapes.items():
        state[name] = torch.empty(shape)
        fill(name, state[name], rng, dict(config, tie_word_embeddings=False))


def oracle_mtp_logits(oracle, hidden, following, logits):
    """By one of our own, where transformers has no head; it must agree with the logits of transformers."""
    difference = np.abs(oracle.logits(hidden).numpy() - logits).max()
    assert difference < 1e-4, f"the oracle and transformers differ by {difference}"
    return oracle.mtp_logits(hidden, following[0])[[n - 1 for n in MTP_LENGTHS]].numpy()


def all_mtp_logits(model, config, state, prompt, following, logits):
    if config["model_type"] == "ernie4_5_moe":
        oracle = Ernie(config, state)
        return oracle_mtp_logits(oracle, oracle.hidden(prompt[0]), following, logits)
    if config["model_type"] == "deepseek_v32":
        oracle = DeepSeekV32(config, state)
        rows = oracle_mtp_logits(oracle, oracle.normed_hidden(prompt[0]), following, logits)
        print(f"smallest margin of a chosen position: {oracle.margin:.1e}")
        assert oracle.margin > 1e-5, "too near a tie: take another seed"
        return rows
    if is_qwen3_next(config):
        return qwen3_next_mtp_logits(model, prompt, following, state)
    return mtp_logits(model, prompt, following)


MTP_LENGTHS = (1, 2, 9, 17, 33, 50, 71, 72)


def mtp_logits(model, prompt, following):
    """Logits of the MTP head at the end of prompts of MTP_LENGTHS, given the token that follows."""
    from transformers.cache_utils import MtpCache
    from transformers.modeling_layers import MtpModel
    # Its layers are found by a pattern made for the release's number of layers.
    model._keys_to_ignore_on_load_unexpected = [rf"model\.layers\.{model.config.num_hidden_layers}.*"]
    hidden = model(prompt, output_hidden_states=True, use_cache=False).hidden_states[-1]
    head = MtpModel.from_pretrained(model).eval()
    rows = []
    for n in MTP_LENGTHS:
        _, logits, _ = head(input_ids=following[:, :n], last_hidden_states=hidden[:, :n], attention_mask=None,
                            position_ids=torch.arange(1, n + 1)[None], mtp_cache=MtpCache(config=model.config.get_mtp_config()))
        rows.append(logits[0, -1].float().numpy())
    return np.stack(rows)


def stack_experts(state):
    """Experts in two tensors a layer, as Qwen3.5 is published, where transformers writes them one by one."""
    own = [name for name in state if ".mlp.experts.0.gate_proj." in name]
    for name in own:
        prefix = name.removesuffix("0.gate_proj.weight")
        taken = lambda part: torch.stack([state.pop(f"{prefix}{e}.{part}_proj.weight") for e in range(len(
            [other for other in state if other.startswith(prefix) and other.endswith(f".{part}_proj.weight")]))])
        state[prefix + "gate_up_proj"] = torch.cat([taken("gate"), taken("up")], 1)
        state[prefix + "down_proj"] = taken("down")


def make_case(name, out, seed):
    whole_config, folder = dict({"torch_dtype": "float32"}, **CASES[name]), out / name
    config = text_config(whole_config)
    quantization = config.get("quantization_config", {}).get("quant_method")
    is_mxfp4 = quantization == "mxfp4"
    n_mtp = n_mtp_of(config)
    folder.mkdir(parents=True, exist_ok=True)
    plain = {key: value for key, value in whole_config.items() if key != "quantization_config"}
    (folder / "config.json").write_text(json.dumps(plain, indent=1) + "\n")
    options = dict(attn_implementation="eager", experts_implementation="eager", dtype=torch.float32)
    auto = transformers.AutoModelForCausalLM if config is whole_config else transformers.AutoModelForImageTextToText
    model = auto.from_config(transformers.AutoConfig.from_pretrained(folder), **options).eval()
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        buffers = [(key, b) for key, b in model.named_buffers() if "correction_bias" in key]
        for key, tensor in sorted(list(model.named_parameters()) + buffers):
            fill(key, tensor, rng, config)
    model.save_pretrained(folder)
    state = load_file(folder / "model.safetensors")
    if n_mtp:
        add = add_qwen3_next_mtp if is_qwen3_next(config) else {"ernie4_5_moe": add_ernie_mtp}.get(config["model_type"], add_mtp)
        if name == "qwen3_5_moe":
            stack_experts(state)
        add(state, config, rng)
    if quantization == "fp8":
        published, state = publish_in_fp8(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    if is_mxfp4:  # which from_pretrained would not dequantize to F32
        published, meant = publish_in_mxfp4(state)
        model.load_state_dict(meant)
        state = published
    else:
        model = auto.from_pretrained(folder, **options).eval()
    (folder / "generation_config.json").unlink(missing_ok=True)
    if name == "gemma3":
        add_caps(model, config)
    prompt = torch.randint(0, N_VOCAB, (1, N_PROMPT), generator=rng)
    with torch.no_grad():
        logits = model(prompt, use_cache=False).logits[0].float().numpy()
        greedy = continue_greedily(model, prompt, 16)
        np.save(folder / "logits.npy", logits.astype("<f4"))
        golden = {"prompt": prompt[0].tolist(), "greedy": greedy.tolist()}
        if n_mtp:
            following = torch.cat([prompt[:, 1:], greedy[None, :1]], 1)
            rows = all_mtp_logits(model, config, state, prompt, following, logits)
            np.save(folder / "mtp_logits.npy", rows.astype("<f4"))
            golden |= {"following": following[0].tolist(), "mtp_lengths": MTP_LENGTHS}
    if quantization:
        save_file(published, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(whole_config, indent=1) + "\n")
    top = np.partition(logits, -2, axis=-1)[:, -2:]
    if is_mxfp4:
        golden["has_blocks"] = True
        with torch.no_grad():
            np.save(folder / "rounded_logits.npy", rounded_logits(model, prompt).astype("<f4"))
    if name in HF_ONLY:
        golden["has_gguf"] = False
    golden["smallest_margin"] = round(float((top[:, 1] - top[:, 0]).min()), 5)
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    if name not in HF_ONLY:
        write_gguf(folder / "model.gguf", name, config, state)
    print(f"{name:18} {sum(t.numel() for t in state.values()):7} values, deviation {logits.std():.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", choices=CASES, action="append")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.only or CASES:
        make_case(name, args.out, args.seed)


if __name__ == "__main__":
    main()
