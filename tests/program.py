"""How tests start the program: OGAS_BINARY names it, OGAS_TEST_MODEL the default model's file."""

import os
import pathlib
import re
import struct
import subprocess
import tempfile
import time
import unittest

BINARY = os.environ.get("OGAS_BINARY", str(pathlib.Path(__file__).resolve().parent.parent / "build/release/ogas"))
MODEL = os.environ["OGAS_TEST_MODEL"]
ISA = os.environ.get("OGAS_ISA", "")  # the instruction set to test; empty: the best one here
IS_REFERENCE = ISA == "reference"     # which takes 20 to 100 times as long
SECONDS = 600 if IS_REFERENCE else 60  # longer than anything takes on a busy machine
END = 2  # the token that ends the default model's answers


class ProgramTest(unittest.TestCase):
    """A folder of its own, which is also HOME, and an environment without the caller's settings."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8", "TERM": "xterm-256color",
                            "OGAS_MODELS": str(pathlib.Path(MODEL).parent), **({"OGAS_ISA": ISA} if ISA else {})}

    def ogas(self, *arguments, stdin=b"", code=0, **options):
        """Runs it and compares the exit code. The result's stdout and stderr are bytes and text."""
        result = subprocess.run([BINARY, *map(str, arguments)], input=stdin, capture_output=True, timeout=SECONDS,
                                env=options.pop("env", self.environment), cwd=self.folder, **options)
        result.stderr = result.stderr.decode()
        self.assertEqual(result.returncode, code, (arguments, result.stderr))
        return result

    def fails(self, code, text, *arguments, **options):
        """It must end with that code, nothing on stdout, and one line of error with the text in it."""
        result = self.ogas(*arguments, code=code, **options)
        self.assertEqual(result.stdout, b"")
        self.assertIn(text, result.stderr)
        self.assertRegex(result.stderr, r"\Aogas: error: [^\n]*\n\Z")

    def serve(self, model, *options, **more):
        """Starts a server, whose log is serve.log; its process and URL."""
        log_path = self.folder / "serve.log"
        with log_path.open("wb") as log:
            server = subprocess.Popen([BINARY, "serve", *map(str, (model, "--port", 0, *options))], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=log, env=self.environment, **more)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        deadline = time.monotonic() + SECONDS
        while not (match := re.search(r"serving \S+ at (http://[\d.:]+)", log_path.read_text())):
            self.assertIsNone(server.poll(), "it ended")
            self.assertLess(time.monotonic(), deadline, "it did not tell its address")
            time.sleep(0.02)
        return server, match[1]

    def read_npy(self, path):
        """A float32 matrix: rows, columns, numbers."""
        data = path.read_bytes()
        self.assertEqual(data[:8], b"\x93NUMPY\x01\x00")
        length, = struct.unpack("<H", data[8:10])
        self.assertEqual((10 + length) % 64, 0)
        match = re.fullmatch(r"\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\), \} *\n",
                             data[10:10 + length].decode())
        n_rows, n_columns = int(match[1]), int(match[2])
        numbers = memoryview(data[10 + length:]).cast("f")
        self.assertEqual(len(numbers), n_rows * n_columns)
        return n_rows, n_columns, numbers


def gguf(metadata, path):
    """A model file of this metadata (texts and 32-bit numbers) and no tensors."""
    def text(value):
        data = value.encode()
        return struct.pack("<Q", len(data)) + data

    data = struct.pack("<4sIQQ", b"GGUF", 3, 0, len(metadata))
    for key, value in metadata.items():
        data += text(key)
        data += struct.pack("<I", 8) + text(value) if isinstance(value, str) else struct.pack("<II", 4, value)
    path.write_bytes(data)
    return path
