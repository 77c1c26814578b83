#!/usr/bin/env python3
"""ERNIE 4.5 with its MTP head, in plain torch: an oracle, slow and without a cache.

  ernie_mtp_oracle.py FOLDER TOKENS OUT.npy     TOKENS: 1,2,3; row i of OUT: logits of the MTP head once token i + 1 is known

Written from what Baidu's training code does (PaddlePaddle/ERNIE, ernie/modeling_moe.py, and PyPI paddleformers 1.2.0,
transformers/ernie4_5_moe/modeling.py), which is what the head was trained with:
- it reads the hidden states of the last layer from before the final norm, normed by its own mtp_hidden_norm;
- the projection's input is [normed embedding of the following token, normed hidden state];
- the block is a dense layer (intermediate_size), with attention among the head's own states, position t + 1 for row t;
- embeddings, final norm (model.norm) and lm_head are the main model's.
vLLM's ernie_mtp.py feeds states from after the final norm, skips that norm before lm_head and zeroes the embedding at
position 0; transformers has no head for this family. Neither is followed here.
Needs: torch numpy safetensors
"""
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import load_file


def rms_norm(x, weight, eps):
    return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def rotate(x, positions, base):
    """x [heads, tokens, dim]: neighbouring dimensions are a pair."""
    dim = x.shape[-1]
    angles = positions[:, None] * base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    cos, sin = angles.cos().float(), angles.sin().float()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class Ernie:
    def __init__(self, config, weights):
        self.c, self.w = config, {name: tensor.float() for name, tensor in weights.items()}

    def linear(self, name, x):
        return x @ self.w[name + ".weight"].T

    def norm(self, name, x):
        return rms_norm(x, self.w[name + ".weight"], self.c["rms_norm_eps"])

    def attention(self, name, x, positions):
        c, n = self.c, x.shape[0]
        n_head, n_kv, dim = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        def heads(part, count):
            return self.linear(f"{name}.{part}_proj", x).view(n, count, dim).transpose(0, 1)
        q = rotate(heads("q", n_head), positions, c["rope_theta"])
        k = rotate(heads("k", n_kv), positions, c["rope_theta"]).repeat_interleave(n_head // n_kv, 0)
        v = heads("v", n_kv).repeat_interleave(n_head // n_kv, 0)
        scores = (q @ k.transpose(1, 2)) * dim ** -0.5
        scores = scores.masked_fill(torch.ones(n, n).triu(1).bool(), float("-inf"))
        return self.linear(name + ".o_proj", (scores.softmax(-1) @ v).transpose(0, 1).reshape(n, n_head * dim))

    def gated(self, name, x):
        return self.linear(name + ".down_proj", torch.nn.functional.silu(self.linear(name + ".gate_proj", x)) *
                           self.linear(name + ".up_proj", x))

    def experts(self, name, x):
        probabilities = self.linear(name + ".gate", x).softmax(-1)
        chosen = (probabilities + self.w[name + ".moe_statics.e_score_correction_bias"].reshape(-1)).topk(self.c["moe_k"], -1).indices
        shares = probabilities.gather(-1, chosen)
        shares = shares / shares.sum(-1, keepdim=True)
        y = self.gated(name + ".shared_experts", x) if self.c["moe_num_shared_experts"] else torch.zeros_like(x)
        for t in range(x.shape[0]):
            for share, expert in zip(shares[t], chosen[t]):
                y[t] += share * self.gated(f"{name}.experts.{int(expert)}", x[t])
        return y

    def layer(self, name, x, positions):
        x = x + self.attention(name + ".self_attn", self.norm(name + ".input_layernorm", x), positions)
        y = self.norm(name + ".post_attention_layernorm", x)
        is_dense = name + ".mlp.gate_proj.weight" in self.w
        return x + (self.gated if is_dense else self.experts)(name + ".mlp", y)

    def logits(self, hidden):
        head = "model.embed_tokens" if self.c["tie_word_embeddings"] else "lm_head"
        return self.linear(head, self.norm("model.norm", hidden))

    def hidden(self, tokens):
        """[n, hidden_size] as the last layer leaves them."""
        x, positions = self.w["model.embed_tokens.weight"][tokens], torch.arange(len(tokens), dtype=torch.float64)
        for layer in range(self.c["num_hidden_layers"]):
            x = self.layer(f"model.layers.{layer}", x, positions)
        return x

    def mtp_logits(self, hidden, following):
        """Of the token after `following`: row t has seen tokens 0..t and following[t]."""
        embeddings = self.w["model.embed_tokens.weight"][following]
        both = [self.norm("model.mtp_emb_norm.0", embeddings), self.norm("model.mtp_hidden_norm.0", hidden)]
        x = self.linear("model.mtp_linear_proj.0", torch.cat(both, -1))
        return self.logits(self.layer("model.mtp_block.0", x, torch.arange(1, len(following) + 1, dtype=torch.float64)))


def main():
    folder, tokens, out = pathlib.Path(sys.argv[1]), torch.tensor([int(t) for t in sys.argv[2].split(",")]), sys.argv[3]
    model = Ernie(json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors"))
    np.save(out, model.mtp_logits(model.hidden(tokens[:-1]), tokens[1:]).numpy().astype("<f4"))


if __name__ == "__main__":
    main()
