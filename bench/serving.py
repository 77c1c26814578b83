"""A running `ogas serve` for benchmarks."""
import contextlib
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFAULT_MODEL = pathlib.Path(os.environ.get("OGAS_MODELS", pathlib.Path.home() / ".cache/ogas/models")) / \
    "SmolLM2-135M-Instruct.Q4_1.gguf"


def add_arguments(parser):
    parser.add_argument("--model", type=pathlib.Path, default=DEFAULT_MODEL)
    parser.add_argument("--ogas", type=pathlib.Path, default=ROOT / "build/release/ogas")


@contextlib.contextmanager
def serving(ogas, model, options=("--prefix-cache", "0"), env=None):
    """The port of a server, by default without a prefix cache on disk. At the end it is stopped, and must exit with success."""
    server = subprocess.Popen([ogas, "serve", model, "--port", "0", "-q", *options], stderr=subprocess.PIPE, text=True, env=env)
    try:
        while not (match := re.search(r"serving .*:(\d+) ", line := server.stderr.readline())):
            if not line:
                sys.exit("the server did not start")
        yield int(match[1])
        server.terminate()
        if server.wait(60) != 0:
            sys.exit(f"the server ended with {server.returncode}")
    finally:
        server.kill()
        server.wait()
