#!/usr/bin/env python3
"""DeepSeek-V3.2 with its lightning indexer and MTP head, in plain torch: an oracle, slow and without a cache.

  deepseek_v32_oracle.py FOLDER TOKENS OUT.npy [--mtp]     TOKENS: 1,2,3

Written from the published inference code (deepseek-ai/DeepSeek-V3.2-Exp, inference/model.py, as of 2025-11-17, when the
rotation of the indexer was corrected: halves, where attention rotates neighbours), without its FP8 and without the
Hadamard rotation before it, which changes no product. Its MTP layer is that of V3 (technical report, 2.2).
Positions are chosen by comparing numbers. If the last one chosen and the first one left out are nearly equal, any two
programs may differ. ReLU makes exact ties likely: a position that no head looks at scores 0. `margin` is the smallest gap
seen; goldens with a tiny margin prove nothing.
Needs: torch numpy safetensors
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import load_file


def frequencies(c):
    """Radians a position of each rotated pair, by YaRN (Peng et al. 2023)."""
    dim, base, s = c["qk_rope_head_dim"], c["rope_theta"], c["rope_scaling"]
    plain = base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    if not s:
        return plain
    def pair(turns):
        return dim * math.log(s["original_max_position_embeddings"] / (turns * 2 * math.pi)) / (2 * math.log(base))
    low, high = max(math.floor(pair(s["beta_fast"])), 0), min(math.ceil(pair(s["beta_slow"])), dim - 1)
    ramp = ((torch.arange(dim // 2, dtype=torch.float64) - low) / max(high - low, 0.001)).clamp(0, 1)
    return plain / s["factor"] * ramp + plain * (1 - ramp)


def rotate(x, angles, is_interleaved):
    """The dimensions of x [heads, tokens, dim], angles [tokens, dim / 2]."""
    cos, sin = angles.cos().float(), angles.sin().float()
    a, b = (x[..., 0::2], x[..., 1::2]) if is_interleaved else x.chunk(2, -1)
    rotated = a * cos - b * sin, a * sin + b * cos
    return torch.stack(rotated, -1).flatten(-2) if is_interleaved else torch.cat(rotated, -1)


class DeepSeekV32:
    def __init__(self, config, weights):
        self.c, self.w = config, {name: tensor.float() for name, tensor in weights.items()}
        self.margin = math.inf
        s = config["rope_scaling"]
        mscale = 0.1 * s["mscale_all_dim"] * math.log(s["factor"]) + 1 if s else 1
        self.scale = (config["qk_nope_head_dim"] + config["qk_rope_head_dim"]) ** -0.5 * mscale ** 2

    def linear(self, name, x):
        return x @ self.w[name + ".weight"].T

    def norm(self, name, x):
        return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + self.c["rms_norm_eps"]) * self.w[name + ".weight"]

    def hidden_positions(self, name, x, q_lora, angles):
        """[n, n], true where a token (row) does not attend."""
        c, n, n_rot = self.c, x.shape[0], self.c["qk_rope_head_dim"]
        n_head, dim, top_k = c["index_n_heads"], c["index_head_dim"], c["index_topk"]
        def rotate_first(heads):
            return torch.cat([rotate(heads[..., :n_rot], angles, False), heads[..., n_rot:]], -1)
        q = rotate_first(self.linear(name + ".wq_b", q_lora).view(n, n_head, dim).transpose(0, 1))
        k = torch.nn.functional.layer_norm(self.linear(name + ".wk", x), (dim,), self.w[name + ".k_norm.weight"],
                                           self.w[name + ".k_norm.bias"], 1e-6)
        k = rotate_first(k[None])
        weights = self.linear(name + ".weights_proj", x) * n_head ** -0.5 * dim ** -0.5
        scores = torch.einsum("th,htp->tp", weights, torch.relu(q @ k.transpose(1, 2)))
        hidden = torch.ones(n, n, dtype=torch.bool).triu(1)
        for t in range(top_k, n):
            best = scores[t, :t + 1].sort(descending=True, stable=True)
            self.margin = min(self.margin, float(best.values[top_k - 1] - best.values[top_k]))
            hidden[t, best.indices[top_k:]] = True
        return hidden

    def attention(self, name, x, positions):
        c, n, n_head = self.c, x.shape[0], self.c["num_attention_heads"]
        nope, n_rot, v_dim = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
        angles = positions[:, None] * frequencies(c)
        q_lora = self.norm(name + ".q_a_layernorm", self.linear(name + ".q_a_proj", x))
        q = self.linear(name + ".q_b_proj", q_lora).view(n, n_head, nope + n_rot).transpose(0, 1)
        q = torch.cat([q[..., :nope], rotate(q[..., nope:], angles, True)], -1)
        latent, k_rot = self.linear(name + ".kv_a_proj_with_mqa", x).split([c["kv_lora_rank"], n_rot], -1)
        kv = self.linear(name + ".kv_b_proj", self.norm(name + ".kv_a_layernorm", latent))
        k, v = kv.view(n, n_head, nope + v_dim).transpose(0, 1).split([nope, v_dim], -1)
        k = torch.cat([k, rotate(k_rot[None], angles, True).expand(n_head, -1, -1)], -1)
        scores = (q @ k.transpose(1, 2)) * self.scale
        scores = scores.masked_fill(self.hidden_positions(name + ".indexer", x, q_lora, angles), float("-inf"))
        return self.linear(name + ".o_proj", (scores.softmax(-1) @ v).transpose(0, 1).reshape(n, n_head * v_dim))

    def gated(self, name, x):
        return self.linear(name + ".down_proj", torch.nn.functional.silu(self.linear(name + ".gate_proj", x)) *
                           self.linear(name + ".up_proj", x))

    def experts(self, name, x):
        c, n = self.c, x.shape[0]
        probabilities = self.linear(name + ".gate", x).sigmoid()
        biased = probabilities + self.w[name + ".gate.e_score_correction_bias"]
        groups = biased.view(n, c["n_group"], -1)
        used = groups.topk(2, -1).values.sum(-1).topk(c["topk_group"], -1).indices
        is_out = torch.ones(n, c["n_group"], dtype=torch.bool).scatter(1, used, False)
        chosen = groups.masked_fill(is_out[..., None], float("-inf")).flatten(1).topk(c["num_experts_per_tok"], -1).indices
        shares = probabilities.gather(-1, chosen)
        shares = shares / shares.sum(-1, keepdim=True) * c["routed_scaling_factor"]
        y = self.gated(name + ".shared_experts", x)
        for t in range(n):
            for share, expert in zip(shares[t], chosen[t]):
                y[t] += share * self.gated(f"{name}.experts.{int(expert)}", x[t])
        return y

    def layer(self, number, x, positions):
        name = f"model.layers.{number}"
        x = x + self.attention(name + ".self_attn", self.norm(name + ".input_layernorm", x), positions)
        is_dense = number < self.c["first_k_dense_replace"]
        return x + (self.gated if is_dense else self.experts)(name + ".mlp", self.norm(name + ".post_attention_layernorm", x))

    def normed_hidden(self, tokens):
        x, positions = self.w["model.embed_tokens.weight"][tokens], torch.arange(len(tokens), dtype=torch.float64)
        for number in range(self.c["num_hidden_layers"]):
            x = self.layer(number, x, positions)
        return self.norm("model.norm", x)

    def logits(self, normed_hidden):
        return self.linear("lm_head", normed_hidden)

    def mtp_logits(self, normed_hidden, following):
        """Of the token after `following`: row t has seen tokens 0..t and following[t]."""
        number = self.c["num_hidden_layers"]
        name = f"model.layers.{number}"
        embeddings = self.w[name + ".embed_tokens.weight"][following]
        x = torch.cat([self.norm(name + ".enorm", embeddings), self.norm(name + ".hnorm", normed_hidden)], -1)
        x = self.layer(number, self.linear(name + ".eh_proj", x), torch.arange(1, len(following) + 1, dtype=torch.float64))
        return self.linear(name + ".shared_head.head", self.norm(name + ".shared_head.norm", x))


def main():
    folder, tokens, out = pathlib.Path(sys.argv[1]), torch.tensor([int(t) for t in sys.argv[2].split(",")]), sys.argv[3]
    model = DeepSeekV32(json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors"))
    is_mtp = "--mtp" in sys.argv
    hidden = model.normed_hidden(tokens[:-1] if is_mtp else tokens)
    np.save(out, (model.mtp_logits(hidden, tokens[1:]) if is_mtp else model.logits(hidden)).numpy().astype("<f4"))
    print(f"smallest margin of a choice: {model.margin:.2e}")


if __name__ == "__main__":
    main()
