#!/usr/bin/env python3
"""Writes src/quant/iq_grids.h: the code books of the IQ formats, as PyPI's `gguf` has them (pip install gguf numpy).

    make_iq_grids.py OUT.h
"""
import pathlib
import sys

import numpy as np
from gguf import quants

HEAD = '''// The code books of the IQ formats: which values a code stands for. They are part of the formats (ggml, MIT; written by
// tools/make_iq_grids.py from the Python package gguf), packed so that a word holds one entry, its first value lowest.
#pragma once

#include <cstdint>

namespace ogas {
'''
BOOKS = [
    ("kIq2XxsGrid", quants.IQ2_XXS, 2, "Eight values of IQ2_XXS in 2 bits each: 0, 1, 2 for 8, 25, 43."),
    ("kIq2XsGrid", quants.IQ2_XS, 2, "The same of IQ2_XS."),
    ("kIq2SGrid", quants.IQ2_S, 2, "The same of IQ2_S."),
    ("kIq3XxsGrid", quants.IQ3_XXS, 3, "Four values of IQ3_XXS in 3 bits each: 0 to 7 for 4, 12, 20, 28, 36, 44, 52, 62."),
    ("kIq3SGrid", quants.IQ3_S, 3, "The same of IQ3_S, for 1, 3, 5, ... 15."),
    ("kIq1Grid", quants.IQ1_S, 2, "Eight values of IQ1_S and IQ1_M in 2 bits each: 0, 1, 2 for -1, 0, 1."),
]


def table(name, kind, bits, comment):
    kind.init_grid()
    levels = {float(level): index for index, level in enumerate(kind.grid_map)}
    rows = kind.grid.reshape(kind.grid_shape)
    words = [sum(levels[float(value)] << bits * digit for digit, value in enumerate(row)) for row in rows]
    text = ", ".join(f"0x{word:04x}" for word in words)
    return f"// {comment}\nconstexpr uint16_t {name}[{len(words)}] = {{{text}}};\n"


def main():
    text = HEAD + "\n" + "\n".join(table(*book) for book in BOOKS) + "\n}  // namespace ogas\n"
    pathlib.Path(sys.argv[1]).write_text(text)


if __name__ == "__main__":
    main()
