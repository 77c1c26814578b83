#!/usr/bin/env python3
"""Compares ogas's tokenizer with PyPI tokenizers on N texts each, in both directions. See --help.

    tools/get_tokenizers                 prints the folder of the published tokenizer.json files
    tools/compare_tokenizers.py          all of them, 100,000 texts each (needs PyPI tokenizers; about 5 minutes)
    tools/compare_tokenizers.py --gguf   the same through GGUF metadata as converters write it (needs PyPI gguf)
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402

from tokenizer_texts import texts  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHUNK = 5000


# Of the byte-level ones.
PRE_NAMES = {"deepseek_v3": "deepseek-v3", "gpt4o": "gpt-4o", "gptoss": "gpt-4o", "llama3_1": "llama-bpe", "qwen3": "qwen2"}


def write_gguf(model, path):
    """The tokenizer as GGUF holds it; special tokens as control, other added ones as user-defined."""
    import gguf
    value = json.loads(model.read_text(encoding="utf-8"))
    added = {t["id"]: t for t in value["added_tokens"]}
    by_id = {i: t for t, i in value["model"]["vocab"].items()} | {i: t["content"] for i, t in added.items()}
    kinds = [5 if i not in by_id else 1 if i not in added else 3 if added[i]["special"] else 4 for i in range(max(by_id) + 1)]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_NAMES[model.parent.name])
    writer.add_token_list([by_id.get(i, f"[PAD{i}]") for i in range(len(kinds))])
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in value["model"]["merges"]])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def run_ogas(program, model, values, *flags):
    done = subprocess.run([program, "tokenize", str(model), "--batch", *flags], input=json.dumps(values).encode(),
                          capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    return json.loads(done.stdout)


class Comparison:
    def __init__(self, program, model, oracle, limit=5):
        self.program, self.model, self.limit = program, model, limit
        self.oracle = tokenizers.Tokenizer.from_file(str(oracle))
        self.has_byte_tokens = bool(json.loads(oracle.read_text(encoding="utf-8"))["model"].get("byte_fallback"))
        self.n_differences = 0

    def report(self, what, text, expected, found):
        self.n_differences += 1
        if self.n_differences <= self.limit:
            print(f"  {what} differs for {text!a}\n    tokenizers {expected!a}\n    ogas       {found!a}")

    def encode(self, values, special):
        self.oracle.encode_special_tokens = not special
        expected = [e.ids for e in self.oracle.encode_batch(values, add_special_tokens=False)]
        found = run_ogas(self.program, self.model, values, *(["--special"] if special else []))
        for text, a, b in zip(values, expected, found, strict=True):
            if a != b:
                self.report("encoding" + (" with special tokens" if special else ""), text, a, b)
        return expected

    def decode(self, values):
        expected = self.oracle.decode_batch(values, skip_special_tokens=False)
        found = run_ogas(self.program, self.model, values, "--decode")
        for ids, a, b in zip(values, expected, found, strict=True):
            if a != b:
                self.report("decoding", ids, a, b)

    def run(self, values):
        for begin in range(0, len(values), CHUNK):
            part = values[begin:begin + CHUNK]
            ids = self.encode(part, special=True)
            self.encode(part, special=False)
            self.decode(ids)
            # Also ids that no text gives, and that cut characters in half. Not those of byte tokens: tokenizers makes
            # each byte of a run an error if one is, which it can only know at the run's end, and ogas streams.
            if not self.has_byte_tokens:
                self.decode([one[1::2] for one in ids])
        return self.n_differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizers", nargs="*", type=pathlib.Path, help="tokenizer.json files")
    parser.add_argument("-n", type=int, default=100_000, help="texts for each (default 100000)")
    parser.add_argument("--gguf", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ogas", default=str(ROOT / "build/release/ogas"))
    arguments = parser.parse_args()
    models = arguments.tokenizers
    if not models:
        folder = subprocess.run([ROOT / "tools/get_tokenizers"], check=True, capture_output=True, text=True).stdout.strip()
        models = sorted(pathlib.Path(folder).glob("*/tokenizer.json"))
        if arguments.gguf:
            models = [model for model in models if model.parent.name in PRE_NAMES]
    values = texts(arguments.n, arguments.seed)
    n_all = 0
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            opened = model
            if arguments.gguf:
                opened = pathlib.Path(folder) / "tokenizer.gguf"
                write_gguf(model, opened)
            n_differences = Comparison(arguments.ogas, opened, model).run(values)
        n_all += n_differences
        print(f"{model}: {len(values)} texts, {n_differences} differences", flush=True)
    return 1 if n_all else 0


if __name__ == "__main__":
    sys.exit(main())
