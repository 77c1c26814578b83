#!/usr/bin/env python3
"""`ogas serve` with clients that are slow, wrong or gone, and what its operator relies on: keys, limits, TLS, an orderly
end. What well-behaved clients see is the server_*_test.py's.
"""

import contextlib
import ctypes
import errno
import http.client
import json
import os
import pathlib
import platform
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import BINARY, MODEL, SECONDS, ProgramTest  # noqa: E402

CHAT = "/v1/chat/completions"


def ask(text="Count to one hundred.", **fields):
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 4, "temperature": 0, **fields}


class ServerTest(ProgramTest):
    def serve(self, *arguments, environment=None, prefix=(), model=MODEL, **options):
        """Starts it on a free port; it is killed at the end of the test. Returns the process."""
        log = open(self.folder / f"serve{time.monotonic_ns()}.log", "w+")
        self.addCleanup(log.close)
        process = subprocess.Popen([*(prefix or [BINARY]), "serve", model, "--port", "0", *map(str, arguments)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, cwd=self.folder,
                                   env={**self.environment, **(environment or {})}, **options)
        self.addCleanup(self.end, process)
        process.log_path = log.name
        deadline = time.monotonic() + SECONDS
        while not (match := re.search(r"serving .* at (https?)://[^:/]+:(\d+)", self.log_of(process))):
            self.assertIsNone(process.poll(), self.log_of(process))
            self.assertLess(time.monotonic(), deadline, self.log_of(process))
            time.sleep(0.02)
        process.scheme, process.port = match[1], int(match[2])
        return process

    @staticmethod
    def log_of(process):
        return pathlib.Path(process.log_path).read_text()

    @staticmethod
    def end(process):
        process.kill()
        process.wait()

    def connect(self, server):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)
        self.addCleanup(connection.close)
        return connection

    def request(self, server, method, path, body=None, headers=None):
        """Status, headers, and the body as JSON where it is."""
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if isinstance(body, dict) else body, headers or {})
            response = connection.getresponse()
            text = response.read()
        is_json = (response.getheader("Content-Type") or "").startswith("application/json")
        return response.status, response.headers, json.loads(text) if is_json and text else text

    def exchange(self, server, data, shut=False, silence=3):
        """What comes back for these bytes until the server closes or is silent for this many seconds."""
        connection = self.connect(server)
        connection.sendall(data)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        connection.settimeout(silence)
        try:
            while part := connection.recv(65536):
                received += part
        except (TimeoutError, ConnectionResetError):
            pass
        connection.close()
        return received

    def gauge(self, server, name, headers=None):
        text = self.request(server, "GET", "/metrics", headers=headers)[2].decode()
        return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])

    def wait_for(self, condition, what):
        deadline = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def start_stream(self, server, **fields):
        """A connection whose answer has begun: its first bytes have come."""
        connection = self.connect(server)
        body = json.dumps(ask(stream=True, **{"max_tokens": 3000, "ignore_eos": True, **fields})).encode()
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" %
                           (CHAT.encode(), len(body), body))
        self.assertIn(b"200 OK", connection.recv(1000))
        return connection


def raw(head, body=b""):
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


class BadRequestsTest(ServerTest):
    def test_what_is_no_http_is_refused_and_the_server_goes_on(self):
        server = self.serve("--max-body", "20k")
        whole = json.dumps(ask()).encode()
        post = f"POST {CHAT} HTTP/1.1\nHost: localhost\n"
        for what, data, status in [
            ("garbage", b"\x00\x01\x02 nonsense\r\n\r\n", 400),
            ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
            ("no host", raw("GET /health HTTP/1.1"), 400),
            ("two hosts", raw("GET /health HTTP/1.1\nHost: localhost\nHost: localhost"), 400),
            ("a target that is not a path", raw("GET ftp://localhost/health HTTP/1.1\nHost: localhost"), 400),
            ("two lengths", raw(post + "Content-Length: 5\nContent-Length: 6", b"12345"), 400),
            ("a length and chunks", raw(post + f"Content-Length: {len(whole)}\nTransfer-Encoding: chunked",
                                        b"0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n"), 400),
            ("chunks and a length", raw(post + f"Transfer-Encoding: chunked\nContent-Length: {len(whole)}",
                                        b"0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n"), 400),
            ("a length that is none", raw(post + "Content-Length: -1"), 400),
            ("a length with a sign", raw(post + "Content-Length: +5", b"12345"), 400),
            ("a bad chunk", raw(post + "Transfer-Encoding: chunked", b"zz\r\nabc\r\n"), 400),
            ("a name with a space", raw("GET /health HTTP/1.1\nHost: localhost\nBad Name: 1"), 400),
            ("a null in a value", raw("GET /health HTTP/1.1\nHost: localhost\nName: a\x00b"), 400),
            ("a head too long", raw("GET /health HTTP/1.1\nHost: localhost\nName: " + "a" * 100_000), 431),
            ("a body too long", raw(post + "Content-Length: 30000", b"a" * 30_000), 413),
            ("chunks too long", raw(post + "Transfer-Encoding: chunked", b"7000\r\n" + b"a" * 0x7000 + b"\r\n0\r\n\r\n"), 413),
        ]:
            with self.subTest(what):
                reply = self.exchange(server, data)
                self.assertNotIn(b"ogas_info", reply)  # nothing was smuggled
                if status:
                    self.assertTrue(reply.startswith(b"HTTP/1.1 %d " % status), reply[:200])
                    self.assertIn("error", json.loads(reply.split(b"\r\n\r\n", 1)[1]))
        self.exchange(server, raw(post + "Content-Length: 1000", b"{"), shut=True)  # cut off
        self.assertEqual(self.request(server, "POST", CHAT, ask())[0], 200)
        self.wait_for(lambda: self.gauge(server, "ogas_connections") == 1, "connections stay")  # its own

    def test_requests_that_come_together_are_answered_in_order(self):
        server = self.serve()
        body = json.dumps(ask()).encode()
        reply = self.exchange(server, raw("GET /health HTTP/1.1\nHost: localhost") +
                              raw(f"POST {CHAT} HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}", body) +
                              raw("GET /v1/models HTTP/1.1\nHost: localhost\nConnection: close"), silence=SECONDS)
        found = [reply.find(text) for text in (b'"status":"ok"', b"chat.completion", b'"object":"list"')]
        self.assertEqual(found, sorted(found))
        self.assertNotIn(-1, found)

    def test_http_1_0_and_expect_continue(self):
        server = self.serve()
        reply = self.exchange(server, raw("GET /health HTTP/1.0"))
        self.assertTrue(reply.startswith(b"HTTP/1.1 200"), reply)
        body = json.dumps(ask(stream=True)).encode()
        reply = self.exchange(server, raw(f"POST {CHAT} HTTP/1.0\nContent-Length: {len(body)}", body), silence=SECONDS)
        self.assertNotIn(b"chunked", reply)
        self.assertTrue(reply.endswith(b"data: [DONE]\n\n"), reply)
        connection = self.connect(server)
        connection.sendall(raw(f"POST {CHAT} HTTP/1.1\nHost: localhost\nExpect: 100-continue\n"
                               f"Content-Length: {len(body)}"))
        self.assertTrue(connection.recv(1000).startswith(b"HTTP/1.1 100 "))
        connection.sendall(body)
        self.assertIn(b"200 OK", connection.recv(1000))

    def test_bodies_that_are_wrong_are_named(self):
        server = self.serve()
        message = {"role": "user", "content": "x"}
        for body, param, text in [
            ("", None, "not JSON"),
            ("{", None, "not JSON"),
            ("[]", None, "where an object is expected"),
            ('{"messages": "\xff"}'.encode("latin-1"), None, "not JSON"),
            ("[" * 100_000, None, "nested deeper"),
            ('{"a": 1, "a": 2}', "a", "twice"),
            ({}, "messages", "missing"),
            ({"messages": []}, "messages", "array of 0"),
            ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role", "king"),
            ({"messages": [{"role": "user"}]}, "messages[0].content", "missing"),
            ({"messages": [message, {**message, "x": 1}]}, "messages[1].x", "no field"),
            ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
             "messages[0].content[0].type", "text only"),
            ({"messages": [message], "temperature": "hot"}, "temperature", "a string"),
            ({"messages": [message], "temperature": 3}, "temperature", "0 to 2"),
            ({"messages": [message], "max_tokens": 1.5}, "max_tokens", "integer"),
            ({"messages": [message], "max_tokens": 10**18}, "max_tokens", "not in"),
            ({"messages": [message], "n": 1000}, "n", "not in"),
            ({"messages": [message], "logit_bias": {"x": 1}}, "logit_bias.x", "not a token"),
            ({"messages": [message], "logit_bias": {"99999999": 1}}, "logit_bias.99999999", "not a token"),
            ({"messages": [message], "stop": [1]}, "stop[0]", "a string is expected"),
            ({"messages": [message], "stream_options": {"include_usage": True}}, "stream_options", "stream is not true"),
            ({"messages": [message], "response_format": {"type": "xml"}}, "response_format.type", "none of text"),
            ({"messages": [message], "response_format": {"type": "json_schema", "json_schema": {}}},
             "response_format.json_schema.schema", "missing"),
            ({"messages": [message], "response_format": {"type": "json_schema", "json_schema": {
                "schema": {"properties": {"a": {"pattern": "(a)\\1"}}}}}},
             "response_format.json_schema.schema", "'#/properties/a/pattern'"),
            ({"messages": [message], "guided_regex": "(a"}, "guided_regex", "never closed"),
            ({"messages": [message], "grammar": "root ::= x"}, "grammar", "x"),
            ({"messages": [message], "guided_choice": []}, "guided_choice", "choice"),
            ({"messages": [message], "guided_regex": "a", "grammar": "root ::= \"a\""}, "grammar", "both"),
            ({"messages": [message], "guided_json": 7}, "guided_json", "JSON Schema"),
            ({"messages": [message], "json_schema": {}, "ignore_eos": True}, "json_schema", "ignore_eos"),
            ({"messages": [message], "structured_outputs": {"structural_tag": "{}"}},
             "structured_outputs.structural_tag.structures", "missing"),
            ({"messages": [message], "response_format": {"type": "structural_tag", "triggers": ["<a"], "structures": [
                {"begin": "<b>", "schema": {}, "end": "</b>"}]}}, "response_format.structures[0].begin", "none of the triggers"),
            ({"messages": [message], "response_format": {"type": "structural_tag", "triggers": [""], "structures": [
                {"begin": "<b>", "schema": {}, "end": "</b>"}]}}, "response_format.triggers", "an empty one"),
            ({"messages": [message], "tool_choice": "required"}, "tool_choice", "no tools"),
            ({"messages": [message], "tools": [{"type": "function", "function": {"name": "f"}}],
              "tool_choice": "always"}, "tool_choice", "'required' or an object"),
            ({"messages": [message], "tools": [{"type": "function", "function": {
                "name": "f", "strict": True, "parameters": {"properties": {"a": {"pattern": "(a)\\1"}}}}}]},
             "tools", "'#/properties/a/pattern'"),
            ({"messages": [message], "tools": [{"type": "function", "function": {"name": "f"}}], "guided_regex": "a"},
             "tools", "JSON Schema only"),
            ({"messages": [message], "functions": [{}]}, "functions", "no field"),
        ]:
            with self.subTest(str(body)[:80]):
                status, _, reply = self.request(server, "POST", CHAT, body)
                self.assertEqual(status, 400, reply)
                self.assertEqual(reply["error"]["param"], param)
                self.assertIn(text, reply["error"]["message"])
                self.assertEqual(reply["error"]["type"], "invalid_request_error")
        status, headers, _ = self.request(server, "DELETE", CHAT)
        self.assertEqual((status, headers["Allow"]), (405, "POST"))
        self.assertEqual(self.request(server, "GET", "/nowhere")[0], 404)

    def test_mutated_requests_never_fail_the_server(self):
        server = self.serve("--read-timeout", "1", "-q")
        rng = random.Random(7)
        body = json.dumps(ask(tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}])).encode()
        whole = raw(f"POST {CHAT} HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}\nConnection: close", body)
        for _ in range(150):
            data = bytearray(whole)
            for _ in range(rng.randrange(1, 6)):
                at = rng.randrange(len(data))
                match rng.randrange(3):
                    case 0: data[at] = rng.randrange(256)
                    case 1: del data[at:at + rng.randrange(1, 20)]
                    case 2: data[at:at] = data[rng.randrange(len(data)):][:rng.randrange(1, 20)]
            connection = self.connect(server)
            connection.sendall(bytes(data))
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(SECONDS)
            try:
                reply = connection.recv(65536)
            except ConnectionResetError:
                reply = b""
            self.assertNotRegex(reply[:20], rb"HTTP/1.1 5", bytes(data))
            connection.close()
        self.assertEqual(self.request(server, "POST", CHAT, ask())[0], 200)


class ClientsThatLeaveTest(ServerTest):
    def test_who_leaves_is_computed_no_further(self):
        server = self.serve()
        streams = [self.start_stream(server) for _ in range(3)]
        self.assertEqual(self.gauge(server, "ogas_requests_running"), 3)
        for connection in streams:
            connection.close()
        start = time.monotonic()
        self.wait_for(lambda: self.gauge(server, "ogas_requests_running") == 0, "requests of clients that disconnected continue")
        self.assertLess(time.monotonic() - start, SECONDS / 4)
        self.wait_for(lambda: self.gauge(server, "ogas_kv_bytes_used") == self.gauge(server, "ogas_kv_bytes_cached"), "pages")

    def test_who_waits_for_a_whole_answer_and_leaves_is_noticed_too(self):
        server = self.serve()
        connection = self.connect(server)
        body = json.dumps(ask(max_tokens=5000, ignore_eos=True)).encode()
        connection.sendall(raw(f"POST {CHAT} HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}", body))
        self.wait_for(lambda: self.gauge(server, "ogas_requests_running") == 1, "it never ran")
        connection.close()
        self.wait_for(lambda: self.gauge(server, "ogas_requests_running") == 0, "it continues")

    def test_a_head_or_body_that_does_not_come_is_given_up(self):
        server = self.serve("--read-timeout", "1")
        for data in (b"POST " + CHAT.encode(), raw(f"POST {CHAT} HTTP/1.1\nHost: localhost\nContent-Length: 1000", b"{")):
            connection = self.connect(server)
            connection.sendall(data)
            start = time.monotonic()
            self.assertIn(b" 408 ", connection.recv(1000))
            self.assertLess(time.monotonic() - start, 10)
        # A byte now and then does not help.
        connection = self.connect(server)
        closed = False
        for byte in b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"a" * 1000:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                closed = True
                break
            time.sleep(0.1)
        self.assertTrue(closed)

    def test_a_client_that_does_not_read_is_dropped(self):
        server = self.serve("--write-timeout", "1")
        connection = socket.socket()
        self.addCleanup(connection.close)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", server.port))
        # Log-probabilities make a stream of some kilobytes a token.
        body = json.dumps(ask(stream=True, max_tokens=8000, ignore_eos=True, logprobs=True, top_logprobs=20, n=8)).encode()
        connection.sendall(raw(f"POST {CHAT} HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}", body))
        self.wait_for(lambda: self.gauge(server, "ogas_requests_running") == 8, "they never ran")
        self.wait_for(lambda: self.gauge(server, "ogas_requests_running") == 0, "they continue")

    def test_too_many_connections_are_told(self):
        server = self.serve("--connections", "3")
        held = [self.start_stream(server) for _ in range(3)]
        self.assertIn(b" 503 ", self.connect(server).recv(1000))
        held.pop().close()
        self.wait_for(lambda: self.exchange(server, raw("GET /health HTTP/1.1\nHost: localhost\nConnection: close"))
                      .startswith(b"HTTP/1.1 200"), "there is no free connection again")


class KeysTest(ServerTest):
    def bearer(self, key):
        return {"Authorization": f"Bearer {key}"}

    def test_keys_from_file_and_environment(self):
        keys = self.folder / "keys"
        keys.write_text("# ours\nfirst name=office requests_per_minute=2\n\nsecond tokens_per_minute=1\n")
        server = self.serve("--api-keys", keys, environment={"OGAS_API_KEY": "third,fourth"})
        status, headers, reply = self.request(server, "GET", "/v1/models")
        self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"))
        self.assertEqual(reply["error"]["type"], "authentication_error")
        self.assertEqual(self.request(server, "GET", "/health")[0], 200)
        for key in ("first", "second", "third", "fourth"):
            self.assertEqual(self.request(server, "GET", "/v1/models", headers=self.bearer(key))[0], 200)
        self.assertEqual(self.request(server, "GET", "/v1/models", headers={"X-Api-Key": "third"})[0], 200)
        for key in ("", "firs", "firstx", "# ours", "office"):
            self.assertEqual(self.request(server, "GET", "/v1/models", headers=self.bearer(key))[0], 401)
        # Requests a minute.
        for _ in range(2):
            self.assertEqual(self.request(server, "POST", CHAT, ask(), self.bearer("first"))[0], 200)
        status, headers, reply = self.request(server, "POST", CHAT, ask(), self.bearer("first"))
        self.assertEqual((status, reply["error"]["code"]), (429, "rate_limit_exceeded"))
        self.assertGreater(int(headers["Retry-After"]), 0)
        # Tokens a minute: what is used up is known after the first.
        self.assertEqual(self.request(server, "POST", CHAT, ask(), self.bearer("second"))[0], 200)
        self.assertEqual(self.request(server, "POST", CHAT, ask(), self.bearer("second"))[0], 429)
        self.assertIn("(office)", self.log_of(server))
        for key in ("first", "second", "third", "fourth"):
            self.assertNotIn(f" {key}", self.log_of(server))

    def test_keys_are_read_again_on_hangup(self):
        keys = self.folder / "keys"
        keys.write_text("old\n")
        server = self.serve("--api-keys", keys)
        keys.write_text("new\n")
        server.send_signal(signal.SIGHUP)
        self.wait_for(lambda: self.request(server, "GET", "/v1/models", headers=self.bearer("new"))[0] == 200, "new key")
        self.assertEqual(self.request(server, "GET", "/v1/models", headers=self.bearer("old"))[0], 401)
        keys.write_text("broken nonsense=1\n")
        server.send_signal(signal.SIGHUP)
        self.wait_for(lambda: "line 1" in self.log_of(server), "no warning")
        self.assertEqual(self.request(server, "GET", "/v1/models", headers=self.bearer("new"))[0], 200)
        self.assertIsNone(server.poll())

    def test_what_cannot_be_served_is_said_at_once(self):
        (self.folder / "empty").write_text("# nobody\n")
        for code, text, *arguments in [(3, "holds no key", "--api-keys", self.folder / "empty"),
                                       (4, "no such file", "--api-keys", self.folder / "missing"),
                                       (2, "TLS needs both", "--tls-cert", "x"),
                                       (2, "not an address", "--host", "no.such.name.invalid"),
                                       (2, "65535", "--port", "70000")]:
            with self.subTest(text):
                result = subprocess.run([BINARY, "serve", MODEL, *map(str, arguments)], capture_output=True, text=True,
                                        env=self.environment, timeout=SECONDS, stdin=subprocess.DEVNULL)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(text.lower(), result.stderr.lower())


class BrowsersTest(ServerTest):
    def test_pages_of_others_may_not_ask(self):
        server = self.serve("--cors-origin", "https://ours.example")
        own = {"Origin": f"http://127.0.0.1:{server.port}", "Host": f"127.0.0.1:{server.port}"}
        self.assertEqual(self.request(server, "GET", "/v1/models", headers=own)[0], 200)
        status, headers, _ = self.request(server, "GET", "/v1/models", headers={"Origin": "https://ours.example"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (200, "https://ours.example"))
        status, headers, _ = self.request(server, "POST", CHAT, ask(), {"Origin": "https://evil.example",
                                                                        "Content-Type": "text/plain"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (403, None))
        for origin, allowed in (("https://ours.example", "https://ours.example"), ("https://evil.example", None)):
            status, headers, _ = self.request(server, "OPTIONS", CHAT, headers={
                "Origin": origin, "Access-Control-Request-Method": "POST"})
            self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (204, allowed))
        status, _, reply = self.request(server, "POST", CHAT, {}, {"Origin": "https://ours.example"})
        self.assertEqual(status, 400)

    def test_names_that_point_here_from_elsewhere_are_refused(self):
        server = self.serve()
        for host, status in (("localhost", 200), ("[::1]:80", 200), ("evil.example", 403), ("127.0.0.1.evil.example", 403)):
            self.assertEqual(self.request(server, "GET", "/health", headers={"Host": host})[0], status, host)
        server = self.serve("--allow-host", "ours.example")
        for host, status in (("ours.example:8080", 200), ("localhost", 403)):
            self.assertEqual(self.request(server, "GET", "/health", headers={"Host": host})[0], status, host)


class OperationTest(ServerTest):
    def test_the_end_lets_answers_finish(self):
        server = self.serve()
        connection = self.start_stream(server, max_tokens=300)
        server.send_signal(signal.SIGTERM)
        self.wait_for(lambda: self.is_refused(server), "it still listens")
        received = b""
        connection.settimeout(SECONDS)
        while part := connection.recv(65536):
            received += part
        self.assertTrue(received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"), received[-200:])
        self.assertEqual(server.wait(SECONDS), 0, self.log_of(server))

    def is_refused(self, server):
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            return False
        except ConnectionRefusedError:
            return True

    def test_the_end_does_not_wait_for_ever(self):
        for arguments, signals in (("--grace", "1"), [signal.SIGTERM]), (("--grace", "600"), [signal.SIGINT] * 2):
            server = self.serve(*arguments)
            self.start_stream(server, max_tokens=8000)
            start = time.monotonic()
            for one in signals:
                server.send_signal(one)
                time.sleep(0.1)
            self.assertEqual(server.wait(SECONDS), 0, self.log_of(server))
            self.assertLess(time.monotonic() - start, 15)

    def test_idle_connections_do_not_hold_it_up(self):
        server = self.serve()
        idle = [self.connect(server) for _ in range(3)]
        kept = http.client.HTTPConnection("127.0.0.1", server.port)
        kept.request("GET", "/health")
        kept.getresponse().read()
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(SECONDS), 0)
        del idle
        kept.close()

    def test_tls(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       cwd=self.folder, check=True, capture_output=True)
        server = self.serve("--tls-cert", "cert.pem", "--tls-key", "key.pem")
        self.assertEqual(server.scheme, "https")
        context = ssl.create_default_context(cafile=self.folder / "cert.pem")
        with context.wrap_socket(self.connect(server), server_hostname="localhost") as connection:
            body = json.dumps(ask(stream=True)).encode()
            connection.sendall(raw(f"POST {CHAT} HTTP/1.1\nHost: localhost\nConnection: close\nContent-Length: {len(body)}",
                                   body))
            received = b""
            while part := connection.recv(65536):
                received += part
        self.assertIn(b"[DONE]", received)
        self.assertEqual(self.exchange(server, raw("GET /health HTTP/1.1\nHost: localhost"))[:5], b"")  # no TLS, no answer
        # A client that disconnects is noticed here as well.
        connection = context.wrap_socket(self.connect(server), server_hostname="localhost")
        body = json.dumps(ask(max_tokens=5000, ignore_eos=True)).encode()
        connection.sendall(raw(f"POST {CHAT} HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}", body))
        time.sleep(0.5)
        connection.close()
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(SECONDS), 0)

    def test_a_socket_that_was_handed_over(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        os.set_inheritable(listener.fileno(), True)
        script = f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        server = self.serve(prefix=["bash", "-c", script, "bash", BINARY], pass_fds=[listener.fileno()])
        self.assertEqual(server.port, listener.getsockname()[1])
        self.assertEqual(self.request(server, "GET", "/health")[0], 200)

    def test_prompts_are_remembered_after_a_kill(self):
        text = " ".join(f"Fact {idx}: the number is {idx * 7}." for idx in range(60))
        server = self.serve()
        first = self.request(server, "POST", CHAT, ask(text))[2]
        self.assertEqual(first["usage"]["prompt_tokens_details"]["cached_tokens"], 0)
        cached = lambda reply: reply["usage"]["prompt_tokens_details"]["cached_tokens"]  # noqa: E731
        self.wait_for(lambda: any((self.folder / ".cache/ogas/prefixes").rglob("*.kv*")) or
                      any(path.is_file() for path in (self.folder / ".cache/ogas/prefixes").rglob("*")), "nothing kept")
        time.sleep(1)
        streams = [self.start_stream(server) for _ in range(3)]
        server.kill()
        server.wait()
        for connection in streams:  # a clean end or a reset, not silence
            connection.settimeout(10)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass
        again = self.request(self.serve(), "POST", CHAT, ask(text))[2]
        self.assertGreater(cached(again), 200)
        self.assertEqual(again["choices"][0]["message"], first["choices"][0]["message"])

    def test_prompts_are_not_logged(self):
        server = self.serve("--log-json")
        self.request(server, "POST", CHAT, ask("my secret word is xylophone"))
        self.wait_for(lambda: "chat/completions" in self.log_of(server), "no log")
        self.assertNotIn("xylophone", self.log_of(server))
        line = json.loads(next(line for line in self.log_of(server).splitlines() if line.startswith("{")))
        self.assertEqual((line["method"], line["path"], line["status"]), ("POST", CHAT, 200))
        for form in ((), ("--log-json",)):
            server = self.serve("--log-prompts", *form)
            self.request(server, "POST", CHAT, ask("my secret word is xylophone"))
            self.wait_for(lambda: "xylophone" in self.log_of(server), "asked for, and not there")

    @unittest.skipUnless(platform.machine() == "x86_64", "numbers of system calls are x86-64's")
    def test_without_rights_and_under_containers_usual_filter(self):
        """As nobody where the test runs as root, without capabilities, and with what container engines forbid by default."""
        forbidden = [  # moby's default profile, x86-64, without capabilities (documentation of Docker, "seccomp")
            101, 134, 135, 136, 139, 153, 154, 155, 156, 159, 161, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173,
            174, 175, 176, 177, 178, 179, 180, 212, 227, 237, 238, 239, 246, 248, 249, 250, 256, 272, 279, 298, 300, 301,
            303, 304, 305, 308, 310, 311, 312, 313, 320, 321, 323, 425, 426, 427, 428, 429, 430, 431, 432, 433]
        program = b"".join(struct.pack("=HBBI", *one) for one in [
            (0x20, 0, 0, 0),  # the call's number
            *[(0x15, len(forbidden) - idx, 0, number) for idx, number in enumerate(forbidden)],
            (0x06, 0, 0, 0x7fff0000),  # allowed
            (0x06, 0, 0, 0x00050000 | errno.EPERM)])

        def give_up_rights():
            libc = ctypes.CDLL(None, use_errno=True)
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            filter_program = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
            if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filter_program, 0, 0):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
                raise OSError(ctypes.get_errno(), "prctl")

        code = ctypes.create_string_buffer(program)
        model = self.folder / "model.gguf"
        shutil.copy(MODEL, model)
        binary = self.folder / "ogas"
        shutil.copy(BINARY, binary)
        for path in (self.folder, model, binary):
            path.chmod(0o755)
        server = self.serve(prefix=[binary], model=model, preexec_fn=give_up_rights)
        self.assertEqual(self.request(server, "POST", CHAT, ask())[0], 200)


class ManyClientsTest(ServerTest):
    def test_many_at_once_half_of_them_badly_behaved(self):
        """A short form of bench/server_load.py."""
        server = self.serve("--write-timeout", "5", "-q")
        expected = self.request(server, "POST", CHAT, ask(max_tokens=24))[2]["choices"][0]["message"]["content"]
        failures = []

        def behave(idx):
            rng = random.Random(idx)
            try:
                for _ in range(3):
                    if rng.random() < 0.5:
                        reply = self.request(server, "POST", CHAT, ask(max_tokens=24))
                        if reply[0] != 200 or reply[2]["choices"][0]["message"]["content"] != expected:
                            failures.append(reply)
                    elif rng.random() < 0.7:
                        connection = self.start_stream(server, max_tokens=200)
                        time.sleep(rng.random() * 0.2)
                        connection.close()
                    else:
                        self.exchange(server, raw(f"POST {CHAT} HTTP/1.1\nHost: localhost\nContent-Length: 9", b"{nonsense"))
            except Exception as error:  # noqa: BLE001
                failures.append(error)

        threads = [threading.Thread(target=behave, args=(idx,)) for idx in range(48)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.wait_for(lambda: self.gauge(server, "ogas_requests_running") == 0, "requests are stuck")
        self.wait_for(lambda: self.gauge(server, "ogas_kv_bytes_used") == self.gauge(server, "ogas_kv_bytes_cached"), "pages")
        self.wait_for(lambda: self.gauge(server, "ogas_connections") == 1, "connections")


if __name__ == "__main__":
    unittest.main()
