"""A model of make_arch_goldens.py as GGUF: names, keys and layouts as llama.cpp's converter has them. Needs: gguf numpy"""
import math

import gguf
import numpy as np

N_VOCAB = 144

# Tensors of an MTP head that is not stored as a layer, as on Hugging Face, by the names that other models use.
QWEN3_NEXT_HEAD = {"enorm": "pre_fc_norm_embedding", "hnorm": "pre_fc_norm_hidden", "eh_proj": "fc",
                   "shared_head.norm": "norm"}


def n_mtp_of(config):
    """Layers of the MTP head."""
    return config.get("num_nextn_predict_layers", config.get("mtp_num_hidden_layers", 0))


def is_zero_centred(kind, name):
    """Whether a tensor is a norm that is stored as its difference from 1."""
    if not kind.startswith(("qwen3_next", "qwen3_5", "gemma3")) or "vision" in name or "visual" in name:
        return False
    return name.endswith("norm.weight") and not name.endswith("linear_attn.norm.weight")


WITH_TOKENIZER = ("qwen3_next", "qwen3_5", "gemma3_text")
ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "qwen3_moe": "qwen3moe", "deepseek_v2": "deepseek2",
                 "deepseek_v3": "deepseek2", "deepseek_v32": "deepseek32", "ernie4_5": "ernie4_5", "ernie4_5_moe": "ernie4_5-moe",
                 "seed_oss": "seed_oss", "glm4_moe": "glm4moe", "qwen3_next": "qwen3next", "gpt_oss": "gpt-oss",
                 "qwen3_5": "qwen35", "qwen3_5_text": "qwen35", "qwen3_5_moe": "qwen35moe", "gemma3_text": "gemma3"}
LAYER = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "self_attn.q_a_proj": "attn_q_a",
    "self_attn.q_a_layernorm": "attn_q_a_norm", "self_attn.q_b_proj": "attn_q_b",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa", "self_attn.kv_a_layernorm": "attn_kv_a_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "mlp.gate": "ffn_gate_inp",
    "mlp.router": "ffn_gate_inp",
    "mlp.shared_experts.gate_proj": "ffn_gate_shexp", "mlp.shared_experts.up_proj": "ffn_up_shexp",
    "mlp.shared_experts.down_proj": "ffn_down_shexp", "enorm": "nextn.enorm", "hnorm": "nextn.hnorm",
    "eh_proj": "nextn.eh_proj", "shared_head.norm": "nextn.shared_head_norm", "embed_tokens": "nextn.embed_tokens",
    "shared_head.head": "nextn.shared_head_head", "self_attn.indexer.wq_b": "indexer.attn_q_b",
    "self_attn.indexer.wk": "indexer.attn_k", "self_attn.indexer.k_norm": "indexer.k_norm",
    "self_attn.indexer.weights_proj": "indexer.proj",
    "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
    "mlp.shared_expert.up_proj": "ffn_up_shexp", "mlp.shared_expert.down_proj": "ffn_down_shexp",
    "mlp.shared_expert_gate": "ffn_gate_inp_shexp", "linear_attn.conv1d": "ssm_conv1d", "linear_attn.norm": "ssm_norm",
    "linear_attn.in_proj_ba": "ssm_ba", "linear_attn.out_proj": "ssm_out", "linear_attn.in_proj_qkv": "attn_qkv",
    "linear_attn.in_proj_z": "attn_gate", "linear_attn.in_proj_a": "ssm_alpha", "linear_attn.in_proj_b": "ssm_beta",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
}
EXPERT = {"gate_proj": "ffn_gate_exps", "up_proj": "ffn_up_exps", "down_proj": "ffn_down_exps"}
TOP = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
       "lm_head.weight": "output.weight"}


def to_pairs(weight, n_head):
    """Rows of Q or K from halves to neighbours: Llama's converter stores them so."""
    halves = weight.reshape(n_head, 2, -1, *weight.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(weight.shape)


def qkv_and_gate(config, weight):
    """From rows [q, k, v, z] of each head of keys to all q, then all k, all v and all z."""
    n_head, k_dim = config["linear_num_key_heads"], config["linear_key_head_dim"]
    n_values = config["linear_num_value_heads"] // n_head * config["linear_value_head_dim"]
    heads = weight.reshape(n_head, -1, weight.shape[-1])
    parts = np.split(heads, np.cumsum([k_dim, k_dim, n_values]), axis=1)
    q, k, v, z = (part.reshape(-1, weight.shape[-1]) for part in parts)
    return [("attn_qkv.weight", np.concatenate([q, k, v])), ("attn_gate.weight", z)]


def tile_value_heads(config, part, weight):
    """Values of linear attention from heads of one key together to the first of each key, the second of each ..."""
    n_k, n_v, v_dim = (config[f"linear_{name}"] for name in ("num_key_heads", "num_value_heads", "value_head_dim"))
    n_first = 2 * n_k * config["linear_key_head_dim"] if part.split(".")[1] in ("in_proj_qkv", "conv1d") else 0
    by_rows = weight.T if "out_proj" in part else weight
    values = by_rows[n_first:]
    tiled = values.reshape(n_k, n_v // n_k, -1, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)
    assert len(values) in (n_v, n_v * v_dim)
    whole = np.concatenate([by_rows[:n_first], tiled])
    return whole.T if "out_proj" in part else whole


def layer_tensors(config, part, weight):
    """GGUF's (name, values) of one tensor of a layer."""
    kind = config["model_type"]
    if kind.startswith("qwen3_5") and part.startswith("linear_attn.") and "norm" not in part:
        weight = tile_value_heads(config, part, weight)
    if "correction_bias" in part:
        return [("exp_probs_b.bias", weight.reshape(-1))]
    if part == "self_attn.sinks":
        return [("attn_sinks.weight", weight)]
    module, suffix = part.rsplit(".", 1)
    if is_zero_centred(kind, part):
        weight = weight + 1
    if suffix == "A_log":
        return [("ssm_a", -np.exp(weight))]
    if suffix == "dt_bias":
        return [("ssm_dt.bias", weight)]
    if module == "linear_attn.conv1d":
        weight = weight.squeeze(1)
    if module == "linear_attn.in_proj_qkvz":
        return qkv_and_gate(config, weight)
    if module == "self_attn.kv_b_proj":
        heads = weight.reshape(config["num_attention_heads"], -1, config["kv_lora_rank"])
        keys, values = np.split(heads, [config["qk_nope_head_dim"]], axis=1)
        return [("attn_k_b.weight", np.ascontiguousarray(keys.swapaxes(1, 2))),
                ("attn_v_b.weight", np.ascontiguousarray(values))]
    # Biases, too.
    if kind == "llama" and module in ("self_attn.q_proj", "self_attn.k_proj"):
        n_head = config["num_attention_heads" if "q_proj" in module else "num_key_value_heads"]
        weight = to_pairs(weight, n_head)
    name = LAYER[module]
    if module == "post_attention_layernorm" and (kind in ("seed_oss", "glm4_moe", "gpt_oss") or is_zero_centred(kind, part)):
        name = "post_attention_norm"
    return [(f"{name}.{suffix}", weight)]


def to_gguf_mxfp4(blocks, scales):
    """Hugging Face's blocks with their scale before them, and value i next to value i + 16 instead of i + 1."""
    codes = np.stack([blocks & 15, blocks >> 4], -1).reshape(*blocks.shape[:-1], 32)
    packed = np.concatenate([scales[..., None], codes[..., :16] | codes[..., 16:] << 4], -1)
    return packed.reshape(*packed.shape[:2], -1)


def stacked_experts(state, name):
    """GGUF's (name, values) of gpt-oss's experts: on Hugging Face rows of gate and up are interleaved, and plain ones are columns."""
    _, _, layer, _, _, part = name.split(".")
    projection, _, kind = part.partition("_proj")
    if kind == "_scales":
        return
    values = state[name]
    if kind == "_blocks":
        values = to_gguf_mxfp4(values.numpy(), state[name.replace("_blocks", "_scales")].numpy())
    elif kind == "_bias":
        values = values.float().numpy()
    else:
        values = values.float().numpy().swapaxes(1, 2)
    suffix = "bias" if kind == "_bias" else "weight"
    parts = {"gate": values[:, ::2], "up": values[:, 1::2]} if projection == "gate_up" else {"down": values}
    for which, own in parts.items():
        yield f"blk.{layer}.ffn_{which}_exps.{suffix}", own


def text_state(state):
    """Only the part that reads and writes text, and its names as those of a model that does nothing else."""
    short = {name.replace("model.language_model.", "model."): tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in short.items() if not name.startswith("model.visual.")}


def gguf_tensors(config, state):
    """GGUF's names and values."""
    tensors, experts = {}, {}
    for name, tensor in text_state(state).items():
        if config["model_type"] == "gpt_oss" and ".experts." in name:
            tensors.update(stacked_experts(state, name))
            continue
        weight = tensor.float().numpy()
        if name.startswith("mtp."):
            part, n_layer = name.removeprefix("mtp.").removeprefix("layers.0."), config["num_hidden_layers"]
            standard = {own + ".weight": head + ".weight" for head, own in QWEN3_NEXT_HEAD.items()}
            name = f"model.layers.{n_layer}.{standard.get(part, part)}"
        if name in TOP:
            if name == "lm_head.weight" and config["tie_word_embeddings"]:
                continue
            tensors[TOP[name]] = weight + 1 if is_zero_centred(config["model_type"], name) else weight
            continue
        _, _, layer, part = name.split(".", 3)
        if part == "mlp.experts.gate_up_proj":
            for own, values in zip(("ffn_gate_exps", "ffn_up_exps"), np.split(weight, 2, 1)):
                tensors[f"blk.{layer}.{own}.weight"] = values
            continue
        if part == "mlp.experts.down_proj":
            tensors[f"blk.{layer}.ffn_down_exps.weight"] = weight
            continue
        if ".experts." in "." + part:
            _, _, number, projection, _ = part.split(".")
            experts.setdefault((layer, EXPERT[projection]), {})[int(number)] = weight
            continue
        for gguf_name, values in layer_tensors(config, part, weight):
            tensors[f"blk.{layer}.{gguf_name}"] = values
    for (layer, name), by_number in experts.items():
        tensors[f"blk.{layer}.{name}.weight"] = np.stack([by_number[number] for number in sorted(by_number)])
    return tensors


def rope_factors(config):
    """Llama 3.1's scaling as divisors of the frequencies."""
    s, n_rot = config["rope_scaling"], config["head_dim"]
    factors = []
    for j in range(n_rot // 2):
        wavelength = 2 * math.pi * config["rope_theta"] ** (2 * j / n_rot)
        low, high = (s["original_max_position_embeddings"] / s[f"{which}_freq_factor"] for which in ("low", "high"))
        if wavelength < high: factors.append(1.0)
        elif wavelength > low: factors.append(s["factor"])
        else:
            smooth = (s["original_max_position_embeddings"] / wavelength - s["low_freq_factor"]) / (
                s["high_freq_factor"] - s["low_freq_factor"])
            factors.append(1 / ((1 - smooth) / s["factor"] + smooth))
    return np.array(factors, np.float32)


def add_rope(writer, config):
    parameters = config.get("rope_parameters", {})
    writer.add_rope_freq_base(parameters.get("rope_theta", config.get("rope_theta")))
    if "mrope_section" in parameters:
        writer.add_rope_dimension_sections(parameters["mrope_section"] + [0])
    scaling = config.get("rope_scaling")
    if scaling and scaling["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(scaling["factor"])
    if scaling and scaling["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(scaling["factor"])
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
        if "mscale_all_dim" in scaling:
            writer.add_rope_scaling_yarn_log_mul(0.1 * scaling["mscale_all_dim"])


def add_experts(writer, config):
    kind = config["model_type"]
    n_expert = next((config[key] for key in ("num_experts", "n_routed_experts", "moe_num_experts", "num_local_experts")
                     if key in config), 0)
    if not n_expert:
        return
    n_shared = config.get("n_shared_experts", config.get("moe_num_shared_experts", 0))
    writer.add_expert_count(n_expert)
    writer.add_expert_used_count(config.get("num_experts_per_tok", config.get("moe_k")))
    writer.add_expert_feed_forward_length(config.get("moe_intermediate_size", config.get("intermediate_size")))
    if kind == "ernie4_5_moe":
        writer.add_interleave_moe_layer_step(config["moe_layer_interval"])
        writer.add_leading_dense_block_count(config["moe_layer_start_index"])
        writer.add_expert_shared_feed_forward_length(n_shared * config["moe_intermediate_size"])
    if n_shared:
        writer.add_expert_shared_count(n_shared)
    if "shared_expert_intermediate_size" in config:
        writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
    if "routed_scaling_factor" in config:
        writer.add_leading_dense_block_count(config["first_k_dense_replace"])
        writer.add_expert_weights_scale(config["routed_scaling_factor"])
        writer.add_expert_weights_norm(config["norm_topk_prob"])
        is_sigmoid = config.get("scoring_func", "sigmoid") == "sigmoid"
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID if is_sigmoid else gguf.ExpertGatingFuncType.SOFTMAX)
    if config.get("n_group", 1) > 1:
        writer.add_expert_group_count(config["n_group"])
        writer.add_expert_group_used_count(config["topk_group"])


def add_attention(writer, config):
    writer.add_head_count(config["num_attention_heads"])
    if "kv_lora_rank" not in config:
        writer.add_head_count_kv(config["num_key_value_heads"])
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
        share = config.get("rope_parameters", {}).get("partial_rotary_factor", config.get("partial_rotary_factor", 1))
        writer.add_rope_dimension_count(int(config["head_dim"] * share))
        return
    writer.add_head_count_kv(1)  # as the cache sees it
    if config["q_lora_rank"]:
        writer.add_q_lora_rank(config["q_lora_rank"])
    writer.add_kv_lora_rank(config["kv_lora_rank"])
    writer.add_key_length(config["kv_lora_rank"] + config["qk_rope_head_dim"])
    writer.add_value_length(config["kv_lora_rank"])
    writer.add_key_length_mla(config["qk_nope_head_dim"] + config["qk_rope_head_dim"])
    writer.add_value_length_mla(config["v_head_dim"])
    writer.add_rope_dimension_count(config["qk_rope_head_dim"])
    if "index_topk" in config:
        writer.add_indexer_head_count(config["index_n_heads"])
        writer.add_indexer_key_length(config["index_head_dim"])
        writer.add_indexer_top_k(config["index_topk"])


def add_delta_net(writer, config):
    if "linear_conv_kernel_dim" not in config:
        return
    writer.add_ssm_conv_kernel(config["linear_conv_kernel_dim"])
    writer.add_ssm_state_size(config["linear_key_head_dim"])
    writer.add_ssm_group_count(config["linear_num_key_heads"])
    writer.add_ssm_time_step_rank(config["linear_num_value_heads"])
    writer.add_ssm_inner_size(config["linear_value_head_dim"] * config["linear_num_value_heads"])
    writer.add_full_attention_interval(config.get("full_attention_interval", 4))
    if "layer_types" in config:
        is_recurrent = [kind == "linear_attention" for kind in config["layer_types"]] + [False] * n_mtp_of(config)
        writer.add_array(f"{ARCHITECTURES[config['model_type']]}.attention.recurrent_layers", is_recurrent)


def add_letters(writer):
    """A tokenizer of single letters, so that the engine answers requests."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    letters = list(bytes_to_unicode().values())[:N_VOCAB - 2] + ["ab", "<end>"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(letters)
    writer.add_token_types([gguf.TokenType.NORMAL] * (N_VOCAB - 1) + [gguf.TokenType.CONTROL])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(N_VOCAB - 1)


def write_gguf(path, name, config, state):
    writer = gguf.GGUFWriter(path, ARCHITECTURES[config["model_type"]])
    n_mtp = n_mtp_of(config)
    writer.add_name(f"ogas test {name}")
    writer.add_block_count(config["num_hidden_layers"] + n_mtp)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    if "intermediate_size" in config:
        writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(N_VOCAB)
    if n_mtp:
        writer.add_nextn_predict_layers(n_mtp)
    add_attention(writer, config)
    add_rope(writer, config)
    add_experts(writer, config)
    if config["model_type"] in ("gpt_oss", "gemma3_text"):
        writer.add_sliding_window(config["sliding_window"])
    add_delta_net(writer, config)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_letters(writer) if name in WITH_TOKENIZER else writer.add_tokenizer_model("none")
    if config.get("rope_scaling", {}).get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", rope_factors(config))
    for tensor_name, values in sorted(gguf_tensors(config, state).items()):
        if values.dtype == np.uint8:
            writer.add_tensor(tensor_name, np.ascontiguousarray(values), raw_dtype=gguf.GGMLQuantizationType.MXFP4)
        else:
            writer.add_tensor(tensor_name, np.ascontiguousarray(values, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
