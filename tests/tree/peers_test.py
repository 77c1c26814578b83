#!/usr/bin/env python3
"""How bench/peers.py evaluates its measurements, and its error without llama.cpp; llama.cpp itself is not run."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import peers  # noqa: E402


FIGURES = ["prefill 512", "decode at 0", "decode at 8192"]


def rates(value):
    return dict.fromkeys(FIGURES, value)


def table_of(one_round):
    rows = peers.summarize(FIGURES, [one_round])
    return peers.as_markdown({"file": "x.gguf", "bytes": 10**9, "threads": 2, "rounds": 1, "isa": "avx2",
                              "peers": [who for who in one_round if who.endswith("llama.cpp")],
                              "machine": {"read_bytes_per_s": [2e10], "products": {"4-bit": 7e11}},
                              "conditions": {"undisturbed": rows, "disturbed": rows}})


def columns_of(table):
    return {line.count("|") - 1 for line in table.splitlines() if line.startswith("|")}


class PeersTest(unittest.TestCase):
    def test_ratios_are_those_of_rounds(self):
        # The machine slows down by half in the second round, and for both.
        rounds = [{"ogas": rates(30.0), "llama.cpp": rates(10.0), "limits": rates(60.0)},
                  {"ogas": rates(15.0), "llama.cpp": rates(5.0), "limits": rates(30.0)},
                  {"ogas": rates(32.0), "llama.cpp": rates(8.0), "limits": rates(60.0)}]
        row = peers.summarize(FIGURES, rounds)[peers.decode_at(0)]
        self.assertEqual(row["llama.cpp"]["ratio"]["median"], 3.0)
        self.assertAlmostEqual(row["llama.cpp"]["ratio"]["spread"], 0.5 / 2 / 3)
        self.assertEqual(row["ogas"]["fraction"], 0.5)
        self.assertEqual(row["llama.cpp"]["fraction"], 1 / 6)
        self.assertEqual(row["limit"], 60)

    def test_the_table(self):
        table = table_of({"ogas": rates(30.0), "llama.cpp": rates(10.0), "limits": rates(60.0)})
        self.assertIn("| decode at 0 | 30.0 | 10.0 | 3.00 | 60.0 | 50% | 17% |\n", table)
        self.assertIn("| decode at 0, cores busy | 30.0 ", table)
        self.assertEqual(columns_of(table), {7})

    def test_a_second_peer_with_fewer_figures(self):
        table = table_of({"ogas": rates(30.0), "llama.cpp": rates(10.0), "ik_llama.cpp": {"decode at 0": 15.0},
                          "limits": rates(60.0)})
        self.assertIn("| decode at 0 | 30.0 | 10.0 | 3.00 | 15.0 | 2.00 | 60.0 | 50% | 17% | 25% |\n", table)
        self.assertIn("| prefill 512 | 30.0 | 10.0 | 3.00 |  |  | 60.0 | 50% | 17% |  |\n", table)
        self.assertEqual(columns_of(table), {10})

    def test_each_program_begins_in_turn(self):
        with tempfile.TemporaryDirectory() as folder:
            order = pathlib.Path(folder) / "order"
            programs = {name: pathlib.Path(folder) / name for name in ("ogas", "ik")}
            tests = [{"test": "pp512", "samples_ts": [1, 5, 2]}, {"test": "tg16@pp8192", "samples_ts": [3]}]
            for name, path in programs.items():
                path.write_text(f"#!/bin/sh\necho {name} $@ >> {order}\necho '{json.dumps(tests)}'\n")
                path.chmod(0o755)
            args = argparse.Namespace(ogas=programs["ogas"], ik_llama_bench=programs["ik"], threads=2, repeat=3, batch=None,
                                      depth=[8192])
            with unittest.mock.patch.object(peers, "run_llama_cpp", lambda *_: {}):
                rounds = [peers.run_round("x.gguf", args, first) for first in range(3)]
            self.assertEqual(rounds[0]["ik_llama.cpp"], {"prefill 512": 2, "decode at 8192": 3})
            lines = order.read_text().splitlines()
            self.assertEqual([line.split()[0] for line in lines], ["ogas", "ik", "ik", "ogas", "ik", "ogas"])
            self.assertIn("-p 512 -n 0 -gp 8192,16 -rtr 1 -fmoe 1", lines[1])

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
