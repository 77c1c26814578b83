#!/usr/bin/env python3
"""Tiny random Llama models with the logits transformers gives: OUT/NAME.gguf, OUT/NAME.npy and OUT/goldens.json.

  make_llama_goldens.py OUT [--seed 1] [--only NAME] [--no-llama-cpp]

Configurations are those of Hugging Face; weights are random, at scales where every tensor matters. The GGUF files
follow llama.cpp's converter: rows of Q and K permuted for interleaved rotation, rope_freqs.weight from Llama 3.1's
rope_scaling, one-dimensional tensors in F32. transformers runs in float32, eager, on exactly the values in
the file (rounded to F16 or BF16, or quantized and decoded by PyPI gguf). NAME.npy is float32 [positions, n_vocab]:
the logits after prompt[0 .. position] for each of the positions in goldens.json.
It checks that each file, read back, gives the same logits, and that a model with rope scaling differs clearly from itself
without. It records the distance of llama.cpp's logits.

Needs: gguf transformers>=5 torch numpy, and llama-cpp-python unless --no-llama-cpp
"""
import argparse
import json
import math
import pathlib

import numpy as np
import torch

import transformers_peer
import gguf
import transformers

F32, F16, BF16 = gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16
Q4_0, Q4_1 = gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q4_1
Q5_0, Q5_1, Q8_0 = gguf.GGMLQuantizationType.Q5_0, gguf.GGMLQuantizationType.Q5_1, gguf.GGMLQuantizationType.Q8_0
FILE_TYPES = {F32: gguf.LlamaFileType.ALL_F32, F16: gguf.LlamaFileType.MOSTLY_F16,
              BF16: gguf.LlamaFileType.MOSTLY_BF16, Q4_0: gguf.LlamaFileType.MOSTLY_Q4_0}

HF = dict(model_type="llama", architectures=["LlamaForCausalLM"], hidden_act="silu", attention_bias=False,
           mlp_bias=False, bos_token_id=0, eos_token_id=1, pretraining_tp=1)
# Llama 3.1's scaling, and heads of 16: wavelengths of 6 to 610,000 positions, of which the scaling leaves four alone,
# changes one in part and three in full.
LONG = dict(HF, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=3,
            num_key_value_heads=1, vocab_size=256, rms_norm_eps=1e-5, rope_theta=500000.0,
            max_position_embeddings=131072, tie_word_embeddings=False,
            rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                              original_max_position_embeddings=8192))
# Nothing a power of two, heads wider than hidden_size / num_attention_heads, embeddings that are the output matrix too.
ODD = dict(HF, hidden_size=40, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
           head_dim=24, vocab_size=271, rms_norm_eps=1e-6, rope_theta=10000.0, max_position_embeddings=2048,
           tie_word_embeddings=True)
# Sizes that blocks of 32 divide.
BLOCKS = dict(HF, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
              num_key_value_heads=2, vocab_size=288, rms_norm_eps=1e-5, rope_theta=100000.0,
              max_position_embeddings=2048, tie_word_embeddings=False)
MIX = {"token_embd": Q8_0, "output": Q8_0, "attn_q": Q4_0, "attn_k": Q4_1, "attn_v": Q5_0, "attn_output": Q5_1,
       "ffn_gate": Q4_0, "ffn_up": Q4_1, "ffn_down": Q8_0}

# name: (config, type of matrices or a type for each, prompt length, has a tokenizer)
CASES = {
    "long_f32": (LONG, F32, 1100, False),
    "odd_f32": (ODD, F32, 96, True),
    "odd_f16": (ODD, F16, 96, True),
    "odd_bf16": (ODD, BF16, 96, True),
    "blocks_mixed": (BLOCKS, MIX, 96, False),
}


def random_state(model, rng):
    """Weights for which every tensor matters: norms that are not 1, attention far from uniform, logits above 1."""
    state = {}
    for name, tensor in sorted(model.state_dict().items()):
        shape = tuple(tensor.shape)
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        if "norm" in name:
            weight = 1 + 0.15 * rng.standard_normal(shape)
        elif "embed_tokens" in name:
            weight = (0.3 if model.config.tie_word_embeddings else 1.0) * rng.standard_normal(shape)
        else:
            gain = 1.5 if "q_proj" in name or "k_proj" in name else 1.0
            weight = gain / math.sqrt(shape[-1]) * rng.standard_normal(shape)
        state[name] = weight.astype(np.float32)
    return state


def gguf_name(name):
    parts = name.removesuffix(".weight").split(".")
    if "layers" in parts:
        part = {value: key for key, value in transformers_peer.LAYER_NAMES.items()}[".".join(parts[3:])]
        return f"blk.{parts[2]}.{part}.weight"
    return {"embed_tokens": "token_embd.weight", "norm": "output_norm.weight", "lm_head": "output.weight"}[parts[-1]]


def type_of(name, types):
    """Of a matrix."""
    return types[name.split(".")[-2]] if isinstance(types, dict) else types


def rope_factors(config, head_dim):
    """What llama.cpp divides the rotation frequencies by: Llama 3.1's rope_scaling worked out for each of them."""
    s = config["rope_scaling"]
    frequencies = config["rope_theta"] ** -(np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    wavelengths = 2 * np.pi / frequencies
    original = s["original_max_position_embeddings"]
    low, high = original / s["low_freq_factor"], original / s["high_freq_factor"]
    smooth = (original / wavelengths - s["low_freq_factor"]) / (s["high_freq_factor"] - s["low_freq_factor"])
    between = 1 / ((1 - smooth) / s["factor"] + smooth)
    return np.where(wavelengths < high, 1, np.where(wavelengths > low, s["factor"], between)).astype(np.float32)


def byte_letters():
    """GPT-2's printable letter for each byte."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in plain]
    return {b: chr(b) if b in plain else chr(256 + others.index(b)) for b in range(256)}


def add_tokenizer(writer, n_vocab):
    """A small byte-level BPE: special tokens, the 256 bytes, and merges of common English pairs."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    merges = ["Ġ t", "h e", "Ġ a", "i n", "e r", "o n", "r e", "Ġt he", "a n", "Ġa n", "Ġan d", "in g"]
    tokens = special + list(byte_letters().values())
    tokens += [merge.replace(" ", "") for merge in merges]
    assert len(tokens) == n_vocab
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in special else normal for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)


def add_metadata(writer, name, config, types):
    n_head = config["num_attention_heads"]
    head_dim = config.get("head_dim", config["hidden_size"] // n_head)
    writer.add_type("model")
    writer.add_name(f"ogas test {name}")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(n_head)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if "head_dim" in config:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(FILE_TYPES[Q4_0 if isinstance(types, dict) else types])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def write_gguf(path, name, config, types, state, has_tokenizer):
    writer = gguf.GGUFWriter(path, "llama")
    add_metadata(writer, name, config, types)
    if has_tokenizer:
        add_tokenizer(writer, config["vocab_size"])
    else:
        writer.add_tokenizer_model("none")
    if "rope_scaling" in config:
        head_dim = config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])
        writer.add_tensor("rope_freqs.weight", rope_factors(config, head_dim))
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for hf_name, weight in state.items():
        target = gguf_name(hf_name)
        if weight.ndim == 1:
            writer.add_tensor(target, weight)
            continue
        part = target.split(".")[-2]
        if part in heads:
            weight = transformers_peer.rows_to_interleaved(weight, heads[part])
        kind = type_of(target, types)
        writer.add_tensor(target, gguf.quants.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def as_stored(name, weight, types):
    """The values that a file of these types holds. Blocks lie within rows, so the order of rows does not matter."""
    if weight.ndim == 1:
        return weight
    kind = type_of(gguf_name(name), types)
    return gguf.quants.dequantize(gguf.quants.quantize(weight, kind), kind).astype(np.float32)


def oracle(config, state):
    """The configuration with these weights, in transformers."""
    model = transformers_peer.build(transformers.LlamaConfig(**config))
    state = {name: torch.from_numpy(np.array(weight)) for name, weight in state.items()}
    if config["tie_word_embeddings"]:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)
    return model


def check_rope(config, model, prompt, logits):
    """The factors in the file are those of transformers, and leaving them out would show."""
    plain = oracle({key: value for key, value in config.items() if key != "rope_scaling"},
                   {name: weight.numpy() for name, weight in model.state_dict().items()})
    factors = plain.model.rotary_emb.inv_freq / model.model.rotary_emb.inv_freq
    expected = rope_factors(config, 2 * len(factors))
    assert np.allclose(factors.numpy(), expected, rtol=1e-5), (factors, expected)
    shown = np.abs(transformers_peer.logits(plain, prompt) - logits).max()
    assert shown > 0.1, shown
    return float(shown)


def llama_cpp_distance(path, prompt, logits):
    """Of llama.cpp's logits with an F32 cache, in one batch and in batches of 7: max |difference| and its rms."""
    import llama_cpp_peer
    model, worst, rms = llama_cpp_peer.Model(path), 0.0, 0.0
    for batch in (len(prompt), 7):
        context = llama_cpp_peer.Context(model, n_ctx=2048, n_batch=2048, kv="f32")
        diff = np.abs(context.eval(prompt, batch) - logits)
        worst, rms = max(worst, float(diff.max())), max(rms, float(np.sqrt((diff**2).mean())))
        context.close()
    model.close()
    return float(f"{worst:.2e}"), float(f"{rms:.2e}")


def positions_of(n):
    """The first 8, every 64th and the last 16."""
    return sorted({*range(8), *range(0, n, 64), *range(n - 16, n)})


def make_case(name, out, seed, use_llama_cpp):
    config, types, n_prompt, has_tokenizer = CASES[name]
    rng = np.random.default_rng([seed, *name.split("_")[0].encode()])  # one set of weights for all types of a shape
    state = random_state(transformers_peer.build(transformers.LlamaConfig(**config)), rng)
    path = out / f"{name}.gguf"
    write_gguf(path, name, config, types, state, has_tokenizer)

    model = oracle(config, {key: as_stored(key, weight, types) for key, weight in state.items()})
    prompt = rng.integers(0, config["vocab_size"], n_prompt).tolist()
    logits = transformers_peer.logits(model, prompt)
    read_back = transformers_peer.load(path, config.get("rope_scaling"))
    distance = float(np.abs(transformers_peer.logits(read_back, prompt) - logits).max())
    assert distance < 1e-5, distance
    positions = positions_of(n_prompt)
    np.save(out / f"{name}.npy", logits[positions].astype("<f4"))
    case = {"name": name, "seed": seed, "n_vocab": config["vocab_size"], "logits_std": round(float(logits.std()), 4)}
    if "rope_scaling" in config:
        case["max_diff_without_rope_scaling"] = round(check_rope(config, model, prompt, logits), 4)
    if use_llama_cpp:
        case["llama_cpp_max_diff"], case["llama_cpp_rms_diff"] = llama_cpp_distance(path, prompt, logits)
    print(f"{path.stat().st_size:7} bytes  {case}", flush=True)
    return case | {"positions": positions, "prompt": prompt}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--no-llama-cpp", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    names = [args.only] if args.only else list(CASES)
    cases = [make_case(name, args.out, args.seed, not args.no_llama_cpp) for name in names]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (args.out / "goldens.json").write_text(f'{{"cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
