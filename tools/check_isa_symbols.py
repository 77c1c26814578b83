#!/usr/bin/env python3
"""Checks that every object compiled for an instruction set exports one symbol, its table of operations.

    check_isa_symbols.py libogas_kernels.a [NM]

If it defined anything else, such as an inline function of the standard library, the linker could keep that copy for the
whole program, which would then crash on machines without the instruction set.
"""
import re
import subprocess
import sys


def exported_symbols(archive, nm):
    """{object: [(kind, name)]} of all symbols that are not local, weak and unique ones included."""
    listing = subprocess.run([nm, "--defined-only", "--demangle", archive], check=True, capture_output=True, text=True)
    objects, current = {}, None
    for line in listing.stdout.splitlines():
        if line.endswith(".o:"):
            current = line[:-1]
            objects[current] = []
        elif match := re.match(r"[0-9a-f]+ (\w) (.*)", line):
            kind, name = match.groups()
            if kind.isupper() or kind in "uvw":
                objects[current].append((kind, name))
    return objects


def main():
    archive, nm = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "nm"
    isa_objects = {name: symbols for name, symbols in exported_symbols(archive, nm).items() if name.startswith("isa_")}
    if not isa_objects:
        sys.exit(f"{archive}: no isa_* object found")
    failed = False
    for name, symbols in sorted(isa_objects.items()):
        leaked = [s for s in symbols if not re.fullmatch(r"ogas::k\w+Kernels", s[1])]
        print(f"{name}: {len(symbols)} exported" + "".join(f"\n  leaks {kind} {symbol}" for kind, symbol in leaked))
        failed |= bool(leaked) or len(symbols) != 1
    sys.exit(failed)


if __name__ == "__main__":
    main()
