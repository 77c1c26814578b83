#!/usr/bin/env python3
"""Embeddings of tiny models by transformers: AutoModel's last_hidden_state of each golden's prompt, pooled.

  make_embedding_goldens.py [ARCH_DIR]

Writes NAME/embeddings.npy next to the goldens of make_arch_goldens.py: float32 [3, hidden_size], of the last token, the
mean of all, and the first token; not normalized. Needs: transformers>=5 torch numpy
"""
import json
import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
import transformers

# Attention that is grouped, that has a head dimension of its own, that is latent, or that alternates with recurrent layers;
# dense and with experts.
CASES = ("llama", "qwen3", "qwen3_moe", "deepseek_v2", "qwen3_next")


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/data/arch")
    torch.set_num_threads(1)
    for name in CASES:
        model = transformers.AutoModel.from_pretrained(out / name, attn_implementation="eager", dtype=torch.float32,
                                                       experts_implementation="eager").eval()
        prompt = torch.tensor([json.loads((out / name / "golden.json").read_text())["prompt"]])
        with torch.no_grad():
            hidden = model(prompt, use_cache=False).last_hidden_state[0].double().numpy()
        pooled = np.stack([hidden[-1], hidden.mean(0), hidden[0]])
        np.save(out / name / "embeddings.npy", pooled.astype("<f4"))
        print(f"{name:12} {hidden.shape}, deviation {hidden.std():.3f}", flush=True)


if __name__ == "__main__":
    main()
