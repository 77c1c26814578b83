#!/usr/bin/env python3
"""Compares ogas with llama.cpp, and with ik_llama.cpp, on the same files, threads and machine, interleaved. See --help.

  bench/peers.py                                                the default model
  bench/peers.py --shape llama-3.1-8b --layers 8 --type q4_k_m  a shape, written by ogas synth if it does not exist yet
  bench/peers.py --busy --rounds 5                              also with one busy process on each core
  bench/peers.py --ik-llama-bench ~/ik_llama.cpp/build/bin/llama-bench   also with ik_llama.cpp

Every round starts each program again, another one first. It measures a prompt of 512 tokens, decoding 16 tokens after
one (or at the depths of --depth), and steps of several consecutive tokens with the logits of each, three times after a
warm-up. Printed is a Markdown table: medians over the rounds with half the interquartile range, the median of the rounds'
ratios, and the share of the machine's limit that each program reaches. `ogas bench` measures the limit in the same round,
reading its own weights where they are: on a shared machine memory may be twice as fast in one round as in the next.

llama.cpp runs through its C API, with the same number of threads for prompts and tokens, batches of 512, and its defaults
otherwise (flash attention, mapped files, repacking). Nothing is sampled, and the clock runs around llama_decode alone.
ik_llama.cpp runs through its llama-bench, with weights repacked at load and fused experts (-rtr 1 -fmoe 1). It has no figures
for steps of several tokens. OGAS_ISA chooses the instruction set of ogas alone; build the others to match.
ogas chooses its own batch, which is smaller for models cut to a few layers; --batch sets it. Its clock includes the choice
of the most probable token.
Needs: llama-cpp-python numpy
"""
import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PREFILL, STEPS = "prefill 512", {f"{n} tokens a step": n for n in (4, 16)}
N_PREFILL, N_DECODE, N_STEP_TOKENS = 512, 16, 32
MAX_SECONDS = 900  # of one program in one round


def make_tokens(n, n_vocab):
    """Token ids spread over the vocabulary, as in ogas bench."""
    state, tokens = 1, []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64  # Knuth, MMIX
        tokens.append((state >> 33) % n_vocab)
    return tokens


def decode_at(depth):
    return f"decode at {depth}"


def figures_of(args):
    return [PREFILL, *map(decode_at, args.depth), *STEPS]


def n_ctx_of(args):
    return max(1024, max(args.depth) + 256)


def measure_llama_cpp(path, args):
    """{figure: tokens a second}, in this process."""
    sys.path.insert(0, str(ROOT / "tools"))
    import llama_cpp_peer as peer
    model = peer.Model(path, repacks=not args.no_repack)
    context = peer.Context(model, n_ctx=n_ctx_of(args), n_batch=512, n_threads=args.threads, flash_attn=-1)
    tokens = make_tokens(max(N_PREFILL, *args.depth), model.n_vocab)

    def prefill(n):
        context.clear()
        pieces = [tokens[at:min(at + 512, n)] for at in range(0, n, 512)]
        return n / sum(context.time_decode(piece, last_only=True) for piece in pieces)

    def step_of(n):
        context.clear()
        return N_STEP_TOKENS / sum(context.time_decode(tokens[at:at + n]) for at in range(0, N_STEP_TOKENS, n))

    def decode():
        return N_DECODE / sum(context.time_decode([token]) for token in tokens[1:1 + N_DECODE])

    prefill(32)
    rates = {PREFILL: statistics.median(prefill(N_PREFILL) for _ in range(args.repeat))}
    for depth in args.depth:
        prefill(max(1, depth))
        rates[decode_at(depth)] = statistics.median(decode() for _ in range(args.repeat))
    for name, n in STEPS.items():
        rates[name] = statistics.median(step_of(n) for _ in range(args.repeat))
    return rates


def run_json(command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=MAX_SECONDS)
    if done.returncode != 0:
        sys.exit(f"{command[0]} {command[1]}: {(done.stderr.strip() or str(done.returncode)).splitlines()[-1]}")
    return json.loads(done.stdout)


def run_ogas(path, args):
    """The report of ogas bench."""
    only = [word for name in figures_of(args) for word in ("--only", name)]
    return run_json([args.ogas, "bench", path, "--threads", args.threads, "--ctx", n_ctx_of(args), "--repeat", args.repeat,
                     "--budget", MAX_SECONDS, *only, *(["--batch", args.batch] if args.batch else []), "--json"])


def run_llama_cpp(path, args):
    return run_json([sys.executable, __file__, "--worker", "--model", path, "--threads", args.threads, "--repeat",
                     args.repeat, *(["--no-repack"] if args.no_repack else []), "--depth", *args.depth])


def run_ik_llama_cpp(path, args):
    """{figure: tokens a second}, without those of several tokens a step."""
    names = {f"pp{N_PREFILL}": PREFILL}
    names |= {f"tg{N_DECODE}@pp{depth}" if depth else f"tg{N_DECODE}": decode_at(depth) for depth in args.depth}
    depths = [word for depth in args.depth if depth for word in ("-gp", f"{depth},{N_DECODE}")]
    tests = run_json([args.ik_llama_bench, "-m", path, "-t", args.threads, "-r", args.repeat, "-p", N_PREFILL, "-n",
                      N_DECODE if 0 in args.depth else 0, *depths, "-rtr", 1, "-fmoe", 1, "-o", "json"])
    return {names[test["test"]]: statistics.median(test["samples_ts"]) for test in tests}


def peers_of(args):
    """{name: its run}."""
    return {"llama.cpp": run_llama_cpp} | ({"ik_llama.cpp": run_ik_llama_cpp} if args.ik_llama_bench else {})


@contextlib.contextmanager
def busy_cores(cores):
    """One process for each core, which never sleeps, at nice 0."""
    loops = []
    try:
        for core in cores:
            loops.append(subprocess.Popen([sys.executable, "-c",
                                           f"import os\nos.sched_setaffinity(0, [{core}])\nwhile True: pass"]))
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def median_and_spread(values):
    middle = statistics.median(values)
    if len(values) < 2:
        return {"median": middle, "spread": None}
    quarters = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": middle, "spread": (quarters[2] - quarters[0]) / 2 / middle}


def summarize(figures, rounds):
    """rounds: [{"ogas": {figure: rate}, peer: the same with some of the figures, "limits": {figure: rate}}]."""
    rows = {}
    for name in figures:
        ours, limits = ([one[what][name] for one in rounds] for what in ("ogas", "limits"))
        row = {"limit": statistics.median(limits)}
        for who in rounds[0].keys() - {"limits"}:
            if name not in rounds[0][who]:
                continue
            rates = [one[who][name] for one in rounds]
            row[who] = median_and_spread(rates)
            row[who]["fraction"] = statistics.median(rate / limit for rate, limit in zip(rates, limits))
            if who != "ogas":
                row[who]["ratio"] = median_and_spread([a / b for a, b in zip(ours, rates)])
        rows[name] = row
    return rows


def run_round(path, args, first):
    """{"ogas": its report, peer: {figure: rate}}, one after the other; `first` is the number of the one that begins."""
    programs = list(({"ogas": run_ogas} | peers_of(args)).items())
    first %= len(programs)
    return {who: run(path, args) for who, run in programs[first:] + programs[:first]}


def measure(path, args):
    """The whole comparison on one file."""
    cores = sorted(os.sched_getaffinity(0))
    conditions = {"undisturbed": []} | ({"disturbed": []} if args.busy else {})
    machines, isa, figures = [], "", figures_of(args)
    for idx in range(args.rounds):
        limits = {}
        for condition, rounds in conditions.items():
            print(f"{path.name}: round {idx + 1} of {args.rounds}, {condition}", file=sys.stderr, flush=True)
            with busy_cores(cores if condition == "disturbed" else []):
                rates = run_round(path, args, first=idx)
            report = rates["ogas"]
            skipped = [name for name in figures if "skipped" in report["figures"][name]]
            if skipped:
                sys.exit(f"ogas left {skipped[0]} out: {report['figures'][skipped[0]]['skipped']}")
            if condition == "undisturbed":
                isa = report["isa"]
                limits = {name: report["figures"][name]["limit"] for name in figures}
                machines.append(report["machine"])
            rates["ogas"] = {name: report["figures"][name]["tokens_per_s"] for name in figures}
            rounds.append(rates | {"limits": limits})
    machine = {"read_bytes_per_s": [one["read_bytes_per_s"][-1] for one in machines],
               "products": {kind: max(one["products"][kind]["ops_per_s"] for one in machines)
                            for kind in machines[0]["products"]}}
    return {"file": path.name, "bytes": path.stat().st_size, "threads": args.threads, "rounds": args.rounds, "isa": isa,
            "peers": list(peers_of(args)), "machine": machine, "conditions": {name: summarize(figures, rounds) for name, rounds in conditions.items()}}


def figure_text(value, digits):
    spread = "" if value["spread"] is None else f" ± {100 * value['spread']:.0f}%"
    return f"{value['median']:.{digits}f}{spread}"


def row_text(name, row, peers):
    theirs = [row.get(peer) for peer in peers]
    cells = [name, figure_text(row["ogas"], 1)]
    for one in theirs:
        cells += [figure_text(one, 1), figure_text(one["ratio"], 2)] if one else ["", ""]
    cells += [f"{row['limit']:.1f}"]
    cells += [f"{100 * one['fraction']:.0f}%" if one else "" for one in (row["ogas"], *theirs)]
    return f"| {' | '.join(cells)} |\n"


def as_markdown(result):
    machine, peers = result["machine"], result["peers"]
    header = ["tokens/s", "ogas", *(word for peer in peers for word in (peer, "ratio")), "limit", "ogas of limit",
              *(f"{peer} of limit" for peer in peers)]
    text = (f"{result['file']} ({result['bytes'] / 1e9:.2f} GB), {result['threads']} threads, {result['isa']}, "
            f"{result['rounds']} rounds; memory {' '.join(f'{rate / 1e9:.1f}' for rate in machine['read_bytes_per_s'])} "
            f"GB/s by rounds, peak of 4-bit weights "
            f"{machine['products']['4-bit'] / 1e12:.2f} Top/s\n\n"
            f"| {' | '.join(header)} |\n{'|---' * len(header)}|\n")
    for condition, rows in result["conditions"].items():
        for name, row in rows.items():
            text += row_text(f"{name}{', cores busy' if condition == 'disturbed' else ''}", row, peers)
    return text


def files_of(args):
    """The models asked for. Those of shapes are written first if they do not exist."""
    files = [pathlib.Path(path) for path in args.model]
    cache = pathlib.Path(args.cache)
    for shape in args.shape:
        layers = f"-{args.layers}-layers" if args.layers else ""
        path = cache / f"{shape}{layers}.{args.type}.gguf"
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            print(f"writing {path}", file=sys.stderr, flush=True)
            count = ["--layers", str(args.layers)] if args.layers else []
            written = subprocess.run([args.ogas, "synth", shape, path, "--type", args.type, *count],
                                     capture_output=True, text=True)
            if written.returncode != 0:
                sys.exit(written.stderr.strip())
        files.append(path)
    if not files:
        files.append(pathlib.Path(subprocess.run([ROOT / "tools/get_default_model"], check=True, text=True,
                                                 stdout=subprocess.PIPE).stdout.strip()))
    for path in files:
        if not path.is_file():
            sys.exit(f"{path} is not a file")
    return files


def main():
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=[], metavar="FILE", help="GGUF files")
    parser.add_argument("--shape", nargs="+", default=[], metavar="NAME", help="shapes of `ogas synth --list`")
    parser.add_argument("--layers", type=int, metavar="N", help="of shapes: the first N layers (default: all)")
    parser.add_argument("--type", type=str.lower, default="q4_k_m", help="of shapes: format of the matrices")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="of each figure in a round")
    parser.add_argument("--batch", type=int, metavar="N", help="prompt tokens that ogas computes together")
    parser.add_argument("--depth", type=int, nargs="+", default=[0], metavar="N",
                        help="number of tokens before those that are decoded: 0, 2048, 8192 (default: 0)")
    parser.add_argument("--busy", action="store_true", help="also with one busy process pinned to each core")
    parser.add_argument("--json", action="store_true", help="a list of results instead of tables")
    parser.add_argument("--cache", default=f"{home}/ogas/peers", metavar="FOLDER", help="where shapes are written")
    parser.add_argument("--ogas", default=str(ROOT / "build/release/ogas"), metavar="FILE", help="the program")
    parser.add_argument("--ik-llama-bench", metavar="FILE", help="the llama-bench of ik_llama.cpp; measures that, too")
    parser.add_argument("--no-repack", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    missing = [name for name in ("llama_cpp", "numpy") if not importlib.util.find_spec(name)]
    if missing:
        sys.exit(f"{' and '.join(missing)} not found: CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-binary "
                 "llama-cpp-python llama-cpp-python numpy builds llama.cpp for this machine")
    if args.worker:
        return print(json.dumps(measure_llama_cpp(args.model[0], args)))
    if not pathlib.Path(args.ogas).is_file():
        sys.exit(f"{args.ogas} is not there: ninja -C build/release ogas")
    if args.ik_llama_bench and not pathlib.Path(args.ik_llama_bench).is_file():
        sys.exit(f"{args.ik_llama_bench} is not there: build llama-bench of ik_llama.cpp")
    results = [measure(path, args) for path in files_of(args)]
    print(json.dumps(results, indent=2) if args.json else "\n".join(map(as_markdown, results)))


if __name__ == "__main__":
    main()
