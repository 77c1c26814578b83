#!/usr/bin/env python3
"""How bench/peers.py evaluates its measurements, and its error without llama.cpp; llama.cpp itself is not run."""

import os
import pathlib
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import peers  # noqa: E402


FIGURES = ["prefill 512", "decode at 0", "decode at 8192"]


def rates(value):
    return dict.fromkeys(FIGURES, value)


class PeersTest(unittest.TestCase):
    def test_ratios_are_those_of_rounds(self):
        # The machine slows down by half in the second round, and for both.
        rounds = [{"ogas": rates(30.0), "llama.cpp": rates(10.0), "limits": rates(60.0)},
                  {"ogas": rates(15.0), "llama.cpp": rates(5.0), "limits": rates(30.0)},
                  {"ogas": rates(32.0), "llama.cpp": rates(8.0), "limits": rates(60.0)}]
        row = peers.summarize(FIGURES, rounds)[peers.decode_at(0)]
        self.assertEqual(row["ratio"]["median"], 3.0)
        self.assertAlmostEqual(row["ratio"]["spread"], 0.5 / 2 / 3)
        self.assertEqual(row["ogas"]["fraction"], 0.5)
        self.assertEqual(row["llama.cpp"]["fraction"], 1 / 6)
        self.assertEqual(row["limit"], 60)

    def test_the_table(self):
        rows = peers.summarize(FIGURES, [{"ogas": rates(30.0), "llama.cpp": rates(10.0), "limits": rates(60.0)}])
        table = peers.as_markdown({"file": "x.gguf", "bytes": 10**9, "threads": 2, "rounds": 1, "isa": "avx2",
                                   "machine": {"read_bytes_per_s": [2e10], "products": {"4-bit": 7e11}},
                                   "conditions": {"undisturbed": rows, "disturbed": rows}})
        self.assertIn("| decode at 0 | 30.0 | 10.0 | 3.00 | 60.0 | 50% | 17% |\n", table)
        self.assertIn("| decode at 0, cores busy | 30.0 ", table)
        columns = {line.count("|") for line in table.splitlines() if line.startswith("|")}
        self.assertEqual(columns, {8})

    def test_busy_processes_stay_on_their_core_and_end(self):
        core = min(os.sched_getaffinity(0))
        with peers.busy_cores([core]):
            deadline = time.monotonic() + 60
            children = set()
            while time.monotonic() < deadline and not any(os.sched_getaffinity(pid) == {core} for pid in children):
                children = set(map(int, pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))
                time.sleep(0.01)
            self.assertEqual([os.sched_getaffinity(pid) for pid in children], [{core}])
        self.assertFalse(any(pathlib.Path(f"/proc/{pid}").exists() for pid in children))

    def test_what_is_missing(self):
        done = subprocess.run([sys.executable, "-I", "-S", ROOT / "bench/peers.py"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Allama_cpp and numpy not found: .*pip install .*llama-cpp-python[^\n]*\n\Z")


if __name__ == "__main__":
    unittest.main()
