#!/usr/bin/env python3
"""Holds llama.cpp's greedy text on the tiny models in tests/data/arch against the one the goldens have. See --help.

Every model.gguf there is loaded in llama.cpp and continued greedily from the golden's prompt. What it says is kept in
golden.json as "llama_cpp" (or, where llama.cpp does not know the architecture, why), and architectures_test holds ogas
to it. A step where llama.cpp's own two ways (the whole text at once, or token by token) differ is reported.
Needs: llama-cpp-python numpy
"""
import argparse
import json
import pathlib
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep what llama.cpp says in golden.json")
    args = parser.parse_args()
    n_different = 0
    for path in sorted(ROOT.glob("*/model.gguf")):
        golden_path = path.parent / "golden.json"
        golden = json.loads(golden_path.read_text())
        try:
            model = peer.Model(path)
        except RuntimeError as error:
            golden["llama_cpp"] = None
            print(f"{path.parent.name:20} not loaded: {str(error).strip().splitlines()[-1]}")
        else:
            found = continue_greedily(model, golden["prompt"], len(golden["greedy"]))
            single = continue_greedily(model, golden["prompt"], len(golden["greedy"]), batch=1)
            same = found == golden["greedy"]
            n_different += not same
            golden["llama_cpp"] = found
            print(f"{path.parent.name:20} {'same' if same else 'DIFFERENT'}{'' if found == single else ', and from itself'}")
            model.close()
        if args.write:
            golden_path.write_text(json.dumps(golden) + "\n")
    return n_different > 0


if __name__ == "__main__":
    sys.exit(main())
