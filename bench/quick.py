#!/usr/bin/env python3
"""Runs programs of bench/ briefly: whether each still works, not how fast anything is.

    bench/quick.py            all of them, some minutes (./test bench)
    bench/quick.py NAME...    these; those that take seconds are tests of ctest, bench_NAME

Exit status 1 if one fails, 77 if none could run. What a program needs and does not find (llama-cpp-python, root, a cross
build) is printed. The model is that of OGAS_TEST_MODEL, or the default model. Build the C++ programs first:
ninja -C build/release bench_programs.
"""
import argparse
import dataclasses
import importlib.util
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

from serving import DEFAULT_MODEL

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
DATA = ROOT / "tests/data"
MAX_SECONDS = 600  # of one program
SKIPPED = 77
MODULES = {"loops.py", "quick.py", "serving.py"}  # of Python, and no programs that measure


class Missing(Exception):
    """A program needs something that is not found."""


@dataclasses.dataclass(frozen=True)
class Program:
    arguments: tuple = ()
    modules: tuple = ()  # of Python
    takes_seconds: bool = True  # else a minute or more
    needs: object = None  # called with the options; raises Missing
    runs: tuple = ()  # further arguments, for one run after the other
    commands: str = ""  # on its standard input


def needs_cgroup(_):
    folder = pathlib.Path("/sys/fs/cgroup/memory")
    folder = (folder if folder.is_dir() else pathlib.Path("/sys/fs/cgroup")) / f"ogas-bench-try-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        raise Missing(f"no memory cgroup can be made: {error}") from error
    limited = any((folder / name).exists() for name in ("memory.max", "memory.limit_in_bytes"))
    folder.rmdir()
    if not limited:
        raise Missing("cgroups limit no memory here")


def needs_arm64(_):
    if not shutil.which("llvm-mca-19") or not (ROOT / "build/arm64/compile_commands.json").exists():
        raise Missing("it needs llvm-mca-19 (Debian package llvm-19) and cmake --preset arm64")


def needs_mca(options):
    if not shutil.which("llvm-mca-19") or not (options.build / "compile_commands.json").exists():
        raise Missing("it needs llvm-mca-19 (Debian package llvm-19)")
    if platform.machine() != "x86_64":
        raise Missing("it needs a compiler for x86-64")


# What is in braces is replaced by values_of().
PEER = ("llama_cpp", "numpy")
SERVER = ("--ogas", "{ogas}", "--model", "{model}")
PROGRAMS = {
    # C++
    "expert_cache_bench": Program(("{root}/bench/data/trained_moe.trace",)),
    "grammar_bench": Program(commands='{{"tokenizer":"{tokenizer}"}}\n{{"schema":{{"type":"integer"}},"instances":["12"]}}\n'),
    "matmul_bench": Program(("--format", "Q4_0", "--tokens", "4")),
    "open_bench": Program(),
    "sampler_bench": Program(("5000",)),
    "tokenizer_bench": Program(commands="open {tokenizer} text {root}/README.md encode lines"),
    # Python
    "cycles_arm64.py": Program(needs=needs_arm64, takes_seconds=False),
    "cycles_x86.py": Program(needs=needs_mca, takes_seconds=False),
    "first_answer.py": Program(("--ogas", "{ogas}", "--quick")),
    "grammar_bench.py": Program(("{folder}", "--quick", "--tokenizer", "{tokenizer}", "--program", "{build}/bench/grammar_bench")),
    "hostile_forms.py": Program((*SERVER, "--users", "2", "--seconds", "1", "--rounds", "1")),
    "jinja_bench.py": Program(("--program", "{build}/tests/jinja_render"), modules=("jinja2",), runs=((), ("--hostile",))),
    "larger_than_memory.py": Program(("--ogas", "{ogas}", "--model", "{root}/tests/data/arch/qwen3_moe/model.gguf", "--bytes",
                                      "1e9", "--repeat", "1"), needs=needs_cgroup),
    "peers.py": Program(("--model", "{model}", "--ogas", "{ogas}", "--rounds", "1", "--repeat", "1"), modules=PEER,
                        takes_seconds=False),
    "quality.py": Program(("{model}", "--ogas", "{ogas}", "--tokens", "4"), modules=("numpy",)),
    "second_turn.py": Program(("--ogas", "{ogas}", "--model", "{root}/tests/data/arch/qwen3_next/model.gguf", "--vocabulary", "140",
                               "--tokens", "400", "--rounds", "2", "--quick")),
    "server_load.py": Program((*SERVER, "--clients", "16", "--seconds", "8")),
    "server_overhead.py": Program((*SERVER, "--rounds", "1", "--tokens", "8", "--users", "2", "--repeat", "1")),
    "synth_peer.py": Program(("qwen3-0.6b", "--binary", "{ogas}", "--layers", "1", "--tokens", "1", "--folder", "{folder}"),
                             modules=PEER, takes_seconds=False),
    "tool_calls.py": Program((*SERVER, "--form", "4", "--masks", "20", "--rounds", "1"), modules=("jsonschema",)),
    "tokenizer_bench.py": Program(("{tokenizer}", "--quick", "--program", "{build}/bench/tokenizer_bench"),
                                  modules=("tokenizers",)),
    "users.py": Program(("--model", "{model}", "--library", "{build}/libogas.so", "--tokens", "256", "--users", "2",
                         "--others", "1")),
}


def programs_there():
    """The names of the programs in bench/: Python that the others do not import, C++ that CMake builds programs of."""
    python = {path.name for path in BENCH.glob("*.py")} - MODULES
    return python | {path.stem for path in BENCH.glob("*_bench.cc")}


def python_with(modules):
    """A Python that has them: this one, or the one of the server's clients."""
    clients = pathlib.Path(os.environ.get("OGAS_TEST_CLIENTS", "")) / "venv/bin/python"
    if all(importlib.util.find_spec(name) for name in modules):
        return sys.executable
    lacking = f"import {', '.join(modules)}"
    if clients.is_file() and subprocess.run([clients, "-c", lacking], capture_output=True).returncode == 0:
        return clients
    raise Missing(f"Python here cannot {lacking}")


def values_of(options, folder):
    return {"model": options.model, "ogas": options.build / "ogas", "build": options.build, "folder": folder, "root": ROOT,
            "tokenizer": DATA / "tokenizers/small_byte_level.tokenizer.json"}


def run(name, options):
    """None, or what failed. Raises Missing."""
    program = PROGRAMS[name]
    if program.needs:
        program.needs(options)
    start = [python_with(program.modules), BENCH / name] if name.endswith(".py") else [options.build / "bench" / name]
    with tempfile.TemporaryDirectory() as folder:
        values = values_of(options, folder)
        arguments = [word.format(**values) for word in program.arguments]
        for more in program.runs or ((),):
            command = [*map(str, start), *arguments, *more]
            begin = time.monotonic()
            try:
                done = subprocess.run(command, cwd=ROOT, input=program.commands.format(**values).encode(), timeout=MAX_SECONDS,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      env={**os.environ, "OGAS_MODELS": str(options.model.parent)})
            except (OSError, subprocess.TimeoutExpired) as error:
                return str(error)
            output = done.stdout.decode(errors="replace")
            if done.returncode != 0 or not output.strip():
                return f"{' '.join(command)}: exit code {done.returncode}\n{output[-4000:]}"
            print(f"{name}: passed in {time.monotonic() - begin:.1f} s", flush=True)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--model", type=pathlib.Path, default=os.environ.get("OGAS_TEST_MODEL") or DEFAULT_MODEL)
    parser.add_argument("--list", action="store_true", help="print the names of those that take seconds")
    options = parser.parse_args()
    if programs_there() != set(PROGRAMS):
        sys.exit(f"bench/quick.py and bench/ do not name the same programs: {sorted(programs_there() ^ set(PROGRAMS))}")
    if options.list:
        return print("\n".join(name for name, program in PROGRAMS.items() if program.takes_seconds))
    if unknown := set(options.names) - set(PROGRAMS):
        parser.error(f"there is no {', '.join(unknown)}; there are: {', '.join(PROGRAMS)}")
    names, failed, n_skipped = options.names or list(PROGRAMS), [], 0
    for name in names:
        try:
            fault = run(name, options)
        except Missing as missing:
            print(f"{name}: skipped: {missing}", flush=True)
            n_skipped += 1
            continue
        if fault:
            print(f"{name}: FAILED: {fault}", flush=True)
            failed.append(name)
    print(f"{len(names) - n_skipped - len(failed)} passed, {len(failed)} failed, {n_skipped} skipped")
    return 1 if failed else SKIPPED if n_skipped == len(names) else 0


if __name__ == "__main__":
    sys.exit(main())
