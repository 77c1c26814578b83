#!/usr/bin/env python3
"""What speed costs in quality: compares logits of the fast kernels with those of the reference. See --help.

    bench/quality.py MODEL... [--text FILE | --tokens N] [--kv-types q8_0 q4_0] [--llama-cpp]

For each model the same tokens go through the reference (OGAS_ISA=reference: F32 throughout, nothing rounded to 8 bits) and
through the instruction set of this machine, or OGAS_ISA's. The KV cache is F32 unless --kv-types says otherwise. Printed
are the KL divergence of the logits' distributions (reference against the other; mean, and maximum over tokens), how often
the most probable token is the same, and with a text the perplexity of both. --llama-cpp adds llama.cpp, which rounds
activations to 8 bits, too. Without a text the tokens are spread over the vocabulary, which is enough for random weights.
The reference is slow: about a second a token for each two billion weights.
Needs: numpy (and llama-cpp-python)
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
sys.path.insert(0, str(ROOT / "tools"))
from compare_logits import divergence, log_softmax  # noqa: E402
from peers import make_tokens  # noqa: E402


def logits_of(ogas, model, tokens, kv_type="f32", isa=None):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "logits.npy"
        environment = dict(os.environ)
        if isa:
            environment["OGAS_ISA"] = isa
        subprocess.run([ogas, "logits", model, "--tokens", "-", "--out", out, "--kv-cache-type", kv_type, "--ctx",
                        str(len(tokens))], input=",".join(map(str, tokens)), text=True, check=True,
                       stdout=subprocess.DEVNULL, env=environment)
        return log_softmax(np.load(out))


def logits_of_llama_cpp(model, tokens):
    import llama_cpp_peer as peer
    # Weights as they are in the file: repacked ones are as exact, but crash for some shapes (0.3.36, Gemma 3 270M).
    model = peer.Model(str(model), repacks=False)
    context = peer.Context(model, n_ctx=len(tokens), n_batch=512, n_threads=os.cpu_count())
    return log_softmax(context.eval(tokens))


def tokens_of(ogas, model, args):
    if args.text:
        ids = subprocess.run([ogas, "tokenize", model, "--add-special"], stdin=args.text.open("rb"), capture_output=True, check=True)
        return [int(token) for token in ids.stdout.decode().strip().strip("[]").split(",")]
    facts = subprocess.run([ogas, "inspect", model, "--json"], capture_output=True, check=True, text=True)
    return make_tokens(args.tokens, json.loads(facts.stdout)["model"]["vocabulary"])


def perplexity(log_p, tokens):
    return float(np.exp(-log_p[np.arange(len(tokens) - 1), tokens[1:]].mean()))


def row(name, reference, other, tokens, with_text):
    kl = divergence(reference, other)
    same = (reference.argmax(axis=1) == other.argmax(axis=1)).mean()
    text = f"| {name} | {kl.mean():.2e} | {kl.max():.2e} | {100 * same:.1f}% |"
    if with_text:
        mine, theirs = perplexity(other, tokens), perplexity(reference, tokens)
        text += f" {mine:.4f} ({100 * (mine / theirs - 1):+.3f}%) |"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", type=pathlib.Path)
    parser.add_argument("--ogas", type=pathlib.Path, default=ROOT / "build/release/ogas")
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--tokens", type=int, default=24, help="number of tokens, without a text")
    parser.add_argument("--kv-types", nargs="*", default=[], choices=["f16", "bf16", "q8_0", "q4_0"])
    parser.add_argument("--llama-cpp", action="store_true")
    args = parser.parse_args()
    for model in args.models:
        tokens = tokens_of(args.ogas, model, args)
        reference = logits_of(args.ogas, model, tokens, isa="reference")
        print(f"{model.name}, {len(tokens)} tokens" +
              (f", perplexity of the reference {perplexity(reference, tokens):.4f}" if args.text else ""))
        print("| compared with the reference | KL, mean | KL, largest | same top token |" + (" perplexity |" if args.text else ""))
        print("|---|---|---|---|" + ("---|" if args.text else ""))
        for kv_type in ["f32", *args.kv_types]:
            other = logits_of(args.ogas, model, tokens, kv_type)
            print(row(f"ogas, KV cache in {kv_type}", reference, other, tokens, args.text), flush=True)
        if args.llama_cpp:
            print(row("llama.cpp", reference, logits_of_llama_cpp(model, tokens), tokens, args.text), flush=True)
        print()


if __name__ == "__main__":
    main()
