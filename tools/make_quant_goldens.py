#!/usr/bin/env python3
"""Random blocks of every format and what PyPI's `gguf` decodes them to (pip install gguf numpy torch transformers).

    make_quant_goldens.py OUT_FOLDER [--blocks N] [--seed S]

Writes one OUT_FOLDER/<NAME>.golden a format: "ggml_type n_blocks block_values block_bytes\\n" in ASCII, the blocks, and
the values as little-endian float32. Half of the blocks are random bytes throughout; in the others each half-precision scale
is drawn from the extremes: zeros, the smallest and largest subnormal and normal numbers, infinities and NaN.
"""
import argparse
import pathlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

# Byte offsets of the half-precision fields of a block.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
    "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [], "F32": [], "F16": [0], "BF16": [0],
    "IQ1_S": [0], "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0],
    "TQ1_0": [52], "TQ2_0": [64],
}
EXTREMES = np.array([0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00],
                    dtype="<u2")


def random_blocks(name, block_bytes, n_blocks, rng):
    blocks = rng.integers(0, 256, (n_blocks, block_bytes), dtype=np.uint8)
    for offset in HALVES[name]:
        chosen = rng.choice(EXTREMES, n_blocks // 2)
        blocks[: n_blocks // 2, offset : offset + 2] = chosen.view(np.uint8).reshape(-1, 2)
    if name == "MXFP4":  # every exponent once, if they fit
        blocks[:, 0] = np.arange(n_blocks) % 256 if n_blocks >= 256 else rng.permutation(256)[:n_blocks]
        blocks[:2, 0] = [0, 1]
    if name == "IQ1_M":  # the scale lies in the upper nibbles of four words
        words = blocks[: n_blocks // 2, 48:56].view("<u2")
        scale = rng.choice(EXTREMES, (len(words), 1))
        words[:] = words & 0x0FFF | (scale >> np.array([0, 4, 8, 12], "<u2") & 15) << 12
    return blocks


def write_f8_e4m3(path):
    """All codes; what they mean by torch, since it is not a format of GGUF."""
    import torch
    codes = np.arange(256, dtype=np.uint8)
    values = torch.from_numpy(codes).view(torch.float8_e4m3fn).float().numpy().astype("<f4")
    path.write_bytes(f"{2**32 - 1} 256 1 1\n".encode() + codes.tobytes() + values.tobytes())


def write_mxfp4_split(path, n_blocks, seed):
    """Blocks whose scales are stored elsewhere, at scale 1; what they mean by transformers (it is not a format of GGUF), but with
    one zero, as in GGUF's MXFP4."""
    import torch
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    blocks = np.random.default_rng(seed).integers(0, 256, (1, 1, n_blocks, 16), dtype=np.uint8)
    scales = torch.full((1, 1, n_blocks), 127, dtype=torch.uint8)
    values = convert_moe_packed_tensors(torch.from_numpy(blocks), scales, dtype=torch.float32).numpy().astype("<f4") + np.float32(0)
    path.write_bytes(f"{2**32 - 1} {n_blocks} 32 16\n".encode() + blocks.tobytes() + values.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    np.seterr(all="ignore")
    write_f8_e4m3(args.out / "F8_E4M3.golden")
    write_mxfp4_split(args.out / "MXFP4_SPLIT.golden", args.blocks, args.seed)
    for name in HALVES:
        kind = GGMLQuantizationType[name]
        block_values, block_bytes = GGML_QUANT_SIZES[kind]
        n_blocks = args.blocks * 16 if block_values == 1 else args.blocks
        blocks = random_blocks(name, block_bytes, n_blocks, np.random.default_rng(args.seed))
        values = quants.dequantize(blocks.reshape(1, -1), kind).astype("<f4").reshape(-1)
        assert values.size == n_blocks * block_values
        header = f"{int(kind)} {n_blocks} {block_values} {block_bytes}\n".encode()
        (args.out / f"{name}.golden").write_bytes(header + blocks.tobytes() + values.tobytes())


if __name__ == "__main__":
    main()
