#!/usr/bin/env python3
"""A limit that is lowered while a model runs whose experts are on disk: memory is freed, and the answer is the same.

Needs root and a memory cgroup (v1 or v2) that it may make a group in; without them it is skipped.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import program  # noqa: E402

MIB = 1 << 20


class Group:
    """A memory cgroup under the root of its hierarchy, removed in the end."""

    def __init__(self):
        v1 = pathlib.Path("/sys/fs/cgroup/memory")
        self.is_v1 = v1.is_dir()
        self.folder = (v1 if self.is_v1 else pathlib.Path("/sys/fs/cgroup")) / f"ogas-test-{os.getpid()}"
        self.folder.mkdir()
        if not (self.folder / self.hard).exists():
            self.close()
            raise OSError("the memory controller is not switched on")

    @property
    def hard(self):
        return "memory.limit_in_bytes" if self.is_v1 else "memory.max"

    @property
    def soft(self):
        """What may be set below what is used."""
        return "memory.soft_limit_in_bytes" if self.is_v1 else "memory.high"

    def write(self, name, value):
        (self.folder / name).write_text(str(value))

    def used(self):
        """Bytes, page cache aside."""
        fields = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
        return int(fields["total_rss" if self.is_v1 else "anon"])

    def close(self):
        for _ in range(100):  # its last process may still be on its way out
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.05)


class MemoryLimitTest(program.ProgramTest):
    OPTIONS = ("--threads", 2, "--ctx", 1024, "--batch", 32, "--expert-cache", "300M")

    def setUp(self):
        super().setUp()
        try:
            self.group = Group()
        except OSError as error:
            self.skipTest(f"no memory cgroup can be made here: {error}")
        self.addCleanup(self.group.close)

        self.model = self.folder / "experts.gguf"
        self.ogas("synth", "qwen3-30b-a3b", self.model, "--layers", 1, "--type", "q4_0")
        self.group.write(self.group.hard, 2048 * MIB)

    def enter_group(self):
        """In the program's process, before it is one."""
        (self.group.folder / "cgroup.procs").write_text(str(os.getpid()))

    def lower_limit(self, process):
        """By so much that experts have to be evicted; waits until they are."""
        limit = self.group.used() - 60 * MIB
        self.group.write(self.group.soft, limit)
        deadline = time.monotonic() + program.SECONDS
        while self.group.used() > limit and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertIsNone(process.poll(), "it was to give memory back while it runs")
        self.assertLessEqual(self.group.used(), limit)
        # Now that the kernel can: it refuses (v1), or kills (v2), if a process has not freed memory.
        self.group.write(self.group.hard, limit + 40 * MIB)

    def test_memory_goes_back(self):
        run = ("run", self.model, "x", "--raw", "--greedy", "--ignore-eos", *self.OPTIONS, "-n", 250)
        process = subprocess.Popen([program.BINARY, *map(str, run)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                                   env=self.environment, cwd=self.folder, preexec_fn=self.enter_group)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        answer = b""
        while len(answer) < 200:  # by then it has taken most of its memory
            part = process.stdout.read(200)
            self.assertTrue(part, "it ended")
            answer += part
        self.lower_limit(process)
        rest, errors = process.communicate(timeout=program.SECONDS)
        self.assertEqual(process.returncode, 0, errors)
        self.assertRegex(errors.decode(), r"the limit on memory fell to \d+ MB: \d+ of 128 experts fit in memory, "
                                          r"\d+ did; answers stay the same and take longer\n")
        self.assertEqual(answer + rest, self.ogas(*run).stdout)

    def test_a_server_with_nothing_to_do_gives_back_too(self):
        process, url = self.serve(self.model, *self.OPTIONS, preexec_fn=self.enter_group)

        def ask():
            body = json.dumps({"prompt": "x", "max_tokens": 100, "temperature": 0, "ignore_eos": True})
            request = urllib.request.Request(f"{url}/v1/completions", body.encode(),
                                             {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=program.SECONDS) as answer:
                return json.load(answer)["choices"]
        answer = ask()
        self.lower_limit(process)
        self.assertIn("the limit on memory fell to ", (self.folder / "serve.log").read_text())
        self.assertEqual(ask(), answer)


if __name__ == "__main__":
    unittest.main()
