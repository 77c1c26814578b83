#!/usr/bin/env python3
"""Checks that llama.cpp loads what `ogas synth` writes, and computes the same. See --help.

Each shape is cut to a few layers and written to a temporary folder. Both programs continue the same token ids greedily, with
the KV cache in F32. The first logits are compared by KL divergence. Both round activations to 8 bits, each in its own way,
so greedy tokens may differ where two are nearly as probable. Fails if the divergence is 2e-3 or more.
Needs: llama-cpp-python numpy
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

PROMPT = [300, 1200, 77, 5000, 4321, 999, 20000, 31, 640, 7777]
# llama.cpp recognises V2-Lite by its 27 layers; with fewer it expects a q_lora_rank.
WHOLE_ONLY = {"deepseek-v2-lite": 27}


def logits_of_ogas(binary, path, tokens, folder):
    import numpy as np
    out = pathlib.Path(folder) / "logits.npy"
    subprocess.run([binary, "logits", path, "--tokens", ",".join(map(str, tokens)), "--out", out, "--ctx", "512"],
                   check=True, capture_output=True)
    return np.load(out)[-1]


def compare(binary, shape, args):
    import llama_cpp_peer as peer
    from compare_logits import divergence, log_softmax
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = f"{folder}/{shape}.gguf"
        layers = WHOLE_ONLY.get(shape, args.layers)
        subprocess.run([binary, "synth", shape, path, "--layers", str(layers), "--type", args.type], check=True,
                       capture_output=True)
        model = peer.Model(path)
        context = peer.Context(model, n_ctx=512, kv="f32")
        theirs = context.eval(PROMPT, last_only=True)[0]
        tokens, first, n_same = list(PROMPT), None, 0
        for _ in range(args.tokens):
            ours = logits_of_ogas(binary, path, tokens, folder)
            first = first if first is not None else (float(divergence(log_softmax(ours), log_softmax(theirs))), float(ours.std()))
            n_same += int(ours.argmax() == theirs.argmax())
            tokens.append(int(ours.argmax()))
            theirs = context.eval(tokens[-1:], last_only=True)[0]
        context.close()
        model.close()
    print(f"{shape:20} {layers:2} layers: {n_same}/{args.tokens} greedy tokens the same, KL divergence {first[0]:.2e}, "
          f"logits deviate by {first[1]:.2f}", flush=True)
    return first[0] < 2e-3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", help="default: all of which a few layers fit into 3 GB")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--type", default="q4_k_m")
    parser.add_argument("--tokens", type=int, default=6, help="number of tokens compared")
    parser.add_argument("--folder", help="for temporary files")
    parser.add_argument("--binary", default=str(ROOT / "build/release/ogas"))
    args = parser.parse_args()
    try:
        import llama_cpp  # noqa: F401
        import numpy  # noqa: F401
    except ImportError as error:
        sys.exit(f"{error}; pip install llama-cpp-python numpy")
    shapes = args.shapes or ["llama-3.1-8b", "qwen3-0.6b", "qwen3-8b", "qwen3-30b-a3b", "ernie-4.5-21b-a3b",
                             "seed-oss-36b", "yi-34b"]
    same = [compare(args.binary, shape, args) for shape in shapes]
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
