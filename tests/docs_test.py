#!/usr/bin/env python3
"""That Markdown is what it looks like in its source: a table is one, and its rows have as many cells as its head."""

import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
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
                yield number, "a row that stands in no table"
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


if __name__ == "__main__":
    unittest.main()
