"""Inner loops of compiled functions, and what llvm-mca says of them; for cycles_arm64.py and cycles_x86.py."""
import json
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def compile_to_assembly(compile_commands, source, flags):
    """The assembly of a source as a build compiles it, with more flags."""
    entries = [e for e in json.loads(compile_commands.read_text()) if pathlib.Path(e["file"]) == source]
    if not entries:
        sys.exit(f"{compile_commands}: does not compile {source}")
    command = shlex.split(entries[0]["command"])
    command = command[next(i for i, word in enumerate(command) if word.endswith(("g++", "c++"))):]
    command[command.index("-o") + 1] = "-"
    command[command.index("-c")] = "-S"
    run = subprocess.run(command + shlex.split(flags), cwd=entries[0]["directory"], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{source}: the compiler failed:\n{run.stderr}")
    return run.stdout


def demangled_functions(assembly):
    """{demangled name: its lines}; names that share one body included."""
    bodies, aliases, name = {}, {}, None
    for line in assembly.splitlines():
        if match := re.match(r"(_Z\w+):", line):
            name = match[1]
            bodies[name] = []
        elif match := re.match(r"\s+\.set\s+(\w+),\s*(\w+)", line):
            aliases[match[1]] = match[2]
        elif name:
            bodies[name].append(line.strip())
            if line.strip().startswith(".size"):
                name = None
    mangled = {**{n: n for n in bodies}, **{a: t for a, t in aliases.items() if t in bodies}}
    names = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True).stdout
    return {d: bodies[m] for d, m in zip(names.splitlines(), mangled.values())}


def opcode(line):
    return re.split(r"[\s.]", line, maxsplit=1)[0]


def inner_loop(body, branch, n_products):
    """The loop with most products among those that hold no other. branch: matches a jump, its first group the label."""
    labels = {line[:-1]: i for i, line in enumerate(body) if re.fullmatch(r"\.L\w+:", line)}
    jumps = [(match[1], i) for i, line in enumerate(body) if (match := branch.match(line))]
    found = [(labels[label], i) for label, i in jumps if labels.get(label, i) < i]
    innermost = [(b, e) for b, e in found if not any((b, e) != o and b <= o[0] and o[1] <= e for o in found)]
    cut = [[line for line in body[b:e + 1] if line and not line.startswith((".", "//", "#"))] for b, e in innermost]
    return max((lines for lines in cut if n_products(lines) > 0), key=n_products, default=None)


def find_loop(functions, pattern, what, branch, n_products):
    """(function, loop) with most products of those whose name matches."""
    found = [(n, inner_loop(body, branch, n_products)) for n, body in functions.items() if re.search(pattern, n)]
    found = [(n, loop) for n, loop in found if loop]
    if not found:
        sys.exit(f"{what}: no function with a loop of products matches /{pattern}/; were names changed or inlined?")
    name, loop = max(found, key=lambda f: n_products(f[1]))
    return re.sub(r"\(.*", "", name.replace("(anonymous namespace)::", "")), loop


def cycles_of(loop, command):
    """Cycles of an iteration: {"cycles": simulated, "least": by the ports alone}."""
    n_rounds = 500
    command = [*command, f"-iterations={n_rounds}"]
    run = subprocess.run(command, input="\n".join(loop) + "\n", capture_output=True, text=True)
    cycles = re.search(r"Total Cycles:\s+(\d+)", run.stdout)
    least = re.search(r"Block RThroughput:\s+([\d.]+)", run.stdout)
    if run.returncode != 0 or not cycles or not least:
        sys.exit(f"{' '.join(command)}: failed:\n{run.stderr}")
    return {"cycles": int(cycles[1]) / n_rounds, "least": float(least[1])}
