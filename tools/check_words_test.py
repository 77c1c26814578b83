#!/usr/bin/env python3
"""Tests of tools/check_words.py: each rule finds what it is for, and nothing else."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_words  # noqa: E402

BANNED = [
    "a cache of 12 places", "at the pace of memory", "they run in turns", "short turns on the core", "the rows are turned round",
    "its favourites", "used lately", "after so many tokens", "beside it", "what stands behind it", "whoever asks",
    "bits hang on it", "it hangs only on it", "the hub's names", "begins anew", "this is quicker", "held against it",
    "holds each kernel against the reference", "tells them apart", "a request on its way", "it goes on from there",
    "names stand here", "news of an answer", "there is room for it", "nothing from the heap", "this is no number",
    "a guess of what comes", "a row is given or generated", "the head for the token after the next",
    "pieces of a prompt", "what is to be had", "two worlds of names", "soften the scores", "the router has spoken",
    "at the most", "remembered prefixes", "it steals memory",
]
FINE = [
    "it takes place in memory, in one place, in the first place", "three decimal places", "not so many tokens", "held in memory",
    "FP32 stands for 32 bits", "makes room for it", "there is no file", "there are no tokens", "it is no longer there",
    "it is not a number", "behind a reverse proxy", "placed at the end", "quick", "mostly", "the given number",
]
BANNED_NAMES = ["n_places", "place_of", "PlacesTest", "least_weight", "n_most_rows", "kMost", "kLeastRows", "half_life_pace",
                "is_lately", "favourite_ids", "beside_s", "read_behind", "soften_row", "n_guesses", "make_room", "hub_name",
                "ask_ahead", "way_back", "MOST_SECONDS", "ThoseBehindIt"]
FINE_NAMES = ["n_slots", "at_least", "at_most", "kAtLeastOne", "most_common", "placement", "almost_equal", "HF_HUB_OFFLINE",
              "huggingface_hub", "broom_of", "place_weights"]


class CheckWordsTest(unittest.TestCase):
    def errors_of(self, text, exceptions=()):
        """Errors as "line: found"."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "a.cc"
            path.write_text(text)
            self.checker = check_words.Checker(folder, list(exceptions))
            self.checker.check(path)
            self.checker.check_exceptions()
            return [":".join(error.split(":")[1:3]).split("'")[0] + error.split("'")[1] for error in self.checker.errors]

    def test_banned_phrases(self):
        for text in BANNED:
            self.assertTrue(self.errors_of(f"// {text}\n"), text)

    def test_fine_phrases(self):
        for text in FINE:
            self.assertEqual(self.errors_of(f"// {text}\n"), [], text)

    def test_every_phrase_has_an_example(self):
        for pattern, _ in check_words.PROSE:
            self.assertTrue(any(check_words.re.search(pattern, text, check_words.re.IGNORECASE) for text in BANNED), pattern)

    def test_names(self):
        for name in BANNED_NAMES:
            self.assertEqual(self.errors_of(f"int {name} = 1;\n"), [f"1: {name}"], name)
        for name in FINE_NAMES:
            self.assertEqual(self.errors_of(f"int {name} = 1;\n"), [], name)

    def test_over_the_end_of_a_line(self):
        self.assertEqual(self.errors_of("int a;\n  // told\n  // apart\n"), ["2: told apart"])
        self.assertEqual(self.errors_of('f("it goes "\n  "on");\n'), ["1: goes on"])
        self.assertEqual(self.errors_of("# it goes\n# on\n"), ["1: goes on"])

    def test_exceptions(self):
        exception = (r"a\.cc", "beside the sea", "reason")
        self.assertEqual(self.errors_of("// beside the sea\n", [exception]), [])
        self.assertEqual(self.errors_of("// beside it\n", [exception]), ["1: beside"])
        self.assertEqual(len(self.checker.warnings), 1)
        self.assertEqual(self.errors_of("// beside the sea\n", [("b.cc", "beside the sea", "reason")]), ["1: beside"])

    def test_what_is_not_ours_is_left_out(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in ["src/a.cc", "tests/data/a.txt", "docs/GLOSSARY.md", "docs/a.svg", "src/b.bin"]:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(b"x\0" if name.endswith(".bin") else b"x")
            found = [path.relative_to(root).as_posix() for path in check_words.texts_in(root, ["src", "tests", "docs"])]
            self.assertEqual(found, ["src/a.cc"])

    def test_exit_status(self):
        script = pathlib.Path(check_words.__file__)
        run = lambda *arguments: subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True)
        self.assertEqual(run("src/base").returncode, 0)
        missing = run("no/such/folder")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no/such/folder", missing.stdout)


if __name__ == "__main__":
    unittest.main()
