#!/usr/bin/env python3
"""ogas top: its report, and its screen on a terminal."""

import json
import os
import pathlib
import re
import signal
import sys
import termios
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from chat_test import Terminal  # noqa: E402
from fake_server import FakeServer, send  # noqa: E402
from program import MODEL, SECONDS, ProgramTest  # noqa: E402

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


def histogram(name, *counts):
    bounds = ("0.05", "0.1", "0.5", "+Inf")
    lines = [f'{name}_bucket{{le="{bound}"}} {count}' for bound, count in zip(bounds, counts)]
    return "\n".join([f"# TYPE {name} histogram", *lines, f"{name}_sum {counts[-1] * 0.08}", f"{name}_count {counts[-1]}"])


class Metrics:
    """Of a busy server: every look finds more."""

    def __init__(self):
        self.n, self.more = 0, ""

    def __call__(self, handler, _):
        n = self.n
        self.n += 1
        send(handler, 200, "text/plain; version=0.0.4", f"""# HELP ogas_info The model
ogas_info{{model="tiny\\"model"}} 1
ogas_requests_running 3
ogas_requests_waiting 1
ogas_connections 12
ogas_kv_bytes_used 300000000
ogas_kv_bytes_cached 100000000
ogas_kv_bytes_budget 400000000
process_resident_memory_bytes 500000000
ogas_prompt_tokens_total {1000 * n}
ogas_generated_tokens_total {100 * n}
ogas_expert_hits_total {90 * n}
ogas_expert_misses_total {10 * n}
ogas_expert_bytes_read_total {10**8 * n}
ogas_http_replies_total{{path="/v1/models",status="200"}} {2 * n}
ogas_http_replies_total{{path="/v1/chat/completions",status="500"}} 1
{histogram("ogas_first_token_seconds", 0, 10 * n, 10 * n, 10 * n)}
{histogram("ogas_time_per_token_seconds", 0, 0, 0, 0)}
{self.more}
""")


class TopTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.environment["NO_COLOR"] = "1"
        self.metrics = Metrics()
        self.server = FakeServer({"/metrics": self.metrics})
        self.addCleanup(lambda: self.server.close())

    def top(self, *options, **more):
        terminal = Terminal(["top", self.server.url, "--interval", "0.1", *options], self.environment, **more)
        self.addCleanup(terminal.close)
        return terminal

    def restored(self, terminal):
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)
        self.assertEqual(terminal.output.count(ENTER), terminal.output.count(LEAVE))
        self.assertEqual(terminal.output.count("\x1b[?25l"), terminal.output.count("\x1b[?25h"))
        self.assertTrue(terminal.output.endswith(LEAVE), terminal.output[-100:])

    def test_a_report(self):
        for option in ((), ("--once",)):
            text = self.ogas("top", self.server.url, "-i", "0.2", *option).stdout.decode()
            self.assertNotIn("\x1b", text)
            for line in (r'model +tiny"model', r"requests +3 running · 1 waiting · 12 connections", r"prompts +\d{4} tok/s",
                         r"generated +\d{3} tok/s", r"first token +mean 80 ms · p50 75 ms · p90 95 ms \(10 in the last minute\)",
                         r"per token +no answer in the last minute",
                         r"KV memory +█+▒+·+ 200 MB in use, 100 MB remembered, of 400 MB", r"memory +500 MB",
                         r"experts +90.0% found in memory · \d{3} MB/s from disk", r"replies +200: 2 .*/s\) · 500: 1\n"):
                self.assertRegex(text, line)
            self.metrics.n = 0

    def test_json(self):
        result = self.ogas("top", f"127.0.0.1:{self.server.port}/v1", "--json", "-i", "0.2")
        load = json.loads(result.stdout)
        self.assertEqual((load["url"], load["model"], load["requests_running"]), (self.server.url, 'tiny"model', 3))
        self.assertAlmostEqual(load["generated_tokens_per_second"] * load["seconds"], 100)
        self.assertAlmostEqual(load["expert_hit_share"], 0.9)
        self.assertAlmostEqual(load["first_token"]["p50_seconds"], 0.075)
        self.assertEqual(load["per_token"], {"count": 0, "mean_seconds": None, "p50_seconds": None, "p90_seconds": None})
        self.assertEqual(load["replies"], {"200": 2, "500": 1})
        self.assertIsNone(load["kv_share"])

    def test_errors(self):
        self.fails(1, "Failed to connect", "top", "127.0.0.1:1")
        self.fails(2, "is not the URL of a server", "top", "a b")
        self.fails(2, "between 0.1 and 3600", "top", "--interval", "0")
        for reply, code, message in ((("<html>",), 1, "line 1 of the metrics: '<html>' begins with no name"),
                                     (("up 1\n",), 3, "among 1 metrics there is none of a server that ogas top knows"),
                                     (("",), 3, "among 0 metrics")):
            self.server.replies["/metrics"] = lambda handler, _, text=reply[0]: send(handler, 200, "text/plain", text)
            self.fails(code, message, "top", self.server.url)
        self.server.replies["/metrics"] = lambda handler, _: send(handler, 401, "application/json",
                                                                  '{"error": {"message": "no key"}}')
        self.fails(1, "/metrics: status 401: no key", "top", self.server.url)

    def test_a_key_is_sent(self):
        self.environment["OGAS_API_KEY"] = "ours"
        self.ogas("top", self.server.url, "-i", "0.1")
        self.assertEqual(self.server.requests[0][2]["Authorization"], "Bearer ours")

    def test_the_screen_is_kept_up_to_date(self):
        terminal = self.top()
        for _ in range(3):
            terminal.expect(r"\x1b\[Hogas top http://127.0.0.1:\d+\x1b\[K\r\n")
        terminal.expect(r"generated +\d+ tok/s +[▁-█]+\x1b\[K")
        self.assertNotRegex(terminal.output, r"\x1b\[[\d;]*m")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)

    def test_colours(self):
        del self.environment["NO_COLOR"]
        terminal = self.top()
        terminal.expect(r"\x1b\[1mogas top\x1b\[0m")
        terminal.expect(r"\x1b\[1;31m500: 1\x1b\[0m")
        terminal.type("\x03")
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)

    def test_a_resized_window(self):
        terminal = Terminal(["top", self.server.url, "--interval", "3"], self.environment, columns=60)
        self.addCleanup(terminal.close)
        bar = r"KV memory +([█▒·]+)"
        terminal.expect(bar)
        self.assertEqual(len(re.findall(bar, terminal.output)[-1]), 15)
        start = time.monotonic()
        terminal.resize(120)
        terminal.expect(r"KV memory +[█▒·]{30} ")
        self.assertLess(time.monotonic() - start, 2.5)
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)

    def test_a_server_that_goes_away_and_comes_back(self):
        terminal = self.top()
        terminal.expect("requests ")
        port = self.server.port
        self.server.replies["/metrics"] = lambda handler, _: send(handler, 500, "text/plain", "b\x1b]0;x\x07roken")
        terminal.expect(r"status 500: b ?\]0;x ?roken\x1b\[K\r\ntrying again")
        self.server.close()
        # A connection that is still there is answered for a while.
        self.server.replies["/metrics"] = lambda handler, _: handler.connection.close()
        terminal.expect("trying again")
        self.server = FakeServer({"/metrics": self.metrics}, port)
        terminal.expect("requests ")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)

    def test_leaving_while_the_server_is_silent(self):
        asked, release = threading.Event(), threading.Event()
        self.addCleanup(release.set)

        def silent(_, __):
            asked.set()
            release.wait(SECONDS)
        self.server.replies["/metrics"] = silent
        terminal = self.top()
        self.assertTrue(asked.wait(SECONDS))
        start = time.monotonic()
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)
        self.assertLess(time.monotonic() - start, 3)
        self.restored(terminal)

    def test_signals(self):
        for number, code in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP), (signal.SIGINT, 0)):
            terminal = self.top()
            terminal.expect("requests ")
            os.kill(terminal.pid, number)
            self.assertEqual(terminal.end(), code)
            self.restored(terminal)

    def test_hostile_metrics(self):
        self.metrics.more = "\n".join(
            ["ogas_http_replies_total{status=\"\x1b[2J\u009b\"} 1e308", "ogas_kv_bytes_used NaN", "ogas_connections 1e300",
             *(f'ogas_http_replies_total{{status="{n}"}} 1' for n in range(1000)),
             *(f'ogas_first_token_seconds_bucket{{le="{n}.7"}} {-n}' for n in range(1000))])
        terminal = self.top()
        for _ in range(3):
            terminal.expect("KV memory")
        self.assertNotIn("\x1b[2J\x9b", terminal.output)
        self.assertNotIn("\x9b", terminal.output)
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)
        json.loads(self.ogas("top", self.server.url, "-i", "0.1", "--json").stdout)

    def test_ogas_serve(self):
        if "serve" not in self.ogas("--help").stdout.decode().split():
            self.skipTest("this ogas has no command serve")
        _, url = self.serve(MODEL, "--prefix-cache", 0)
        self.ogas("chat", "--server", url, "-n", "4", stdin=b"Hi " * 100)  # pages enough to be remembered
        load = json.loads(self.ogas("top", url, "--json", "-i", "0.1").stdout)
        self.assertEqual(load["model"], pathlib.Path(MODEL).stem)
        self.assertEqual(load["generated_tokens"], 4)
        for name in ("requests_running", "requests_waiting", "connections", "kv_bytes_used", "kv_bytes_budget", "memory_bytes",
                     "prompt_tokens_per_second", "first_token", "per_token"):
            self.assertIsNotNone(load[name], name)
        self.assertGreater(load["kv_bytes_cached"], 0)
        self.assertGreaterEqual(load["kv_bytes_used"], load["kv_bytes_cached"])
        self.assertGreaterEqual(load["replies"]["200"], 2)


if __name__ == "__main__":
    unittest.main()
