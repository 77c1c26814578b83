"""How tests start the server and ask it: a base for tests, one server for each class of them.

Every answer goes through a RecordingProxy, and after each test all of them are compared with OpenAI's description.
To be started by the Python that tools/get_clients installs; tests/with_clients does that.
"""

import ctypes
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import openai_schema  # noqa: E402
from program import BINARY, END, ISA, MODEL, SECONDS, ProgramTest  # noqa: E402
from recording_proxy import RecordingProxy  # noqa: E402

# What is served by now. The tests of what is not yet are skipped.
SERVES_RESPONSES = True
SERVES_OLLAMA = True

# Answers end by their length, whatever the bits of the logits: of requests, and of `ogas run`.
ENDLESS = {"logit_bias": {str(END): -100}}
RUN_ENDLESS = ("--logit-bias", f"{END}-100")

CLIENTS = pathlib.Path(os.environ.get("OGAS_TEST_CLIENTS", ""))
NAME = pathlib.Path(MODEL).name.removesuffix(".gguf")  # of the model, as it is served
PR_SET_PDEATHSIG = 1

# Nothing of the caller's may reach the clients: no proxies, no keys, no model downloads, no telemetry.
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name.startswith(("OPENAI_", "ANTHROPIC_", "OLLAMA_", "LANGCHAIN_", "LANGSMITH_", "HF_")):
        del os.environ[name]
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1",
                  LANGSMITH_TRACING="false", TOKENIZERS_PARALLELISM="false", OPENAI_API_KEY="none")


def end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A running server in a folder of its own, which is also its HOME."""

    def __init__(self, *options, environment=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ogas-server-"))
        self.log_path = self.folder / "log"
        own = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8", **({"OGAS_ISA": ISA} if ISA else {}),
               **(environment or {})}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen([BINARY, "serve", MODEL, "--port", "0", *map(str, options)], cwd=self.folder, env=own,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=end_with_parent)
        self.proxy = None
        try:
            self.address = self.wait_for_address()
            self.proxy = RecordingProxy(self.address)
            self.url = f"http://127.0.0.1:{self.proxy.port}"
            self.wait_until_ready()
        except BaseException:
            sys.stderr.write(f"the server's log:\n{self.log()}\n")
            self.stop()
            raise

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait(self, condition, what):
        deadline = time.monotonic() + SECONDS
        while not (found := condition()):
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode} before {what}")
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {SECONDS} s for {what}")
            time.sleep(0.02)
        return found

    def wait_for_address(self):
        match = self.wait(lambda: re.search(r" at https?://([\d.]+):(\d+) ", self.log()), "it told its address")
        return match[1], int(match[2])

    def wait_until_ready(self):
        def is_ready():
            try:
                return self.get_directly("/ready") == 200
            except OSError:
                return False
        self.wait(is_ready, "it was ready")

    def get_directly(self, path):
        connection = http.client.HTTPConnection(*self.address, timeout=SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def stop(self):
        if self.proxy:
            self.proxy.close()
        self.process.terminate()
        try:
            code = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "nothing, 20 s after SIGTERM"
        log = self.log()
        shutil.rmtree(self.folder, ignore_errors=True)
        return code, log


class ServerTest(ProgramTest):
    OPTIONS = ()  # of the server
    ENVIRONMENT = {}
    CHECKS_SCHEMA = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(*cls.OPTIONS, environment=cls.ENVIRONMENT)
        cls.addClassCleanup(cls.stop_server)

    @classmethod
    def stop_server(cls):
        code, log = cls.server.stop()
        if code != 0:
            raise AssertionError(f"the server ended with {code} on SIGTERM; its log ends: {log[-2000:]}")

    @property
    def url(self):
        return self.server.url

    def run(self, result=None):
        if result is None:
            result = self.defaultTestResult()
        if not hasattr(self, "server"):  # a class that is skipped
            return super().run(result)
        n_before, log_before = len(result.failures) + len(result.errors), len(self.server.log())
        self.proxy_at = len(self.server.proxy.connections)
        super().run(result)
        if len(result.failures) + len(result.errors) > n_before:
            sys.stderr.write(f"\nthe server's log during {self.id()}:\n{self.server.log()[log_before:][-6000:]}\n")
        return result

    def setUp(self):
        super().setUp()
        self.addCleanup(self.check_answers)

    def exchanges(self):
        """What was said during this test, except on connections that clients kept from an earlier one."""
        return [exchange for connection in self.server.proxy.connections[self.proxy_at:]
                for exchange in connection.exchanges()]

    def check_answers(self):
        """All answers of the server are as OpenAI describes them."""
        exchanges = self.exchanges()
        for exchange in exchanges:
            self.assertLess(exchange.status, 500, exchange)
            self.assertRegex(exchange.headers.get("x-request-id", ""), r"\Areq_[0-9a-f]{16}\Z", exchange)
        if openai_schema.is_missing() or not self.CHECKS_SCHEMA:
            return
        for exchange in exchanges:
            for fault in openai_schema.check(exchange):
                self.fail(f"{fault}\n{exchange}")

    # Requests without a client's help.

    def ask(self, method, path, body=None, headers=None):
        """(status, JSON or text)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.proxy.port, timeout=SECONDS)
        try:
            data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            reply = connection.getresponse()
            text = reply.read()
            is_json = reply.headers.get_content_type() == "application/json"
            return reply.status, json.loads(text) if is_json and text else text.decode()
        finally:
            connection.close()

    def ask_ok(self, method, path, body=None):
        status, reply = self.ask(method, path, body)
        self.assertEqual(status, 200, reply)
        return reply

    def metric(self, name):
        status, text = self.ask("GET", "/metrics")
        self.assertEqual(status, 200)
        return float(re.search(rf"(?m)^{re.escape(name)} ([\d.e+-]+)$", text)[1])

    def wait_for_metric(self, name, value):
        deadline = time.monotonic() + SECONDS
        while (found := self.metric(name)) != value:
            self.assertLess(time.monotonic(), deadline, f"{name} is {found}, not {value}")
            time.sleep(0.05)

    # What the program says without a server.

    def greedy(self, prompt, n, *options):
        """What `ogas run` answers, always taking the likeliest token: its JSON."""
        result = self.ogas("run", MODEL, "--greedy", "--json", "-n", n, *options, stdin=prompt.encode())
        return json.loads(result.stdout)

    def greedy_to_the_end(self, prompt, n=64):
        """An answer that the model ends by itself, whatever the bits of its logits: (logit_bias, its JSON).

        With the least bias towards the end that makes it so; mostly none.
        """
        for bias in range(0, 40, 2):
            answer = self.greedy(prompt, n, "--logit-bias", f"{END}+{bias}")
            if answer["finish_reason"] == "stop" and answer["text"]:
                return {str(END): bias}, answer
        self.fail(f"no bias ends the answer to {prompt!r} after a word and before {n} tokens")

    def score(self, context, *continuations):
        """What `ogas score` says of them: a list of JSON."""
        options = [word for text in continuations for word in ("--continuation", text)]
        result = self.ogas("score", MODEL, "--context", context, *options, "--tokens", "--json")
        return json.loads(result.stdout)["continuations"]


def main():
    if reason := openai_schema.is_missing():
        sys.stderr.write(f"not compared with OpenAI's description: {reason}\n")
    unittest.main()
