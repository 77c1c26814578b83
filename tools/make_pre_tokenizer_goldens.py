#!/usr/bin/env python3
"""Writes tests/data/tokenizers/pre_tokenizers.json: how PyPI tokenizers cuts texts by the pre-tokenizers GGUF has names for.

    tools/make_pre_tokenizer_goldens.py     (PyPI tokenizers 0.23)

Patterns are spelled as the models' own tokenizer.json spells them (Kimi K2's: as its tokenization_kimi.py does), which is not
always how src/text/pre_tokenizer.cc does. For each name and each BLOCK of texts.json: the number of pieces and a checksum of
their lengths in bytes. Normalizers are left out: they come before.
"""

import json
import os
import pathlib

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Regex, pre_tokenizers  # noqa: E402

from tokenizer_texts import checksum  # noqa: E402

TARGET = pathlib.Path(__file__).resolve().parent.parent / "tests/data/tokenizers"
BLOCK = 100  # texts

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
BY_THREE = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL
BY_ONE = BY_THREE.replace(r"\p{N}{1,3}", r"\p{N}")
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"


def cased(suffix, digits, punctuation=r"[\r\n/]*", but=""):
    head = r"[^\r\n\p{L}\p{N}]?"
    return (f"{head}[{UPPER}{but}]*[{LOWER}{but}]+{suffix}|{head}[{UPPER}{but}]+[{LOWER}{but}]*{suffix}"
            rf"|{digits}| ?[^\s\p{{L}}\p{{N}}]+{punctuation}" + TAIL)


BLOOM = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"
ASCII_WORDS = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^""" + "\r\n" + r"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"
DEEPSEEK = [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"]


def split(pattern, behavior="isolated"):
    return pre_tokenizers.Split(Regex(pattern), behavior)


def gpt2():
    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def digits():
    return pre_tokenizers.Digits(individual_digits=True)


# One name of each row in src/text/pre_tokenizer.cc.
STEPS = {
    "gpt-2": [gpt2()],
    "smollm": [digits(), gpt2()],
    "llama-bpe": [split(BY_THREE)],
    "jais-2": [split(BY_THREE.removesuffix(r"|\s+(?!\S)|\s+") +
                     "".join(rf"|\s{{{n}}}(?!\S)" for n in (512, 256, 128, 64, 32, 16, 8, 4, "1,2")) + r"|\s{1}")],
    "minicpm5": [split(r"\p{N}{1,3}"), split(BY_THREE.replace(r"\p{N}{1,3}", r"\p{N}+"))],
    "qwen2": [split(BY_ONE)],
    "qwen35": [split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + TAIL)],
    "laguna": [split(r"(?:\r?\n)+(?!\r?\n)", "merged_with_next"), split(BY_ONE)],
    "ufakzeka": [split(BY_ONE.removeprefix(CONTRACTIONS + "|"))],
    "seed-coder": [split(CONTRACTIONS + "|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+"
                         "|\\s+(?!\\S)|\\s+")],
    "bailingmoe": [split(r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
                         r"|\s+(?!\S)|\s+")],
    "exaone-moe": [split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?"
                         r"|\s*[\r\n]|\s+(?!\S)|\s+")],
    "gpt-4o": [split(cased(CONTRACTIONS + "?", r"\p{N}{1,3}"))],
    "tekken": [split(cased("", r"\p{N}"))],
    "kimi-k2": [split(r"[\p{Han}]+|" + cased(CONTRACTIONS + "?", r"\p{N}{1,3}", r"[\r\n]*", r"&&[^\p{Han}]"))],
    "youtu": [split("[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f"
                    "\ufe30-\ufe4f]+|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
              split(cased(CONTRACTIONS + "?", r"\p{N}"))],
    "bloom": [split(BLOOM)],
    "viking": [split(BLOOM), digits()],
    "superbpe": [split(r"\p{N}+"), split(r"(?=(\d{3})+(?!\d))")],
    "deepseek-v3": [*map(split, DEEPSEEK),
                    split(ASCII_WORDS + " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")],
    "spark2_5": [*map(split, DEEPSEEK), split(ASCII_WORDS + " ?[\\p{P}\\p{S}]+|[\r\n]|\\s+(?!\\S)|\\s+"), digits()],
}


def lengths(steps, text):
    pieces = pre_tokenizers.Sequence(steps).pre_tokenize_str(text)
    return [len(text[begin:end].encode()) for _, (begin, end) in pieces]


def main():
    texts = json.loads((TARGET / "texts.json").read_text(encoding="utf-8"))
    rows = {}
    for name, steps in STEPS.items():
        rows[name] = []
        for begin in range(0, len(texts), BLOCK):
            block = [n for text in texts[begin:begin + BLOCK] for n in [*lengths(steps, text), 0]]
            rows[name].append([len(block), checksum(block)])
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}" for name, row in rows.items())
    (TARGET / "pre_tokenizers.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
