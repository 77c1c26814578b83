#!/usr/bin/env python3
"""Checks the documents: tables parse and their rows have as many cells as the head, paths that a page names exist, and
ARCHITECTURE.md stays short."""

import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
IS_ROW = re.compile(r"\|.*\|\s*")
IS_RULE = re.compile(r"\|(?:\s*:?-+:?\s*\|)+\s*")


def n_cells(row):
    return len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", row))) - 1


def faults(text):
    """(line's number, what is wrong)"""
    lines, head, in_code = text.split("\n"), None, False
    for number, line in enumerate(lines, 1):
        in_code ^= line.startswith("```")
        if in_code or not IS_ROW.fullmatch(line):
            head = None
        elif head is None:
            head = line
            if number == len(lines) or not IS_RULE.fullmatch(lines[number]):
                yield number, "a row outside of a table"
        elif n_cells(line) != n_cells(head):
            yield number, f"{n_cells(line)} cells, where the table has {n_cells(head)}"


class TablesTest(unittest.TestCase):
    def test_faults_are_found(self):
        head = "| a | b |\n|---|---|\n"
        for text, numbers in [(head + "| 1 | `x|y` |\n", []), (head + "\n| 1 | 2 |\n", [4]), (head + "| 1 |\n", [3]),
                              ("text\n| 1 | 2 |", [2]), ("```\n| 1 | 2 |\n```\n", []), ("    | 1 | 2 |\n", [])]:
            self.assertEqual([number for number, _ in faults(text)], numbers, text)

    def test_tables_are_whole(self):
        files = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True)
        names = files.stdout.split() if files.returncode == 0 else ["README.md", "CONTRIBUTING.md"]
        for name in names:
            for number, fault in faults((ROOT / name).read_text()):
                self.fail(f"{name}:{number}: {fault}")


MAX_ARCHITECTURE_LINES = 150
PATH = re.compile(r"(?<![\w/])(?:docs|tools|bench|src|tests|include|examples|cmake|fuzz)/[\w./-]*\w")
PAGES = ["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/GLOSSARY.md",
         *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs/design").glob("*.md")))]


def missing_paths(text, exists):
    """Paths that a page names and that are not there, without those with a placeholder or a pattern."""
    found = {match.group() for match in PATH.finditer(text) if text[match.end():match.end() + 1] not in tuple("*<{_")}
    return sorted(path for path in found if not exists(path))


class PagesTest(unittest.TestCase):
    def test_architecture_is_short(self):
        n_lines = len((ROOT / "docs/ARCHITECTURE.md").read_text().splitlines())
        self.assertLessEqual(n_lines, MAX_ARCHITECTURE_LINES, "move details to docs/design/")

    def test_missing_paths_are_found(self):
        text = "see docs/A.md, `tools/b` and src/c/d.cc; tests/server_*_test.py and src/kernels/isa_<name>.h are patterns"
        self.assertEqual(missing_paths(text, lambda path: path == "tools/b"), ["docs/A.md", "src/c/d.cc"])

    def test_paths_exist(self):
        for page in PAGES:
            self.assertEqual(missing_paths((ROOT / page).read_text(), lambda path: (ROOT / path).exists()), [], page)


if __name__ == "__main__":
    unittest.main()
