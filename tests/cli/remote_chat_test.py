#!/usr/bin/env python3
"""ogas chat --server against a server that is fine, odd, broken or hostile, and against ogas serve."""

import json
import pathlib
import ssl
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from chat_test import READY, Terminal  # noqa: E402
from fake_server import FakeServer, answer, delta, events, models, send, send_event, start_events, whole  # noqa: E402
from program import MODEL, SECONDS, ProgramTest  # noqa: E402

CHAT = "/v1/chat/completions"


class RemoteChatTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.environment["NO_COLOR"] = "1"

    def server(self, reply=answer("Hello there"), **more):
        server = FakeServer({"/v1/models": models("first", "second"), CHAT: reply, **more})
        self.addCleanup(server.close)
        return server

    def pipe(self, server, text="Hi\n", *options, code=0, **more):
        return self.ogas("chat", "--server", server.url, *options, stdin=text.encode(), code=code, **more)

    def chat(self, server, *options):
        terminal = Terminal(["chat", "--server", server.url, *map(str, options)], self.environment)
        self.addCleanup(terminal.close)
        terminal.expect(READY)
        return terminal

    def test_a_conversation(self):
        server = self.server()
        result = self.pipe(server, "Hi\nAgain\n", "--system", "Be brief.")
        self.assertEqual(result.stdout, b"Hello there\nHello there\n")
        self.assertRegex(result.stderr, r"(?m)^12 \+ 4 tok \(5 remembered\) · [\d.]+ tok/s · first token [\d.]+ s · total [\d.]+ s$")
        bodies = server.asked(CHAT)
        self.assertEqual(bodies[1], {
            "model": "first", "stream": True, "stream_options": {"include_usage": True},
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
                         {"role": "assistant", "content": "Hello there"}, {"role": "user", "content": "Again"}]})
        self.assertNotIn("Authorization", server.requests[0][2])

    def test_urls(self):
        server = self.server()
        for url in (f"127.0.0.1:{server.port}", server.url + "/", server.url + "/v1", server.url + "/v1/"):
            self.assertEqual(self.ogas("chat", "--server", url, "-q", stdin=b"Hi").stdout, b"Hello there\n", url)
        self.fails(2, "is not the URL of a server", "chat", "--server", "a b")
        self.fails(2, "where http or https is expected", "chat", "--server", "ftp://x")
        self.fails(2, "the text is empty", "chat", "--server", "")

    def test_models(self):
        server = self.server()
        self.pipe(server, "Hi", "second")
        self.assertEqual(server.asked(CHAT)[0]["model"], "second")
        self.assertEqual(server.asked("/v1/models"), [])
        server.replies["/v1/models"] = whole({"data": []})
        self.fails(1, "names no model; say which is wanted", "chat", "--server", server.url)
        for odd in ([], {"data": {}}, {"data": [{"id": 3}]}, {"data": ["x"]}, None):
            server.replies["/v1/models"] = whole(odd)
            self.fails(1, "names no model", "chat", "--server", server.url)

    def test_only_settings_that_were_given_are_sent(self):
        server = self.server()
        self.pipe(server, "/set max_tokens 9\nHi\n/set top_k server\n/set temperature\n/set top_p\nHi\n", "--greedy", "--top-k", "5",
                  "--repeat-last-n", "9", "--stop", "END", "--logit-bias", "15-inf", "--logit-bias", "16+2", "--seed", "3")
        first, second = server.asked(CHAT)
        for name in ("model", "messages", "stream", "stream_options"):
            del first[name], second[name]
        expected = {"temperature": 0, "top_k": 5, "repeat_last_n": 9, "max_tokens": 9, "seed": 3, "stop": ["END"],
                    "logit_bias": {"15": -100, "16": 2}}
        self.assertEqual(first, expected)
        del expected["top_k"]
        self.assertEqual(second, expected)

    def test_a_schema_is_sent(self):
        server = self.server()
        schema = {"type": "object", "properties": {"name": {"type": "string"}, "born": {"type": "integer"}}}
        (self.folder / "x.json").write_text(json.dumps(schema))
        self.pipe(server, "Hi\n/schema x.json\nHi\n/save a.json\n/schema off\nHi\n")
        before, within, after = server.asked(CHAT)
        self.assertNotIn("response_format", before)
        self.assertNotIn("response_format", after)
        self.assertEqual(within["response_format"],
                         {"type": "json_schema", "json_schema": {"name": "schema", "strict": True, "schema": schema}})
        self.assertEqual(list(within["response_format"]["json_schema"]["schema"]["properties"]), ["name", "born"])
        self.pipe(server, "Hi\n", "--load", "a.json")
        self.assertEqual(server.asked(CHAT)[-1]["response_format"], within["response_format"])

    def test_settings_are_shown(self):
        shown = self.pipe(self.server(), "/set\n/set top_q 1\n", "--temp", "0.3", code=2)
        self.assertRegex(shown.stdout.decode(), r"temperature +0.3 (?s:.*)top_p +server ")
        self.assertIn("did you mean top_", shown.stderr)

    def test_what_belongs_to_a_model_in_this_process_is_refused(self):
        server = self.server()
        for option in (("--ctx", "100"), ("--threads", "2"), ("--chat-template", "plain"), ("--keep", "3")):
            self.fails(2, f"--server and {option[0]} do not go together", "chat", "--server", server.url, *option)

    def test_saved_conversations(self):
        server = self.server()
        self.pipe(server, "Hi\n/save a.json\n", "--temp", "0.6")
        saved = json.loads((self.folder / "a.json").read_text())
        self.assertEqual(saved["settings"], {"temperature": 0.6})
        self.assertEqual((saved["model"], saved["server"], len(saved["messages"])), ("first", server.url, 2))
        self.pipe(server, "Continue\n", "--load", "a.json")
        self.assertEqual(server.asked(CHAT)[-1]["temperature"], 0.6)
        self.assertEqual(len(server.asked(CHAT)[-1]["messages"]), 3)
        # One that a model in a process had has all settings; those that are nothing special stay here.
        saved["settings"] = {"temperature": 0.2, "top_k": 40, "dry_base": 1.75, "min_p": 0.1, "seed": -1}
        del saved["server"]
        (self.folder / "b.json").write_text(json.dumps(saved))
        self.pipe(server, "Continue\n", "--load", "b.json")
        sent = server.asked(CHAT)[-1]
        self.assertEqual({name: sent.get(name) for name in saved["settings"]},
                         {"temperature": 0.2, "min_p": 0.1, "top_k": None, "dry_base": None, "seed": None})

    def test_commands_of_a_conversation(self):
        server = self.server()
        terminal = self.chat(server)
        self.assertIn(f"first at {server.url}/v1 · /help, Ctrl-D ends", terminal.output)
        terminal.send("Hi")
        shown = terminal.send("/stats")
        for text in ("model            first", f"server           {server.url}/v1", "12 prompt tokens (5 remembered), 4 generated"):
            self.assertIn(text, shown)
        server.replies[CHAT] = answer("Other words")
        self.assertIn("Other words", terminal.send("/retry"))
        self.assertEqual(len(server.asked(CHAT)[-1]["messages"]), 1)
        terminal.send("/clear")
        terminal.send("/system Rhyme.")
        terminal.send("New")
        self.assertEqual([m["content"] for m in server.asked(CHAT)[-1]["messages"]], ["Rhyme.", "New"])
        terminal.type("/exit\r")
        self.assertEqual(terminal.end(), 0)

    def test_reasoning(self):
        for name in ("reasoning_content", "reasoning"):
            server = self.server(events(delta(**{name: "Let me"}), delta(**{name: " think."}), delta(content="42"),
                                        delta("stop"), "[DONE]"))
            self.assertEqual(self.pipe(server, "Hi\n/save r.json\n").stdout, b"42\n")
            self.assertEqual(json.loads((self.folder / "r.json").read_text())["messages"][1]["content"], "42")
            del self.environment["NO_COLOR"]
            self.assertIn("\x1b[2mLet me\x1b[0m\x1b[2m think.\x1b[0m\r\n\r\n42\r\n", self.chat(server).send("Hi"))
            self.environment["NO_COLOR"] = "1"
            self.assertIn("Let me think.\r\n\r\n42\r\n", self.chat(server).send("Hi"))
            shown = self.chat(server, "--hide-thinking").send("Hi")
            self.assertIn("42\r\n", shown)
            self.assertNotIn("think", shown)

    def test_keys(self):
        server = self.server()
        self.environment["OPENAI_API_KEY"] = "of-openai"
        self.pipe(server)
        self.environment["OGAS_API_KEY"] = "ours"
        self.pipe(server)
        self.assertEqual([headers["Authorization"] for _, path, headers, _ in server.requests if path == CHAT],
                         ["Bearer of-openai", "Bearer ours"])
        # To another machine in the clear, through a proxy so that there is one.
        del self.environment["OGAS_API_KEY"]
        proxied = {"http://models.example" + path: reply for path, reply in server.replies.items()}
        server.replies.update(proxied)
        self.environment["http_proxy"] = server.url
        self.ogas("chat", "--server", "http://models.example", stdin=b"Hi")
        self.assertEqual(server.requests[-1][1], "http://models.example" + CHAT)
        self.assertNotIn("Authorization", server.requests[-1][2])

    def test_certificates_are_checked(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       cwd=self.folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        server = FakeServer({"/v1/models": models("first"), CHAT: answer("Hello there")}, context=context)
        self.addCleanup(server.close)
        url = f"https://localhost:{server.port}"
        self.fails(1, "CURL_CA_BUNDLE can name a file of certificates to trust", "chat", "--server", url)
        self.fails(1, "which may speak http alone", "chat", "--server", self.server().url.replace("http", "https"))
        self.environment["CURL_CA_BUNDLE"] = str(self.folder / "cert.pem")
        self.assertEqual(self.ogas("chat", "--server", url, stdin=b"Hi").stdout, b"Hello there\n")
        self.fails(1, "matches target host name", "chat", "--server", server.url)  # 127.0.0.1 is not in the certificate

    def test_what_a_server_refuses(self):
        cases = [(401, "application/json", '{"error": {"message": "wrong key"}}', 1, "status 401: wrong key (no key was sent"),
                 (400, "application/json", '{"error": {"message": "top_k is unknown"}}', 2, "status 400: top_k is unknown"),
                 (429, "text/plain", "too\x1b[31m many\n", 1, "status 429: too [31m many"),
                 (500, "text/html", "<html><b>oops</b></html>", 1, "status 500: a page of HTML"),
                 (302, "text/html", "", 1, "redirects are not followed"),
                 (200, "text/html", "<html>log in</html>", 1, "where JSON is expected"),
                 (200, "application/json", '{"object": "nothing"}', 1, "has no list of choices")]
        for status, kind, text, code, message in cases:
            with self.subTest(message):
                server = self.server(lambda handler, _: send(handler, status, kind, text, Location="http://x.example/"))
                result = self.pipe(server, "Hi\n/save x.json\n", code=code)
                self.assertIn(f"ogas: error: {server.url}{CHAT}: ", result.stderr)
                self.assertIn(message, result.stderr)
                self.assertNotIn("\x1b", result.stderr)
                self.assertEqual(json.loads((self.folder / "x.json").read_text())["messages"], [])
        self.fails(1, "Failed to connect", "chat", "--server", "http://127.0.0.1:1")

    def test_streams_that_go_wrong(self):
        hello = delta(content="Hel")
        cases = [(events(hello, {"error": {"message": "no memory"}}), "the server reports: no memory"),
                 (events(hello, "{broken"), "'{broken' was sent, where a JSON object is expected"),
                 (events(hello, delta(content=7)), "'content' of the answer is a number"),
                 (events(hello), "ended before its end"),
                 (events(), "ended before its end"),
                 (events(hello, "x" * 2_000_000), "an event of more than 1048576 bytes")]
        for reply, message in cases:
            with self.subTest(message):
                result = self.pipe(self.server(reply), "Hi\n/save x.json\n", code=1)
                self.assertIn(message, result.stderr)
                self.assertIn(result.stdout, (b"Hel\n", b""))
                self.assertEqual(json.loads((self.folder / "x.json").read_text())["messages"], [])

    def test_an_endless_line(self):
        def reply(handler, _):
            start_events(handler)
            while True:
                handler.wfile.write(b"x" * 65536)
        self.assertIn("an event of more than 1048576 bytes", self.pipe(self.server(reply), code=1).stderr)

    def test_a_reply_that_is_no_stream(self):
        server = self.server(whole({"choices": [{"message": {"content": "All at once"}, "finish_reason": "length"}],
                                    "usage": {"prompt_tokens": 3, "completion_tokens": 3}}))
        result = self.pipe(server)
        self.assertEqual(result.stdout, b"All at once\n")
        self.assertIn("3 + 3 tok", result.stderr)
        self.assertIn("cut at the longest answer", result.stderr)

    def test_servers_without_usage(self):
        def reply(handler, body):
            if "stream_options" in body:
                return send(handler, 400, "application/json", '{"error": {"message": "unknown field stream_options"}}')
            return events(delta(content="Fine"), delta("stop"), "[DONE]")(handler, body)
        server = self.server(reply)
        result = self.pipe(server, "Hi\nHi\n")
        self.assertEqual(result.stdout, b"Fine\nFine\n")
        self.assertRegex(result.stderr, r"(?m)^first token [\d.]+ s · total [\d.]+ s$")
        self.assertEqual(len(server.asked(CHAT)), 3)

    def test_what_a_server_says_does_not_drive_the_terminal(self):
        server = self.server(answer("\x1b]0;title\x07\x9b31m \u009b2J\r\ttab", reasoning="\x1b[2J"))
        server.replies["/v1/models"] = models("na\x1b[31m\nme")
        terminal = self.chat(server)
        shown = terminal.output + terminal.send("Hi") + terminal.send("/stats")
        self.assertNotIn("\x1b]", shown)
        self.assertNotIn("\x1b[2J", shown)
        self.assertNotIn("\x1b[31m", shown)
        self.assertNotRegex(shown, "[\x07\x80-\x9f]")
        self.assertIn("tab", shown)

    def test_an_interrupt_stops_the_answer(self):
        gone = threading.Event()

        def reply(handler, _):
            start_events(handler)
            try:
                for number in range(10_000):
                    send_event(handler, delta(content=f"{number} "))
                    time.sleep(0.02)
            except OSError:
                gone.set()
        server = self.server(reply)
        terminal = self.chat(server)
        terminal.type("Count\r")
        terminal.expect("3 4 ")
        start = time.monotonic()
        terminal.type("\x03")
        terminal.expect(r"\(stopped; what came so far stays")
        self.assertLess(time.monotonic() - start, 5)
        self.assertTrue(gone.wait(SECONDS))
        terminal.expect(READY)
        server.replies[CHAT] = answer("Fine")
        self.assertIn("Fine", terminal.send("And now?"))
        self.assertRegex(server.asked(CHAT)[-1]["messages"][1]["content"], "^0 1 2 3 4 ")

    def test_an_interrupt_before_the_answer_begins(self):
        waiting, release = threading.Event(), threading.Event()
        self.addCleanup(release.set)

        def reply(handler, _):
            waiting.set()
            release.wait(SECONDS)
        server = self.server(reply)
        terminal = self.chat(server)
        terminal.type("Hi\r")
        self.assertTrue(waiting.wait(SECONDS))
        terminal.type("\x03")
        terminal.expect("stopped before the answer began")
        terminal.expect(READY)
        server.replies[CHAT] = answer("Fine")
        terminal.send("Again")
        self.assertEqual(len(server.asked(CHAT)[-1]["messages"]), 1)


class OgasServeTest(ProgramTest):
    """The program's own server."""

    def setUp(self):
        super().setUp()
        if "serve" not in self.ogas("--help").stdout.decode().split():
            self.skipTest("this ogas has no command serve")
        _, self.url = self.serve(MODEL)

    def test_the_answer_is_that_of_a_model_in_the_process(self):
        options = ("--greedy", "-n", "12", "-q")
        text = b"Name a colour.\nAnother one.\n"
        here = self.ogas("chat", *options, stdin=text, env={**self.environment, "OGAS_MODELS": str(pathlib.Path(MODEL).parent)})
        there = self.ogas("chat", "--server", self.url, *options, stdin=text)
        self.assertEqual(there.stdout, here.stdout)

    def test_every_setting_is_known_there(self):
        result = self.ogas("chat", "--server", self.url, "-n", "2", "--temp", "0.5", "--top-k", "5", "--top-p", "0.9", "--min-p",
                           "0.1", "--repeat-penalty", "1.1", "--frequency-penalty", "0.1", "--presence-penalty", "0.1",
                           "--repeat-last-n", "20", "--typical", "0.9", "--xtc-probability", "0.1", "--xtc-threshold", "0.2",
                           "--dry-multiplier", "0.5", "--dry-base", "1.5", "--dry-allowed-length", "3",
                           "--dry-penalty-last-n", "50", "--mirostat", "0", "--mirostat-ent", "4", "--mirostat-lr", "0.2",
                           "--seed", "1", "--stop", "never said", "--ignore-eos", "--logit-bias", "15+1", "--ban-token", "16", stdin=b"Hi")
        self.assertIn(" + 2 tok", result.stderr)


if __name__ == "__main__":
    unittest.main()
