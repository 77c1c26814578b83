#!/usr/bin/env python3
"""Estimates how fast the inner loops of the matrix products run on 64-bit ARM, with llvm-mca and without such a processor.

    cycles_arm64.py [--set neon-dotprod|neon-i8mm|neon] [--flags="..."] [--show]

Compiles the kernels of an instruction set with the flags of build/arm64 (cmake --preset arm64). Extracts the loops for one
token (GEMV) and for a tile of tokens (GEMM), and runs llvm-mca on them. It assumes that all data is in the L1 cache; what
memory allows is printed next to it.

GEMV: cycles for each byte of packed weights, next to what 17 GB/s leave each of four cores at 2.4 GHz (Raspberry Pi 5).
GEMM: products as a share of the CPU's peak (sdot, smmla, smlal). For 32 inputs, four rows and a token there are 8 sdot and
2 to 4 other operations of the same units, so the maximum is 67 to 80%. The target for neon-dotprod is 70%, or 95% of the
maximum.

LLVM (14 to 19) has no model of the Cortex-A76 and uses that of the Cortex-A57: three instructions and one load a cycle,
where the A76 has four and two. Neoverse N1 is the same core for servers and has a model of its own; its share counts.
"""
import argparse
import re
import shutil
import sys

import loops

COMPILE_COMMANDS = loops.ROOT / "build/arm64/compile_commands.json"
MEMORY_CYCLES_A_BYTE = 4 * 2.4e9 / 17e9
TARGET_SHARE = 0.70
# Sets: the struct of the set, LLVM's names of features, CPUs to model (the first counts), and the instruction
# that multiplies most.
SETS = {
    "neon": ("Neon", "", ["cortex-a72", "cortex-a53"], "smlal v{}.8h, v30.8b, v31.8b"),
    "neon-dotprod": ("NeonDotprod", "+dotprod", ["neoverse-n1", "cortex-a76", "neoverse-n2", "neoverse-v1"],
                     "sdot v{}.4s, v30.16b, v31.16b"),
    "neon-i8mm": ("NeonI8mm", "+dotprod,+i8mm", ["neoverse-n2", "neoverse-v1"], "smmla v{}.4s, v30.16b, v31.16b"),
}
# Of a panel of 4 rows, 32 inputs: bytes with scales; arguments of multiply_tile() on the codes; operations in addition to 8 sdot.
FORMATS = {
    "Q4_K": (64 + 10, "CodeShape<15, 0, 32ul, true>", 3),
    "Q4_0": (64 + 8, "CodeShape<8, 0, 32ul, false>", 2),
    "Q8_0": (128 + 8, "CodeShape<128, 0, 32ul, false>", 2),
    "Q6_K": (96 + 9, "CodeShape<32, 0, 16ul, false>", 4),
}
BRANCH = re.compile(r"(?:b\.?\w+|cbn?z|tbn?z)\s.*?(\.L\w+)$")
PRODUCTS = {"sdot": 16, "smmla": 32, "smull": 8, "smull2": 8, "smlal": 8, "smlal2": 8}


def n_products(lines):
    return sum(PRODUCTS.get(loops.opcode(line), 0) for line in lines)


def cycles_of(loop, cpu, features, mca):
    return loops.cycles_of(loop, [mca, "-mtriple=aarch64", f"-mcpu={cpu}", f"-mattr={features}"])["cycles"]


def peak_of(instruction, cpu, features, mca):
    """Products a cycle of sixteen independent sums."""
    return 16 * PRODUCTS[loops.opcode(instruction)] / cycles_of(
        [instruction.format(i) for i in range(16)], cpu, features, mca)


def find_loop(functions, pattern, what):
    return loops.find_loop(functions, pattern, what, BRANCH, n_products)


def count(loop):
    n = {"products": 0, "loads": 0, "copies": 0, "other vector": 0}
    for line in loop:
        if loops.opcode(line) in PRODUCTS:
            n["products"] += 1
        elif loops.opcode(line).startswith("ld"):
            n["loads"] += 1
        elif loops.opcode(line) == "mov" and re.search(r"\bv\d", line):
            n["copies"] += 1
        elif re.search(r"\bv\d", line):
            n["other vector"] += 1
    return ", ".join(f"{v} {k}" for k, v in n.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=SETS, default="neon-dotprod")
    parser.add_argument("--flags", default="", help="more flags for the compiler")
    parser.add_argument("--show", action="store_true", help="print the loops")
    options = parser.parse_args()
    mca = shutil.which("llvm-mca-19")  # 14 takes the Cortex-A57 for a Neoverse N1, too
    if not mca:
        sys.exit("llvm-mca-19: not there; install llvm-19")
    struct, features, cpus, instruction = SETS[options.set]
    if not COMPILE_COMMANDS.exists():
        sys.exit(f"{COMPILE_COMMANDS}: not there; configure the build first: cmake --preset arm64")
    source = loops.ROOT / f"src/kernels/isa_{options.set.replace('-', '_')}.cc"
    functions = loops.demangled_functions(loops.compile_to_assembly(COMPILE_COMMANDS, source, options.flags))
    peaks = {cpu: peak_of(instruction, cpu, features, mca) for cpu in cpus}
    reached = True
    for name, (panel_bytes, shape, n_others) in FORMATS.items():
        gemv = find_loop(functions, rf"multiply_directly<.*::{struct}, ogas::{name}, 1ul>", f"{name}, one token")
        gemm = find_loop(functions, rf"multiply_tile\w*<.*::{struct}, .*{re.escape(shape)}", f"{name}, tile")
        n_bytes = n_products(gemv[1]) / (32 * 4) * panel_bytes
        for what, (function, loop) in (("GEMV", gemv), ("GEMM", gemm)):
            print(f"{name} {what}: {function}: {count(loop)}")
            if options.show:
                print("\n".join("    " + line for line in loop))
        for cpu in cpus:
            a_byte = cycles_of(gemv[1], cpu, features, mca) / n_bytes
            share = n_products(gemm[1]) / cycles_of(gemm[1], cpu, features, mca) / peaks[cpu]
            print(f"    {cpu}: GEMV {a_byte:.3f} cycles a byte, GEMM {share:.0%} of {peaks[cpu]:.0f} products a cycle")
            if cpu == cpus[0]:
                reached &= a_byte < MEMORY_CYCLES_A_BYTE and share >= min(TARGET_SHARE, 0.95 * 8 / (8 + n_others))
    if options.set == "neon-dotprod":
        print(f"{cpus[0]}, GEMV below the {MEMORY_CYCLES_A_BYTE:.2f} cycles a byte that memory allows, GEMM at the target: "
              f"{'reached' if reached else 'missed'}")
        sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
