#!/usr/bin/env python3
"""How long a person waits for the default model, and how much memory it takes: the targets of the first release.

    bench/first_answer.py [--ogas build/release/ogas] [--runs 10] [--quick]

First token: from the start of the process, for a short question; target under 0.5 s. Memory: the peak of a run that fills
its context of 2,048 positions; target under the file's size + 60 MB. Printed are medians and the range. Exit status 1 if a
target is missed. --quick asks once, fills a context of 256, and does not check the time. Needs the default model
(tools/get_default_model).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

def run(ogas, arguments, prompt):
    command = [ogas, "run", "--json", "--seed", "1", *arguments, "--prompt", prompt]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ogas", default="build/release/ogas")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    n_ctx = 256 if args.quick else 2048
    if args.quick:
        args.runs = 1
    waits = sorted(run(args.ogas, ["-n", "4"], "Why is the sky blue?")["timings"]["first_token_s"] for _ in range(args.runs))
    wait = statistics.median(waits)
    print(f"first token   {wait:.3f} s ({waits[0]:.3f} to {waits[-1]:.3f}); target 0.5 s")

    file_bytes = json.loads(subprocess.run([args.ogas, "inspect", "--json"], capture_output=True, check=True).stdout)["bytes"]
    words = "The quick brown fox jumps over the lazy dog near the river bank while the sun sets. " * 200
    full = run(args.ogas, ["--ctx", str(n_ctx), "-n", str(n_ctx), "--ignore-eos"], words[:800 if args.quick else 9000])
    held = full["prompt_tokens"] + full["completion_tokens"] - 1
    target = file_bytes + 60_000_000
    print(f"peak memory   {full['peak_rss_bytes'] / 1e6:.1f} MB at {held} positions; target {target / 1e6:.1f} MB "
          f"(file {file_bytes / 1e6:.1f} MB); prefill {full['timings']['prefill_tokens_per_s']:.0f}, "
          f"decode {full['timings']['decode_tokens_per_s']:.0f} tok/s on {os.cpu_count()} processors")
    assert held == n_ctx, held
    return (wait > 0.5 and not args.quick) or full["peak_rss_bytes"] > target


if __name__ == "__main__":
    sys.exit(main())
