#!/usr/bin/env python3
"""Estimates how fast the inner loops of AVX2's matrix products run on processors without newer sets, with llvm-mca.

    cycles_x86.py [--flags="..."] [--show]

Compiles the kernels of AVX2 as build/release does, extracts for each format the loop over a tile of tokens, and runs
llvm-mca on it for Zen 1 to 3, Haswell and Skylake, with all data in the L1 cache. Printed for one token, 32 inputs and
8 rows (256 products):

  route      the minimum for the instructions of this route, by the ports that run them: products of bytes (vpmaddubsw)
             with sums in 16 bits as long as they fit, one sum in 32 bits (vpmaddwd), conversion and scales; and the same
             products of weights unpacked to floats (vfmadd231ps)
  loop       what llvm-mca reports for our loop, and the route's minimum as a share of it

A look-up in registers (vpshufb) is not a third route for prompts: 8 of them do what 8 vpmaddubsw do for weights of 4 bits,
and each result has to be widened and added twice. Exit status 1: a loop is below 55% of its route, or floats would be
faster. Needs: llvm-mca-19 (Debian package llvm-19), build/release configured.
"""
import argparse
import re
import shutil
import sys

import loops

COMPILE_COMMANDS = loops.ROOT / "build/release/compile_commands.json"
CPUS = {"znver1": "Zen 1", "znver2": "Zen 2", "znver3": "Zen 3", "haswell": "Haswell", "skylake": "Skylake"}
MIN_SHARE = 0.55
# What a tile's shape is called in the kernels, inputs of a group, products of a sum in 16 bits, whether codes have a sign,
# a bias to take back, offsets.
FORMATS = {
    "Q4_0": ("CodeShape<15, 8, 32ul, false>", 32, 8, False, True, False),
    "Q4_K": ("CodeShape<15, 0, 32ul, true>", 32, 8, False, False, True),
    "Q5_K": ("CodeShape<31, 0, 32ul, true>", 32, 4, False, False, True),
    "Q6_K": ("CodeShape<63, 32, 16ul, false>", 16, 2, False, True, False),
    "Q8_0": ("CodeShape<128, 0, 32ul, false>", 32, 1, True, False, False),
}
BRANCH = re.compile(r"j\w+\s+(\.L\w+)$")


def n_products(lines):
    return sum("vpmaddubsw" in line for line in lines)


def integer_route(group, run, is_signed, has_bias, has_offset):
    """The instructions for 8 products, without loads: registers do not matter, each is as if independent."""
    runs_of_group = group // 4 // run
    ops = ["vpmaddubsw %ymm0, %ymm1, %ymm{}"] * 8 + ["vpsignb %ymm0, %ymm1, %ymm{}"] * (8 if is_signed else 0)
    for _ in range(32 // group):
        ops += ["vpaddw %ymm0, %ymm1, %ymm{}"] * ((run - 1) * runs_of_group)
        ops += ["vpmaddwd %ymm0, %ymm1, %ymm{}"] * runs_of_group
        ops += ["vpaddd %ymm0, %ymm1, %ymm{}"] * (runs_of_group - 1 + (1 if has_bias else 0))
        ops += ["vcvtdq2ps %ymm0, %ymm{}"]
    # The scales of weights, group by group, then the token's, and the offset.
    ops += ["vmulps %ymm0, %ymm1, %ymm{}"] * (32 // group) + ["vfmadd231ps %ymm0, %ymm1, %ymm{}"] * (2 if has_offset else 1)
    return [op.format(2 + idx % 14) for idx, op in enumerate(ops)]


FLOAT_ROUTE = [f"vfmadd231ps %ymm0, %ymm1, %ymm{2 + idx % 14}" for idx in range(32)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flags", default="", help="more flags for the compiler")
    parser.add_argument("--show", action="store_true", help="print the loops")
    options = parser.parse_args()
    mca = shutil.which("llvm-mca-19")
    if not mca:
        sys.exit("llvm-mca-19: not there; install llvm-19")
    source = loops.ROOT / "src/kernels/isa_avx2.cc"
    functions = loops.demangled_functions(loops.compile_to_assembly(COMPILE_COMMANDS, source, options.flags))
    missed = []
    for name, (shape, *instructions) in FORMATS.items():
        function, loop = loops.find_loop(functions, rf"multiply_tile<.*::Avx2, .*{re.escape(shape)}, 2ul, ", f"{name}, tile",
                                         BRANCH, n_products)
        print(f"{name}: {function}: {len(loop)} instructions, {n_products(loop)} products of 32 bytes")
        if options.show:
            print("\n".join("    " + line for line in loop))
        for cpu, label in CPUS.items():
            run = lambda lines: loops.cycles_of(lines, [mca, f"-mcpu={cpu}"])
            least, floats = run(integer_route(*instructions))["least"], run(FLOAT_ROUTE)["least"]
            ours = run(loop)["cycles"] * 8 / n_products(loop)
            print(f"    {label:8} route {least:5.1f} cycles (floats {floats:4.1f}), loop {ours:5.1f}: {least / ours:4.0%}")
            if least / ours < MIN_SHARE or floats < least * 0.99:
                missed.append(f"{name} on {label}")
    if missed:
        sys.exit(f"below what they should reach: {', '.join(missed)}")


if __name__ == "__main__":
    main()
