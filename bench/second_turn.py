#!/usr/bin/env python3
"""How long the second turn of a long conversation takes to its first token: cold, from memory, after a restart. See --help.

    bench/second_turn.py [--model FILE] [--tokens 4000] [--new 96] [--rounds 3] [--quick]

Without --model it is a synthetic Qwen3-Next of four layers (2.6 GB, `ogas synth`), whose gated DeltaNet continues from snapshots
of its states. The second turn has --tokens tokens, of which the last --new are an answer and a message that the first turn did
not have: the answer counts as another one than was generated, as where a template leaves reasoning out. Cold is a server that
knows nothing. Greedy answers have to be the same on all three. Targets: 5 % of the cold time from memory, 15 % after a restart;
exit code 1 where one is missed, or an answer differs. --quick compares no time with its target.
"""
import argparse
import json
import os
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from serving import ROOT, serving

SHAPE = "qwen3-next-80b-a3b"
TARGETS = {"memory": 0.05, "restart": 0.15}


def ask(port, prompt, n_tokens=16):
    """Seconds to the first token, the answer's text, and how many tokens of the prompt were not computed."""
    body = json.dumps({"prompt": prompt, "max_tokens": n_tokens, "temperature": 0, "ignore_eos": True, "stream": True,
                       "stream_options": {"include_usage": True}}).encode()
    start, first, data = time.monotonic(), None, b""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        while part := connection.recv(65536):
            data += part
            if first is None and b"data: {" in data:
                first = time.monotonic() - start
    events = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: {")]
    text = "".join(choice["text"] for event in events for choice in event["choices"])
    usage = next(event["usage"] for event in events if event.get("usage"))
    return first, text, usage["prompt_tokens_details"]["cached_tokens"]


def conversations(arguments, n_vocab=30000):
    """Prompts of a first and a second turn. Lengths differ a little, as snapshots are at the ends of pages."""
    for idx in range(arguments.rounds):
        rng = random.Random(idx)
        tokens = [rng.randrange(256, n_vocab) if n_vocab > 1000 else rng.randrange(n_vocab)
                  for _ in range(arguments.tokens + 21 * idx)]
        yield tokens[:len(tokens) - arguments.new], tokens


def run(arguments, model, folder):
    talks = list(conversations(arguments, arguments.vocabulary))
    times, cached, texts = {}, {}, {}

    def second_turns(source, port):
        results = [ask(port, second) for _, second in talks]
        times[source], texts[source], cached[source] = ([result[idx] for result in results] for idx in range(3))

    kept = {"options": ("--prefix-cache", "8GB"), "env": {**os.environ, "XDG_CACHE_HOME": str(folder)}}
    with serving(arguments.ogas, model) as port:
        ask(port, [1, 2, 3])  # for warming up
        second_turns("cold", port)
    with serving(arguments.ogas, model, **kept) as port:
        for first, _ in talks:
            ask(port, first, 1)
    with serving(arguments.ogas, model, **kept) as port:
        second_turns("restart", port)
    with serving(arguments.ogas, model) as port:
        for first, _ in talks:
            ask(port, first, 1)
        second_turns("memory", port)
    return times, cached, texts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--ogas", type=pathlib.Path, default=ROOT / "build/release/ogas")
    parser.add_argument("--vocabulary", type=int, default=30000, help="tokens that prompts are made of")
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--new", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or pathlib.Path(folder) / "model.gguf"
        if not arguments.model:
            subprocess.run([arguments.ogas, "synth", SHAPE, model, "--layers", "4"], check=True, stdout=subprocess.DEVNULL)
        times, cached, texts = run(arguments, model, pathlib.Path(folder) / "cache")
    cold = statistics.median(times["cold"])
    print(f"cold      {cold:8.3f} s for {arguments.tokens} tokens and a few")
    is_missed = False
    for source, target in TARGETS.items():
        ratios = [time / cold for time, cold in zip(times[source], times["cold"], strict=True)]
        ratio = statistics.median(ratios)
        is_missed |= ratio > target
        print(f"{source:9} {statistics.median(times[source]):8.3f} s, {100 * ratio:.1f} % ({100 * min(ratios):.1f} to "
              f"{100 * max(ratios):.1f}); target {100 * target:.0f} %; cached {cached[source]}")
    are_same = texts["memory"] == texts["restart"] == texts["cold"]
    print(f"answers are {'the same' if are_same else 'NOT the same'}")
    return not are_same or (is_missed and not arguments.quick)


if __name__ == "__main__":
    sys.exit(main())
