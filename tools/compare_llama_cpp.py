#!/usr/bin/env python3
"""Compares llama.cpp's greedy text on the tiny models in tests/data/arch with that of the goldens. See --help.

Every model.gguf there is loaded in llama.cpp and continued greedily from the golden's prompt. The result is stored in
golden.json as "llama_cpp" (or the reason for a difference as "llama_cpp_differs"), and architectures_test compares ogas
with it. Needs: llama-cpp-python numpy
"""
import argparse
import json
import pathlib
import subprocess
import sys

import llama_cpp_peer as peer

ROOT = pathlib.Path(__file__).resolve().parent.parent / "tests/data/arch"


def continue_greedily(model, prompt, n, batch=None):
    context = peer.Context(model, n_ctx=256, kv="f32")
    logits = context.eval(prompt, batch, last_only=True)
    tokens = []
    for _ in range(n):
        tokens.append(int(logits[0].argmax()))
        logits = context.eval(tokens[-1:], last_only=True)
    context.close()
    return tokens


# Models for which llama.cpp differs, and why, as seen with llama-cpp-python 0.3.36.
KNOWN = {
    "deepseek_v2": "llama.cpp chooses V2's groups of experts as V3's, by the sum of their two best; published is the best alone",
    "deepseek_v2_lite": "llama.cpp knows V2-Lite by its 27 layers; with fewer it wants q_lora_rank",
    "deepseek_v32": "llama.cpp rotates the indexer's keys by a matrix that this shape is too odd for, and aborts",
    "qwen3_next": "llama.cpp takes keys and values of linear layers to be of one size",
    "qwen3_5_text": "llama.cpp takes keys and values of linear layers to be of one size",
    "gpt_oss_mxfp4": "llama.cpp rounds activations to 8 bits",
}


def compare(path):
    """In a process of its own, since llama.cpp may abort: prints a JSON object."""
    golden = json.loads((path.parent / "golden.json").read_text())
    model = peer.Model(path)
    n = len(golden["greedy"])
    print(json.dumps({"whole": continue_greedily(model, golden["prompt"], n),
                      "single": continue_greedily(model, golden["prompt"], n, batch=1)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="store the result of llama.cpp in golden.json")
    parser.add_argument("--one", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return compare(args.one)
    n_different = 0
    for path in sorted(ROOT.glob("*/model.gguf")):
        name, golden_path = path.parent.name, path.parent / "golden.json"
        golden = json.loads(golden_path.read_text())
        golden.pop("llama_cpp", None)
        if name in KNOWN:
            golden["llama_cpp_differs"] = KNOWN[name]
            print(f"{name:20} not compared: {KNOWN[name]}")
        else:
            done = subprocess.run([sys.executable, __file__, "--one", path], capture_output=True, text=True)
            if done.returncode != 0:
                print(f"{name:20} FAILED: {done.stderr.strip().splitlines()[-1]}")
                n_different += 1
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            same = found["whole"] == golden["greedy"]
            n_different += not same
            golden["llama_cpp"] = found["whole"]
            itself = "" if found["whole"] == found["single"] else ", and llama.cpp from itself"
            print(f"{name:20} {'same' if same else 'DIFFERENT'}{itself}")
        if args.write:
            golden_path.write_text(json.dumps(golden) + "\n")
    return n_different > 0


if __name__ == "__main__":
    sys.exit(main())
