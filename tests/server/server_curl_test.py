#!/usr/bin/env python3
"""ogas serve with curl: HTTP on the wire, and the commands that the help and the documentation show."""

import json
import pathlib
import re
import subprocess

import sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import SECONDS  # noqa: E402
from server_program import ServerTest, main  # noqa: E402

CHAT = '{"messages": [{"role": "user", "content": "Say hi"}], "max_tokens": 12, "temperature": 0'


class CurlTest(ServerTest):
    OPTIONS = ("--ctx", 1024, "--max-body", "64K")

    def curl(self, *arguments, code=0, **options):
        """What it prints; a path that begins with / is this server's."""
        arguments = [self.url + one if one.startswith("/") and one != "/dev/null" else one for one in arguments]
        command = ["curl", "--silent", "--show-error", "--max-time", str(SECONDS), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=self.environment, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def status(self, *arguments):
        return int(self.curl("--output", "/dev/null", "--write-out", "%{http_code}", *arguments)[-3:])

    def curl_head(self, *arguments):
        """(status, headers, what follows)"""
        head, _, body = self.curl("--include", *arguments).partition("\n\n")  # Python has made them plain line ends
        first, *lines = head.splitlines()
        return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body

    def test_a_chat(self):
        expected = self.greedy("Say hi", 12)["text"]
        # -d alone calls the body a form; what it is, is JSON.
        reply = json.loads(self.curl("/v1/chat/completions", "-d", CHAT + "}"))
        self.assertEqual(reply["choices"][0]["message"]["content"], expected)
        reply = json.loads(self.curl("/v1/chat/completions", "--json", CHAT + "}"))
        self.assertEqual(reply["choices"][0]["message"]["content"], expected)
        reply = json.loads(self.curl("--http1.0", "/v1/chat/completions", "-d", CHAT + "}"))
        self.assertEqual(reply["choices"][0]["message"]["content"], expected)
        reply = json.loads(self.curl("/v1/chat/completions", "-H", "Transfer-Encoding: chunked", "-d", "@-", input=CHAT + "}"))
        self.assertEqual(reply["choices"][0]["message"]["content"], expected)

    def test_a_stream(self):
        expected = self.greedy("Say hi", 12)["text"]
        for version in ("--http1.1", "--http1.0"):
            status, headers, body = self.curl_head(version, "--no-buffer", "/v1/chat/completions",
                                                   "-d", CHAT + ', "stream": true}')
            self.assertEqual((status, headers["content-type"]), (200, "text/event-stream"))
            self.assertEqual(headers["cache-control"], "no-cache")
            self.assertEqual("transfer-encoding" in headers, version == "--http1.1")
            events = re.findall(r"data: (.*)\n\n", body)
            self.assertEqual(events.pop(), "[DONE]")
            pieces = [choice["delta"].get("content", "") for event in events for choice in json.loads(event)["choices"]]
            self.assertEqual("".join(pieces), expected)

    def test_a_stream_is_not_held_back(self):
        body = CHAT.replace("12", "400") + ', "stream": true, "ignore_eos": true}'
        process = subprocess.Popen(["curl", "-sN", self.url + "/v1/chat/completions", "-d", body], stdout=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertTrue(process.stdout.readline().startswith("data: {"))
        self.assertEqual(self.metric("ogas_requests_running"), 1)  # it came while the answer continues
        process.kill()
        self.wait_for_metric("ogas_requests_running", 0)

    def test_head(self):
        for path in ("/health", "/ready", "/metrics", "/v1/models", "/tokenizer_info"):
            status, headers, body = self.curl_head("--head", path)
            self.assertEqual((status, body), (200, ""))
            got = self.curl_head(path)
            self.assertEqual(headers["content-type"], got[1]["content-type"])
            if path != "/metrics":
                self.assertEqual(int(headers["content-length"]), len(got[2].encode()))
        self.assertEqual(self.status("--head", "/nothing"), 404)
        self.assertEqual(self.status("--head", "/v1/chat/completions"), 405)

    def test_paths_and_methods(self):
        for path in ("/nothing", "/v1", "/v1/", "/v1/models/", "/v1/chat/completions/", "/v1//models", "/../v1/models",
                     "/V1/models"):
            self.assertEqual(self.status("--path-as-is", path), 404, path)
        for method, path, allowed in (("GET", "/v1/chat/completions", "POST"), ("POST", "/v1/models", "GET"),
                                      ("DELETE", "/v1/models/x", "GET"), ("PUT", "/v1/completions", "POST"),
                                      ("PATCH", "/health", "GET")):
            status, headers, body = self.curl_head("--request", method, path)
            self.assertEqual(status, 405, (method, path))
            self.assertIn(allowed, headers.get("allow", "(there is no Allow header)"))
            self.assertIn(allowed, json.loads(body)["error"]["message"])
        self.assertEqual(self.status("/v1/models?limit=20&after=x"), 200)

    def test_a_connection_is_used_again(self):
        asked = [[self.url + "/v1/chat/completions", "-d", CHAT + "}"],
                 [self.url + "/v1/chat/completions", "-d", CHAT + ', "stream": true}'],
                 [self.url + "/nothing"], [self.url + "/health"]]
        more = [word for one in asked
                for word in ("--next", "--silent", "--output", "/dev/null", "--write-out", "%{num_connects}", *one)]
        done = self.curl("--output", "/dev/null", "/v1/models", *more)
        self.assertEqual(done, "0000")
        self.assertEqual(len(self.server.proxy.connections) - self.proxy_at, 1)
        self.assertEqual([exchange.status for exchange in self.exchanges()], [200, 200, 200, 404, 200])
        _, headers, _ = self.curl_head("-H", "Connection: close", "/health")
        self.assertEqual(headers["connection"].lower(), "close")
        self.assertNotIn("connection", self.curl_head("/health")[1])
        self.wait_for_metric("ogas_connections", 1)  # that of the question itself: the others have ended

    def test_bodies(self):
        large = self.folder / "large.json"
        large.write_text('{"prompt": "' + "x" * 70000 + '"}')
        status, headers, body = self.curl_head("/v1/completions", "-H", "Expect:", "-d", f"@{large}")
        self.assertEqual((status, json.loads(body)["error"]["type"]), (413, "invalid_request_error"))
        chunked = ("-H", "Transfer-Encoding: chunked")
        self.assertEqual(self.status("/v1/completions", "-H", "Expect:", *chunked, "-d", f"@{large}"), 413)
        waits = ("-H", "Expect: 100-continue")
        self.assertEqual(self.status("/v1/completions", *waits, "-d", f"@{large}"), 413)
        self.assertEqual(self.status("/v1/completions", *waits, "-d", '{"prompt": "x", "max_tokens": 1}'), 200)
        self.assertEqual(self.status("-X", "POST", "/v1/completions"), 400)
        self.assertEqual(self.status("/v1/models", "-H", "X-Long: " + "x" * 100000), 431)

    def test_hosts_and_origins(self):
        self.assertEqual(self.status("/health", "-H", "Host: evil.example"), 403)
        self.assertEqual(self.status("/health", "-H", "Host: localhost"), 200)
        self.assertEqual(self.status("/v1/chat/completions", "-H", "Origin: https://evil.example", "-d", CHAT + "}"), 403)
        status, headers, _ = self.curl_head("-X", "OPTIONS", "/v1/chat/completions", "-H", "Origin: https://evil.example",
                                            "-H", "Access-Control-Request-Method: POST")
        self.assertNotIn("access-control-allow-origin", headers)
        self.assertIn(status, (204, 403))


if __name__ == "__main__":
    main()
