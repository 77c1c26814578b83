#!/usr/bin/env python3
"""Checks that the tree uses standard terms. docs/GLOSSARY.md lists them. Needs nothing but Python 3.

    tools/check_words.py [PATH...]

It reads code, comments, messages, help texts, documents and tests. It prints file:line, what was found, and what to
write instead. PROSE are phrases of running text; one is found across the end of a line, too. IDENTIFIERS are words
inside names (n_places, kLeastRows, PlacesTest). EXCEPTIONS list what is right in spite of a banned word, with a reason.
Without PATH it reads everything.
"""

import bisect
import pathlib
import re
import sys

# (pattern of running text, what to write instead)
PROSE = [
    (r"(?<!in )(?<!in its )(?<!in their )(?<!takes )(?<!take )(?<!taken )(?<!took )(?<!taking )(?<!in one )(?<!in a single )"
     r"(?<!in the same )(?<!in several )(?<!in many )(?<!in two )(?<!decimal )(?<!in the first )\bplaces?\b",
     "slot, position or location"),
    (r"\bpaces?\b", "speed, rate; half-life, decay rate; memory-bound"),
    (r"\b(?:in|by) turns\b|\b(?:take|takes|took|taking) turns\b", "interleaved, alternate"),
    (r"\bshort turns?\b", "short time slice"),
    (r"\bturn(?:s|ed|ing)? round\b", "reverse, transpose"),
    (r"\bfavourites?\b", "top-N, most used"),
    (r"\blately\b", "recently"),
    (r"(?<!not )\bso many\b", "n, this many, a number of"),
    (r"\bbeside\b", "next to, with, alongside, in addition to, during"),
    (r"\bbehind\b(?! (?:a|the) (?:reverse )?prox)", "after, following"),
    (r"\bwhoever\b", "the caller, anyone who"),
    (r"\bhangs? (?:\w+ )?on\b", "depends on"),
    (r"\bhubs?\b", "Hugging Face"),
    (r"\banew\b", "again"),
    (r"\bquicker\b|\bquickest\b", "faster, fastest"),
    (r"\bheld (?:against|to)\b|\bholds? (?:[\w']+ ){0,4}against\b|\bholding (?:[\w']+ ){0,4}against\b",
     "compared with, checked against"),
    (r"\bt[eo]ll?[ds]? (?:\w+ ){0,5}apart\b|\btold apart\b|\btelling apart\b", "distinguish, separate"),
    (r"\bon (?:its|their|his|the) way\b(?! (?:up|down|out|to the root))", "in flight, in progress, pending"),
    (r"\bgo(?:es)? on\b|\bwent on\b|\bgone on\b|\bgoing on\b", "continue"),
    (r"\bstands?\b(?!-)(?! for)(?! in for)|\bstood\b", "is, is written, is listed"),
    (r"\bnews\b", "event, events"),
    (r"(?<!make )(?<!makes )(?<!making )(?<!made )\brooms?\b", "capacity, space"),
    (r"\bfrom the heap\b", "allocate, does not allocate"),
    (r"(?<![Tt]here )\b(?:is|are|was|were) no (?!longer|more|less|match|fewer|one|need|such|way|reason|other|different|point|use\b)\w+",
     "is not a(n)"),
    (r"\bguess(?:es|ed)?\b", "prediction, predict"),
    (r"\bgiven (?:or|and) generated\b", "prefill or decode"),
    (r"\b(?:head|heads) for (?:the |further )?tokens?\b|\btokens? after the next\b", "MTP head"),
    (r"\bpieces of (?:a |the |its |their )?prompts?\b", "chunks of a prompt"),
    (r"\bto be had\b", "available"),
    (r"\btwo worlds\b", "two naming schemes"),
    (r"\bsoften(?:s|ed)?\b", "softmax, exponentiate"),
    (r"\bspoken\b", "chosen, selected"),
    (r"\bat the (?:least|most)\b", "at least, at most"),
    (r"\bremembered (?:prefix|prefixes|page|pages|prompt|prompts|tokens?)\b", "cached"),
    (r"\bsteal(?:s|ing)?\b|\bstolen\b", "take over, preempt"),
]

# (words of an identifier in lower case, joined by "_", as a pattern; what to use instead)
IDENTIFIERS = [
    (r"places|place_of", "slots, slot_of, offset_of"),
    (r"(?<!at_)least", "min"),
    (r"(?<!at_)most(?!_common)", "max"),
    (r"paces?", "rate, half_life"),
    (r"lately", "recently"),
    (r"favourites?", "top"),
    (r"beside", "with, next_to"),
    (r"behind", "after"),
    (r"whoever", "caller"),
    (r"anew", "again"),
    (r"soften", "softmax"),
    (r"guess|guesses", "prediction"),
    (r"otherwise", "default_value, fallback"),
    (r"way_back", "reply channel"),
    (r"(?<!has_)news", "events"),
    (r"ask_ahead|ask_for_ahead|asked_ahead", "prefetch"),
    (r"(?<!hf_)(?<!huggingface_)hub", "hf"),
    (r"make_room|room", "capacity, reserve"),
]

# (path as a pattern, found text with what is around it as a pattern, reason)
EXCEPTIONS = [
]

ROOTS = ["src", "include", "examples", "tests", "bench", "tools", "fuzz", "cmake", "docs", "README.md", "CONTRIBUTING.md",
         "CMakeLists.txt", "run", "test"]
LEFT_OUT = re.compile(r"(?:tests|bench)/data/|fuzz/corpus/|docs/GLOSSARY\.md|tools/check_words(?:_test)?\.py"
                      r"|src/text/unicode_tables\.h|.*\.svg|.*/__pycache__/|.*\.lock$|tools/clients/")
LEADER = re.compile(r"\s*(?://+|#+|\*+|>)?\s*")  # of a line of a comment, with its indentation
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
CONTEXT = 60  # characters on each side of what is found, which EXCEPTIONS see


class RunningText:
    """A file's text on one line, without the marks of comments, so that a phrase is found across the end of a line."""

    def __init__(self, source):
        pieces, self.starts, length = [], [], 0
        for line in source.split("\n"):
            piece = re.sub(r"\s+", " ", line[LEADER.match(line).end():].rstrip())
            if pieces and pieces[-1].endswith('" ') and piece.startswith('"'):  # a literal that goes over two lines
                pieces[-1], piece = pieces[-1][:-2], piece[1:]
                length -= 2
            self.starts.append(length)
            pieces.append(piece + " ")
            length += len(pieces[-1])
        self.text = "".join(pieces)

    def line_of(self, position):
        return bisect.bisect_right(self.starts, position)


class Checker:
    def __init__(self, root, exceptions=EXCEPTIONS):
        self.root = pathlib.Path(root)
        self.exceptions = exceptions
        self.used = set()
        self.errors = []
        self.warnings = []
        self.prose = [(re.compile(pattern, re.IGNORECASE), advice) for pattern, advice in PROSE]
        self.identifiers = [(re.compile(f"(?:^|_)(?:{pattern})(?=_|$)"), advice) for pattern, advice in IDENTIFIERS]

    def check(self, path):
        name = path.relative_to(self.root).as_posix()
        running = RunningText(path.read_text(encoding="utf-8"))
        found = []
        for pattern, advice in self.prose:
            found += [(match, advice) for match in pattern.finditer(running.text)]
        for match in IDENTIFIER.finditer(running.text):
            words = [word.lower() for word in WORD.findall(match.group())]
            if len(words) > 1:
                found += [(match, advice) for pattern, advice in self.identifiers if pattern.search("_".join(words))]
        for match, advice in sorted(found, key=lambda each: each[0].start()):
            self.report(name, running, match, advice)

    def report(self, name, running, match, advice):
        around = running.text[max(0, match.start() - CONTEXT):match.end() + CONTEXT]
        for index, (where, what, _) in enumerate(self.exceptions):
            if re.fullmatch(where, name) and re.search(what, around):
                self.used.add(index)
                return
        self.errors.append(f"{name}:{running.line_of(match.start())}: '{match.group()}': write: {advice}")

    def check_exceptions(self):
        """Warns of exceptions that nothing needs any more. To be called after all files were checked."""
        for index, (where, what, _) in enumerate(self.exceptions):
            if index not in self.used:
                self.warnings.append(f"tools/check_words.py: warning: unneeded exception {where} {what}")


def texts_in(root, names):
    """The files of these files and folders that hold text of ours."""
    for name in names:
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            inside = file.relative_to(root).as_posix()
            if file.is_file() and not file.is_symlink() and not LEFT_OUT.match(inside) and is_text(file):
                yield file


def is_text(path):
    with open(path, "rb") as file:
        return b"\0" not in file.read(4096)


def main(arguments):
    root = pathlib.Path(__file__).resolve().parent.parent
    for path in arguments:
        if not (root / path).exists():
            print(f"check_words: {path}: no such file or folder in {root}")
            return 1
    checker = Checker(root)
    for path in texts_in(root, arguments or ROOTS):
        checker.check(path)
    if not arguments:
        checker.check_exceptions()
    for line in checker.warnings + checker.errors:
        print(line)
    print(f"check_words: {len(checker.errors)} errors" + (" (docs/GLOSSARY.md has the words)" if checker.errors else ""))
    return 1 if checker.errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
