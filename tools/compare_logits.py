#!/usr/bin/env python3
"""Prints the difference between two files of logits, A.npy and B.npy: float [n, n_vocab] or [n_vocab].

  compare_logits.py A.npy B.npy [--rows 0,1,5-8] [--case tests/data/llama/goldens.json:long_f32] [--max LIMIT]

--rows selects these rows of both. --case selects rows of B only, the positions of a case in goldens.json, so that A can be
the golden and B what `ogas logits MODEL --tokens ... --out B.npy` wrote. With --max, exit status 1 if max|diff| is larger.
KL is of A's distribution to B's, in nats; A counts as the truth.
Needs: numpy
"""
import argparse
import json
import sys

import numpy as np


def load(path):
    logits = np.load(path).astype(np.float64)
    if logits.ndim not in (1, 2):
        sys.exit(f"{path}: shape {logits.shape}; expected [n, n_vocab] or [n_vocab]")
    return np.atleast_2d(logits)


def parse_rows(text):
    rows = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        rows += range(int(first), int(last or first) + 1)
    return rows


def log_softmax(logits):
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def divergence(log_p, log_q):
    """KL of each row's distribution p to q, in nats."""
    return (np.exp(log_p) * (log_p - log_q)).sum(-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--rows", type=parse_rows)
    parser.add_argument("--case")
    parser.add_argument("--max", type=float, dest="limit")
    args = parser.parse_args()
    a, b = load(args.a), load(args.b)
    if args.case:
        path, name = args.case.rsplit(":", 1)
        with open(path, encoding="utf-8") as file:
            b = b[next(case["positions"] for case in json.load(file)["cases"] if case["name"] == name)]
    if args.rows:
        a, b = a[args.rows], b[args.rows]
    if a.shape != b.shape:
        sys.exit(f"shapes differ: {args.a} {a.shape}, {args.b} {b.shape}")

    diff = np.abs(b - a)
    row, column = np.unravel_index(diff.argmax(), diff.shape)
    log_a, log_b = log_softmax(a), log_softmax(b)
    kl = divergence(log_a, log_b)
    agree = a.argmax(-1) == b.argmax(-1)
    top = np.sort(a, -1)[:, -2:]
    print(f"rows {a.shape[0]}, vocabulary {a.shape[1]}, standard deviation of A {a.std():.4g}")
    print(f"max|diff| {diff.max():.4g} at row {row}, token {column}: {a[row, column]:.6g} and {b[row, column]:.6g}")
    print(f"rms diff  {np.sqrt((diff**2).mean()):.4g}")
    print(f"top-1     {agree.sum()} of {len(agree)} agree", end="")
    if not agree.all():
        print(f"; largest margin in A among the others {(top[:, 1] - top[:, 0])[~agree].max():.4g}", end="")
    print(f"\nKL        mean {kl.mean():.4g}, max {kl.max():.4g} at row {kl.argmax()}")
    # Not a number compares false, and must not pass.
    if not np.isfinite(diff).all() or (args.limit is not None and not diff.max() <= args.limit):
        sys.exit(1)


if __name__ == "__main__":
    main()
