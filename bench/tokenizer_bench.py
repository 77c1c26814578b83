#!/usr/bin/env python3
"""Compares ogas's tokenizer with PyPI tokenizers on one thread, interleaved. Figures are processor time.

    ninja -C build/release tokenizer_bench
    bench/tokenizer_bench.py TOKENIZER_JSON... [--text FILE...] [--quick]    (needs PyPI tokenizers)

For each tokenizer.json: the time to open it, then each text of 1 MB (random writing and code without --text) encoded whole
and line by line, and lengths of 256 KB, 1 MB and 4 MB for the growth of time. A ratio of 2 means that ogas takes half the
time. Each figure is the minimum of five rounds. --quick: one round, and a sixteenth of each length.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from tokenizer_texts import CODE, WRITING, texts  # noqa: E402

ROUNDS = 5
MB = 1 << 20


class Ogas:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        ns, answer = self.process.stdout.readline().split()
        return int(ns) / 1e9, int(answer)


def timed(function):
    start = time.thread_time()
    result = function()
    return time.thread_time() - start, result


def fill(text, n_bytes):
    data = text.encode() or b"a"
    return (data * (n_bytes // len(data) + 1))[:n_bytes].decode(errors="ignore")


def sources(paths):
    if paths:
        return {p.name: p.read_text(errors="ignore") for p in paths}
    return {"writing": "\n".join(WRITING) + "\n", "code": "".join(CODE), "random": "\n".join(texts(5000, 7)[25:]),
            "one letter": "a", "spaces": " "}


def compare(ogas, oracle, text, folder, rounds):
    path = folder / "text"
    path.write_bytes(text.encode())
    ogas.ask(f"text {path}")
    lines = text.splitlines(keepends=True)
    ours, theirs, ours_lines, theirs_lines = [], [], [], []
    for _ in range(rounds):
        seconds, n_tokens = ogas.ask("encode")
        ours.append(seconds)
        seconds, encoding = timed(lambda: oracle.encode(text, add_special_tokens=False))
        theirs.append(seconds)
        if len(encoding.ids) != n_tokens:
            sys.exit(f"{n_tokens} tokens instead of {len(encoding.ids)}")
        if len(lines) > 1:
            ours_lines.append(ogas.ask("lines")[0])
            theirs_lines.append(timed(lambda: oracle.encode_batch_fast(lines, add_special_tokens=False))[0])
    def shown(a, b):
        return f"{min(a) * 1e3:8.1f} ms, tokenizers {min(b) * 1e3:8.1f} ms, ratio {min(b) / min(a):5.1f}" if a else "-"
    return f"whole {shown(ours, theirs)};  lines {shown(ours_lines, theirs_lines)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--text", nargs="*", type=pathlib.Path, default=[])
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/bench/tokenizer_bench")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    rounds, megabyte = (1, MB // 16) if arguments.quick else (ROUNDS, MB)
    ogas = Ogas(arguments.program)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for model in arguments.models:
            print(f"{model}, {model.stat().st_size / MB:.1f} MB")
            opened = [ogas.ask(f"open {model}")[0] for _ in range(rounds)]
            seconds, oracle = timed(lambda: tokenizers.Tokenizer.from_file(str(model)))
            print(f"  open: {min(opened) * 1e3:.0f} ms, first time {opened[0] * 1e3:.0f} ms; "
                  f"tokenizers {seconds * 1e3:.0f} ms")
            oracle.encode_special_tokens = True
            for source, text in sources(arguments.text).items():
                print(f"  {source:12} {compare(ogas, oracle, fill(text, megabyte), folder, rounds)}", flush=True)
            for source in list(sources(arguments.text).items()):
                growth = []
                for n_bytes in (megabyte // 4, megabyte, 4 * megabyte):
                    (folder / "text").write_bytes(fill(source[1], n_bytes).encode())
                    ogas.ask(f"text {folder / 'text'}")
                    growth.append(min(ogas.ask("encode")[0] for _ in range(3)))
                print(f"  {source[0]:12} {megabyte >> 12}, {megabyte >> 10}, {megabyte >> 8} KB: " + ", ".join(f"{s * 1e3:.1f} ms" for s in growth), flush=True)


if __name__ == "__main__":
    main()
