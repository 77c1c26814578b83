#!/usr/bin/env python3
"""Runs a model with experts in less memory than its size, and llama.cpp with the same limit. See --help.

    bench/larger_than_memory.py --model MODEL --share 0.5 0.3 0.15 [--rounds 2] [--llama-cpp]

Each program runs alone in a memory cgroup (v1 or v2; needs root) with a share of the model's size. Its pages are dropped
from the page cache first. It computes a prompt of 512 tokens and decodes 16. Printed are medians over the rounds: the
figures, the direct rate of the disk as `ogas bench` measures it in the same round, the rate that ogas reached while it
read, the maximum of memory used, and what `ogas plan` had forecast for decoding with the same limit.

Tokens are spread over the vocabulary, and a model of `ogas synth` uses its experts nearly at random: the worst case for
any cache. Needs for --llama-cpp: llama-cpp-python numpy.
"""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

import peers

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES = (peers.PREFILL, "decode at 0")
MAX_SECONDS = 900


class Cgroup:
    """A memory limit for programs started with run()."""

    def __init__(self, limit):
        v1 = pathlib.Path("/sys/fs/cgroup/memory")
        self.is_v1 = v1.is_dir()
        self.folder = (v1 if self.is_v1 else pathlib.Path("/sys/fs/cgroup")) / f"ogas-bench-{os.getpid()}"
        self.folder.mkdir()
        (self.folder / ("memory.limit_in_bytes" if self.is_v1 else "memory.max")).write_text(str(limit))

    def run(self, command):
        procs = self.folder / "cgroup.procs"
        return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=MAX_SECONDS,
                              preexec_fn=lambda: procs.write_text(str(os.getpid())))

    def peak_bytes(self):
        return int((self.folder / ("memory.max_usage_in_bytes" if self.is_v1 else "memory.peak")).read_text())

    def close(self):
        with contextlib.suppress(OSError):
            if self.is_v1:
                (self.folder / "memory.force_empty").write_text("0")
        self.folder.rmdir()


def drop_pages(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run_limited(path, limit, command):
    """(parsed output or how it ended, maximum of bytes used)."""
    drop_pages(path)
    cgroup = Cgroup(limit)
    try:
        done = cgroup.run(command)
        if done.returncode == 0:
            return json.loads(done.stdout), cgroup.peak_bytes()
        what = "killed" if done.returncode == -9 else (done.stderr.strip() or str(done.returncode)).splitlines()[-1]
        return what, cgroup.peak_bytes()
    except subprocess.TimeoutExpired:
        return f"no end after {MAX_SECONDS} s", cgroup.peak_bytes()
    finally:
        cgroup.close()


def run_ogas(args, path, limit, figure):
    command = [args.ogas, "bench", path, "--threads", args.threads, "--ctx", 1024, "--repeat", args.repeat, "--budget",
               MAX_SECONDS, "--only", figure, "--json", *args.extra]
    return run_limited(path, limit, command)


def run_plan(args, path, limit):
    """The forecast in tokens a second, with all experts equally likely."""
    report, _ = run_limited(path, limit, [args.ogas, "plan", path, "--threads", args.threads, "--ctx", 1024, "--json"])
    return report["estimate_even_routing"]["decode_tokens_per_s"] if isinstance(report, dict) else None


def run_llama_cpp(args, path, limit):
    """With its defaults; if that is killed, with weights as they are mapped."""
    command = [sys.executable, ROOT / "bench/peers.py", "--worker", "--model", path, "--threads", args.threads, "--repeat",
               1, "--depth", 0]
    report, peak = run_limited(path, limit, command)
    return run_limited(path, limit, [*command, "--no-repack"]) if isinstance(report, str) else (report, peak)


def measure(args, path, limit):
    result = {"limit_bytes": limit, "ogas": {}, "llama.cpp": {}, "forecast": []}
    ours, theirs = {name: [] for name in FIGURES}, {name: [] for name in FIGURES}
    for idx in range(args.rounds):
        for figure in FIGURES:
            print(f"{path.name} in {limit / 1e9:.2f} GB: round {idx + 1}, {figure}", file=sys.stderr, flush=True)
            report, peak = run_ogas(args, path, limit, figure)
            if isinstance(report, str):
                sys.exit(f"ogas: {report}")
            one = {"rate": report["figures"][figure]["tokens_per_s"], "disk": report["disk_bytes_per_s"], "peak": peak,
                   "load_s": report["load_s"], "experts": report.get("experts"),
                   "overlap": report["figures"][figure].get("overlap")}
            ours[figure].append(one)
        result["forecast"].append(run_plan(args, path, limit))
        if args.llama_cpp:
            report, peak = run_llama_cpp(args, path, limit)
            for figure in FIGURES:
                theirs[figure].append(report if isinstance(report, str) else report[figure])
    for figure in FIGURES:
        result["ogas"][figure] = ours[figure]
        result["llama.cpp"][figure] = theirs[figure]
    return result


def as_text(result):
    lines = [f"in {result['limit_bytes'] / 1e9:.2f} GB"]
    for figure in FIGURES:
        ours, theirs = result["ogas"][figure], result["llama.cpp"][figure]
        rate = statistics.median(one["rate"] for one in ours)
        line = f"  {figure}: {rate:.2f} tokens/s"
        if theirs:
            numbers = [value for value in theirs if not isinstance(value, str)]
            line += (f"; llama.cpp {statistics.median(numbers):.2f}, {rate / statistics.median(numbers):.1f} times"
                     if numbers else f"; llama.cpp {theirs[0]}")
        forecasts = [one for one in result["forecast"] if one]
        if figure == "decode at 0" and forecasts:
            line += f"; forecast {statistics.median(forecasts):.2f}, {rate / statistics.median(forecasts):.2f} times that"
        lines.append(line)
        for one in ours:
            experts = one["experts"]
            if not experts:
                lines.append("    all in memory")
                continue
            overlap = one["overlap"]
            reading = overlap["bytes_read"] / max(overlap["reading_s"], 1e-9)
            ms = 1e3 / max(overlap["tokens"], 1)
            lines.append(
                f"    {100 * experts['in_memory'] / experts['of']:.0f}% of experts in memory, "
                f"{100 * experts['hits'] / max(experts['uses'], 1):.0f}% of uses; "
                f"{overlap['bytes_read'] / max(overlap['tokens'], 1) / 1e6:.1f} MB a token at {reading / 1e9:.2f} GB/s = "
                f"{100 * reading / one['disk']:.0f}% of the disk's {one['disk'] / 1e9:.2f}; a token read "
                f"{overlap['reading_s'] * ms:.1f} ms, computed {overlap['computing_s'] * ms:.1f}, took "
                f"{overlap['seconds'] * ms:.1f}: {overlap['of_longer']:.2f} times the longer; at most "
                f"{one['peak'] / 1e9:.3f} GB; loaded in {one['load_s']:.1f} s")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="FILE", help="a GGUF file")
    parser.add_argument("--share", type=float, nargs="+", default=[0.5, 0.3, 0.15], help="of its size")
    parser.add_argument("--bytes", type=float, nargs="+", default=[], help="limits instead of shares, such as 3e9")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--rounds", type=int, default=1, metavar="N")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="of each figure in a round")
    parser.add_argument("--llama-cpp", action="store_true", help="also llama.cpp")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--ogas", default=str(ROOT / "build/release/ogas"), metavar="FILE")
    parser.add_argument("extra", nargs="*", help="further options of ogas bench, after --")
    args = parser.parse_args()
    path = pathlib.Path(args.model).resolve()
    limits = [int(one) for one in args.bytes] or [int(share * path.stat().st_size) for share in args.share]
    results = [measure(args, path, limit) for limit in limits]
    print(json.dumps(results, indent=2) if args.json else "\n".join(map(as_text, results)))


if __name__ == "__main__":
    main()
