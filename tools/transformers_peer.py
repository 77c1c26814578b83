"""transformers as a peer: a GGUF file of architecture "llama", its weights decoded to float32, run without shortcuts.

It knows what the goldens here need and no more: no biases, no rope scaling other than rope_freqs.weight made from
Llama 3.1's four parameters, which the caller passes because a GGUF file keeps only the resulting factors.
Needs: gguf transformers>=5 torch numpy
"""
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import gguf
import numpy as np
import torch
import transformers

# Part of a GGUF tensor's name -> part of the module's name in transformers.
LAYER_NAMES = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


def rows_to_interleaved(weight, n_head):
    """Rows of a Q or K projection, from transformers' order (halves of a head rotate together) to GGUF's (pairs do)."""
    halves = weight.reshape(n_head, 2, -1, weight.shape[-1])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(weight.shape)


def rows_to_halves(weight, n_head):
    """The inverse of rows_to_interleaved."""
    pairs = weight.reshape(n_head, -1, 2, weight.shape[-1])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(weight.shape)


def build(config):
    options = dict(attn_implementation="eager", dtype=torch.float32)
    return transformers.AutoModelForCausalLM.from_config(config, **options).eval()


def load(path, rope_scaling=None):
    """A transformers model with the float32 values of the GGUF file's weights."""
    reader = gguf.GGUFReader(path)
    meta = lambda key, default=None: reader.fields[key].contents() if key in reader.fields else default
    tensors = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
    n_head, n_embd = meta("llama.attention.head_count"), meta("llama.embedding_length")
    n_head_kv = meta("llama.attention.head_count_kv", n_head)
    rope = dict(rope_scaling or {"rope_type": "default"}, rope_theta=float(meta("llama.rope.freq_base", 10000.0)))
    model = build(transformers.LlamaConfig(
        hidden_size=n_embd, intermediate_size=meta("llama.feed_forward_length"),
        num_hidden_layers=meta("llama.block_count"), num_attention_heads=n_head, num_key_value_heads=n_head_kv,
        head_dim=meta("llama.attention.key_length", n_embd // n_head), vocab_size=len(tensors["token_embd.weight"]),
        rms_norm_eps=float(meta("llama.attention.layer_norm_rms_epsilon")), rope_parameters=rope,
        max_position_embeddings=meta("llama.context_length"), tie_word_embeddings="output.weight" not in tensors))
    state = {"model.embed_tokens.weight": tensors["token_embd.weight"],
             "model.norm.weight": tensors["output_norm.weight"],
             "lm_head.weight": tensors.get("output.weight", tensors["token_embd.weight"])}
    for name, weight in tensors.items():
        if name.startswith("blk."):
            _, layer, part, _ = name.split(".")
            if part in ("attn_q", "attn_k"):
                weight = rows_to_halves(weight, n_head if part == "attn_q" else n_head_kv)
            state[f"model.layers.{layer}.{LAYER_NAMES[part]}.weight"] = weight
    model.load_state_dict({name: torch.from_numpy(np.array(weight)) for name, weight in state.items()}, strict=True)
    return model


def logits(model, tokens):
    """float32 [n_tokens, n_vocab], all tokens computed together."""
    with torch.no_grad():
        return model(torch.tensor([list(tokens)]), use_cache=False).logits[0].float().numpy()
