#!/usr/bin/env python3
"""What clients made for other servers send to `ogas serve`: browsers, -1 for "no limit", null for "nothing", Ollama's way to load
a model; and the words that they look for in answers.
"""

import json
import pathlib
import shutil
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import MODEL  # noqa: E402
from serve_test import CHAT, ServerTest, ask, raw  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data/arch/qwen2"  # of a model without a tokenizer
# One for it: the printable letters, each a token.
TOKENIZER = {"version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None,
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
             "decoder": {"type": "ByteLevel"},
             "model": {"type": "BPE", "vocab": {chr(letter): letter - 33 for letter in range(33, 127)}, "merges": []}}
NAME = pathlib.Path(MODEL).name.removesuffix(".gguf")
STAINLESS = "authorization,content-type,x-stainless-os,x-stainless-timeout"


class BrowsersTest(ServerTest):
    def preflight(self, server, origin, **headers):
        return self.request(server, "OPTIONS", CHAT, headers={
            "Origin": origin, "Access-Control-Request-Method": "POST",
            **{name.replace("_", "-"): value for name, value in headers.items()}})[1]

    def test_a_preflight_is_answered_as_it_asks(self):
        server = self.serve("--cors-origin", "*")
        reply = self.preflight(server, "https://a.example", Access_Control_Request_Headers=STAINLESS,
                               Access_Control_Request_Private_Network="true")
        self.assertEqual(reply["Access-Control-Allow-Headers"], STAINLESS)
        self.assertEqual(reply["Access-Control-Allow-Private-Network"], "true")
        self.assertEqual(reply.get_all("Vary"), ["Origin", "Access-Control-Request-Headers"])
        plain = self.preflight(server, "https://a.example")
        self.assertIn("Authorization", plain["Access-Control-Allow-Headers"])
        self.assertIsNone(plain["Access-Control-Allow-Private-Network"])
        for bad in ("a(b", 'x"y', "a: b", "x" * 5000):  # no list of names
            self.assertEqual(self.preflight(server, "https://a.example", Access_Control_Request_Headers=bad)
                             ["Access-Control-Allow-Headers"], plain["Access-Control-Allow-Headers"])
        status, headers, _ = self.request(server, "GET", "/v1/models", headers={"Origin": "https://a.example"})
        self.assertEqual((status, headers["Access-Control-Expose-Headers"]), (200, "X-Request-Id, Retry-After"))

    def test_a_page_can_read_why_its_body_was_not_taken(self):
        server = self.serve("--max-body", "1k", "--read-timeout", "1")
        origin = "app://obsidian.md"
        for path, error in ((CHAT, lambda reply: reply["error"]["message"]), ("/api/chat", lambda reply: reply["error"])):
            with self.subTest(path):
                status, headers, reply = self.request(server, "POST", path, ask("x" * 2000), {"Origin": origin})
                self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (413, origin))
                self.assertIn("longer than 1000 bytes", error(reply))
                head = f"POST {path} HTTP/1.1\nHost: localhost\nOrigin: {origin}\nContent-Length: 10"
                reply = self.exchange(server, raw(head, b"{"))
                self.assertTrue(reply.startswith(b"HTTP/1.1 408"), reply[:200])
                self.assertIn(f"Access-Control-Allow-Origin: {origin}\r\n".encode(), reply)

    def test_programs_and_this_machine_may_ask_and_pages_of_the_web_may_not(self):
        server = self.serve()
        for origin in ("app://obsidian.md", "tauri://localhost", "file://", "vscode-webview://1a2b",
                       "http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173"):
            with self.subTest(origin):
                status, headers, _ = self.request(server, "POST", CHAT, ask(max_tokens=1), {"Origin": origin})
                self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (200, origin))
                self.assertEqual(self.preflight(server, origin, Access_Control_Request_Headers=STAINLESS)
                                 ["Access-Control-Allow-Headers"], STAINLESS)
                # For every client: host names that others point here are refused.
                self.assertEqual(self.request(server, "GET", "/health", headers={"Origin": origin, "Host": "evil.example"})[0],
                                 403)
        for origin in ("null", "https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example",
                       "https://app.example", "xapp://a", "http://evil.example/app://", "http://10.0.0.1"):
            with self.subTest(origin):
                status, headers, _ = self.request(server, "POST", CHAT, ask(max_tokens=1), {"Origin": origin})
                self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (403, None))
                reply = self.preflight(server, origin, Access_Control_Request_Headers=STAINLESS)
                self.assertIsNone(reply["Access-Control-Allow-Headers"])
        server = self.serve("--host", "0.0.0.0")  # who is "localhost" there, nobody knows
        for origin, status in (("http://localhost:3000", 403), ("app://obsidian.md", 200)):
            self.assertEqual(self.request(server, "GET", "/v1/models", headers={"Origin": origin})[0], status)


class WordsOfOthersTest(ServerTest):
    """Every face of the server."""

    @classmethod
    def faces(cls, text="Tell me a story.", n=None, **fields):
        """(path, body, how the answer is found); n of tokens, and other fields by OpenAI's names."""
        message = [{"role": "user", "content": text}]
        names = {"repetition_penalty": "repeat_penalty"}
        options = {names.get(name, name): value for name, value in fields.items()}
        whole = {"stream": False}
        return [
            (CHAT, {"messages": message, **fields, **({"max_tokens": n} if n else {})},
             lambda reply: reply["choices"][0]["message"]["content"]),
            ("/v1/completions", {"prompt": text, **fields, **({"max_tokens": n} if n else {})},
             lambda reply: reply["choices"][0]["text"]),
            ("/v1/responses", {"input": text, **fields, **({"max_output_tokens": n} if n else {})},
             lambda reply: reply["output"][0]["content"][0]["text"]),
            ("/api/chat", {"messages": message, **whole, "options": {**options, **({"num_predict": n} if n else {})}},
             lambda reply: reply["message"]["content"]),
            ("/api/generate", {"prompt": text, **whole, "options": {**options, **({"num_predict": n} if n else {})}},
             lambda reply: reply["response"]),
        ]

    def answers(self, server, **fields):
        for path, body, answer in self.faces(**fields):
            with self.subTest(path, fields=fields):
                status, _, reply = self.request(server, "POST", path, body)
                self.assertEqual(status, 200, reply)
                yield path, answer(reply)

    def test_a_seed_of_minus_one_is_drawn(self):
        server = self.serve()
        for path, body, answer in self.faces(n=10, seed=-1, temperature=1.5, top_k=0, top_p=1, min_p=0):
            with self.subTest(path):
                texts = {answer(self.request(server, "POST", path, body)[2]) for _ in range(4)}
                self.assertGreater(len(texts), 1)
        # Other numbers below zero are seeds as all.
        texts = [dict(self.answers(server, n=10, seed=-2, temperature=1.5)) for _ in range(2)]
        self.assertEqual(*texts)

    def test_minus_one_is_no_bound(self):
        server = self.serve("--ctx", 96)
        for n in (-1, -2):  # the latter of Ollama's
            for path, body, _ in self.faces(n=n, temperature=0, ignore_eos=True):
                with self.subTest(path, n=n):
                    status, _, reply = self.request(server, "POST", path, body)
                    if n == -2 and path.startswith("/v1"):
                        self.assertEqual(status, 400, reply)
                        continue
                    self.assertEqual(status, 200, reply)
                    usage = reply.get("usage", {})
                    n_prompt = reply.get("prompt_eval_count") or usage.get("prompt_tokens") or usage.get("input_tokens")
                    n_answer = reply.get("eval_count") or usage.get("completion_tokens") or usage.get("output_tokens")
                    self.assertGreaterEqual(n_prompt + n_answer, 96)
                    self.assertIsNone(reply.get("max_output_tokens"))
        random = {"n": 12, "seed": 4, "temperature": 1.5, "top_p": 1, "min_p": 0}
        self.assertEqual(dict(self.answers(server, top_k=-1, **random)), dict(self.answers(server, top_k=0, **random)))
        looks_back = {**random, "repetition_penalty": 1.5}
        self.assertEqual(dict(self.answers(server, repeat_last_n=-1, **looks_back)),
                         dict(self.answers(server, penalty_window=5000, **looks_back)))
        self.assertEqual(dict(self.answers(server, penalty_window=3, repeat_penalty=1.5, **random)),
                         dict(self.answers(server, repeat_last_n=3, **looks_back)))
        for path, body, _ in self.faces(n=1, repeat_last_n=1, penalty_window=1):
            status, _, reply = self.request(server, "POST", path, body)
            self.assertEqual(status, 400)
            self.assertIn("two names for one thing", json.dumps(reply))
        for name in ("top_k", "repeat_last_n", "penalty_window"):
            for path, body, _ in self.faces(n=1, **{name: -3}):
                self.assertEqual(self.request(server, "POST", path, body)[0], 400)
        for name in ("dry_allowed_length", "mirostat"):  # which have no "no limit"
            for path, body, _ in self.faces(n=1, **{name: -1}):
                status, _, reply = self.request(server, "POST", path, body)
                self.assertEqual(status, 400, (path, name))
                self.assertIn(f"{name} is -1, which is not in 0 to ", json.dumps(reply))

    def test_null_is_nothing_whatever_its_name(self):
        server = self.serve()
        expected = dict(self.answers(server, n=4, temperature=0))
        for path, body, answer in self.faces(n=4, temperature=0, mirostat_new=None):
            with self.subTest(path):
                status, _, reply = self.request(server, "POST", path, {
                    **body, "functions": None, "function_call": None, "prediction": None, "audio": None, "new": None,
                    "tools": None, "stream_options": None, "top_logprobs": None})
                self.assertEqual(status, 200, reply)
                self.assertEqual(answer(reply), expected[path])
                self.assertEqual(self.request(server, "POST", path, {**body, "new": 1})[0], 400)
        nothing = {"tool_calls": None, "function_call": None, "parsed": None, "thinking_blocks": None, "audio": None, "new": None}
        empty = {"tool_calls": [], "thinking_blocks": [], "images": [], "reasoning_details": []}
        for path, short in ((CHAT, {"max_tokens": 4}), ("/api/chat", {"options": {"num_predict": 4}})):
            for role in ("system", "user", "assistant"):
                for more in (nothing, empty):
                    messages = [{"role": role, "content": "Hi", **more}, {"role": "user", "content": "Hi", **more}]
                    status, _, reply = self.request(server, "POST", path, {"messages": messages, "stream": False, **short})
                    self.assertEqual(status, 200, reply)
        for field, status in (({"functions": []}, 200), ({"stop_token_ids": []}, 200), ({"functions": [{}]}, 400),
                              ({"new": []}, 400), ({"top_logprobs": 0}, 200), ({"top_logprobs": 1}, 400)):
            self.assertEqual(self.request(server, "POST", CHAT, ask(**field))[0], status, field)
        tool = {"type": "function", "new": None, "function": {"name": "f", "new": None, "strict": None}}
        self.assertEqual(self.request(server, "POST", "/tokenize", {"prompt": "a", "new": None})[0], 200)
        self.assertEqual(self.request(server, "POST", "/v1/embeddings", {"input": "a", "dimensions": None, "new": None})[0], 200)
        self.assertNotIn("no field", str(self.request(server, "POST", CHAT, ask(tools=[tool]))[2]))

    def test_a_full_context_is_said_in_words_that_clients_look_for(self):
        server = self.serve("--ctx", 64)
        params = {CHAT: "messages", "/v1/completions": "prompt", "/v1/responses": "input"}
        for path, body, _ in self.faces(text="x " * 100):
            for stream in (False, True):
                with self.subTest(path, stream=stream):
                    status, _, reply = self.request(server, "POST", path, {**body, "stream": stream})
                    self.assertEqual(status, 400, reply)
                    message = reply["error"] if path.startswith("/api") else reply["error"]["message"]
                    self.assertRegex(message, r"^This model's maximum context length is 64 tokens\. However, the prompt has 1\d\d tokens")
                    if path in params:
                        self.assertEqual((reply["error"]["param"], reply["error"]["code"]),
                                         (params[path], "context_length_exceeded"))
        _, _, reply = self.request(server, "POST", "/v1/embeddings", {"input": ["a", "x " * 100]})
        self.assertEqual((reply["error"]["param"], reply["error"]["code"]), ("input[1]", "context_length_exceeded"))


class MetricsTest(ServerTest):
    def test_what_is_remembered_is_part_of_what_is_used(self):
        for options in (("--prefix-cache", 0), ()):  # the latter writes pages to disk, and holds them meanwhile
            server = self.serve(*options)
            self.request(server, "POST", CHAT, ask("Hi " * 200))
            used = self.gauge(server, "ogas_kv_bytes_used")
            self.assertGreater(used, 0)
            self.wait_for(lambda: self.gauge(server, "ogas_kv_bytes_cached") == used, "pages stay")


class OllamaTest(ServerTest):
    def test_the_version_is_one_that_clients_take(self):
        _, _, reply = self.request(self.serve(), "GET", "/api/version")
        self.assertGreaterEqual(tuple(map(int, reply["version"].split("."))), (0, 6, 4))
        self.assertIn(reply["ogas_version"], self.ogas("--version").stdout.decode())

    def test_a_model_is_loaded_and_unloaded_by_asking_nothing(self):
        server = self.serve()
        for path, empty, answer in (("/api/generate", [{}, {"prompt": ""}, {"prompt": None}, {"prompt": "", "raw": True}],
                                     {"response": ""}),
                                    ("/api/chat", [{}, {"messages": []}, {"messages": None}],
                                     {"message": {"role": "assistant", "content": ""}})):
            for question in empty:
                for keep_alive, reason in ((None, "load"), (-1, "load"), ("5m", "load"), ("10s", "load"), (0, "unload"),
                                           ("0", "unload"), ("0s", "unload"), (0.0, "unload")):
                    with self.subTest(path, question=question, keep_alive=keep_alive):
                        status, _, reply = self.request(server, "POST", path,
                                                        {"model": NAME, "keep_alive": keep_alive, **question})
                        self.assertEqual(status, 200, reply)
                        del reply["created_at"]
                        self.assertEqual(reply, {"model": NAME, **answer, "done": True, "done_reason": reason})
        self.assertEqual(self.request(server, "POST", "/api/generate", {"model": "other"})[0], 404)
        self.assertEqual(self.request(server, "POST", "/api/generate", {"frobnicate": 1})[0], 400)
        self.assertEqual(self.request(server, "POST", "/api/chat", {"messages": {}})[0], 400)
        # A question is answered whatever keep_alive says.
        _, _, reply = self.request(server, "POST", "/api/generate", {"prompt": "Hi", "keep_alive": 0, "stream": False,
                                                                     "options": {"num_predict": 2}})
        self.assertEqual((reply["eval_count"], reply["done_reason"]), (2, "length"))


class MessagesTest(ServerTest):
    def test_what_is_too_many_or_nothing_is_said(self):
        server = self.serve()
        for path, body, text in (
                (CHAT, ask(stop=["x"] * 20), "stop has 20 texts, where at most 16 are allowed"),
                (CHAT, ask(stop={"a": 1}), "stop is an object, where a string or an array of at most 16 strings is expected"),
                (CHAT, ask(tools=[{}] * 1025), "tools is an array of 1025, where an array of at most 1024 tools is expected"),
                ("/v1/responses", {"input": []}, "input is an empty array"),
                ("/v1/embeddings", {"input": []}, "input is empty"),
                ("/v1/completions", {"prompt": ["a"] * 2049}, "prompt has 2049 texts, where at most 2048 are allowed")):
            with self.subTest(text):
                status, _, reply = self.request(server, "POST", path, body)
                self.assertEqual(status, 400)
                self.assertIn(text, reply["error"]["message"])

    def test_a_packed_body_is_refused_by_its_encoding(self):
        server = self.serve()
        for path in (CHAT, "/api/chat"):
            status, headers, reply = self.request(server, "POST", path, b"\x1f\x8b\x08", {"Content-Encoding": "gzip"})
            message = reply["error"] if path == "/api/chat" else reply["error"]["message"]
            self.assertEqual((status, headers["Accept-Encoding"]), (415, "identity"))
            self.assertIn("Content-Encoding is 'gzip'", message)
        self.assertEqual(self.request(server, "POST", CHAT, ask(), {"Content-Encoding": "identity"})[0], 200)

    def test_a_target_may_be_a_whole_url(self):
        server = self.serve()
        end = "HTTP/1.1\nHost: localhost\nConnection: close"
        for target, status in (("http://localhost/health", 200), (f"HTTP://127.0.0.1:{server.port}/v1/models?a=b", 200),
                               ("http://localhost", 404), ("https://[::1]/health", 200),
                               # The URL's name counts, not the header's.
                               ("http://evil.example/health", 403), ("http://user@localhost/health", 400),
                               ("http:///health", 400), ("ftp://localhost/health", 400), ("health", 400), ("*", 400)):
            with self.subTest(target):
                reply = self.exchange(server, raw(f"GET {target} {end}"))
                self.assertTrue(reply.startswith(b"HTTP/1.1 %d " % status), reply[:200])
        reply = self.exchange(server, raw("GET http://localhost/health HTTP/1.1\nHost: evil.example\nConnection: close"))
        self.assertTrue(reply.startswith(b"HTTP/1.1 200"), reply[:200])
        reply = self.exchange(server, raw("GET http://evil.example/health HTTP/1.0"))
        self.assertTrue(reply.startswith(b"HTTP/1.1 403"), reply[:200])
        self.assertIn(" GET /health 200 ", self.log_of(server))

    def test_the_log_says_what_was_refused(self):
        server = self.serve("--max-body", "1k", "--read-timeout", "1")
        body = json.dumps(ask("x" * 2000))
        self.assertEqual(self.request(server, "POST", CHAT, body)[0], 413)
        self.exchange(server, raw(f"POST {CHAT}?a=b HTTP/1.1\nHost: localhost\nName: " + "a" * 100_000))
        self.exchange(server, raw(f"PUT {CHAT} HTTP/1.1\nHost: localhost\nBad Name: 1"))
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(f"GET {CHAT} HTTP/1.1\r\nHost:".encode())
            self.assertIn(b" 408 ", connection.recv(1000))
        for method, status in (("POST", 413), ("POST", 431), ("PUT", 400), ("GET", 408)):
            self.wait_for(lambda: f" {method} {CHAT} {status} " in self.log_of(server), f"{method} {status}\n{self.log_of(server)}")

    def test_a_folder_is_served_under_its_whole_name(self):
        name = "Tiny2.5-0.5B-Instruct.v1"
        shutil.copytree(FOLDER, self.folder / name)
        (self.folder / name / "tokenizer.json").write_text(json.dumps(TOKENIZER))
        for argument in (name, f"{name}/", str(self.folder / name), f"./{name}//", f"{name}/config.json"):
            with self.subTest(argument):
                server = self.serve(model=argument)
                ids = [one["id"] for one in self.request(server, "GET", "/v1/models")[2]["data"]]
                self.assertEqual(ids, [name])
                self.assertEqual(self.request(server, "GET", f"/v1/models/{name}")[0], 200)
                self.assertEqual(self.request(server, "GET", "/api/tags")[2]["models"][0]["name"], name)
                self.assertRegex(self.log_of(server), rf"serving {name} at ")
        shutil.copyfile(MODEL, self.folder / "Llama-3.1-8B.Q4_K_M.gguf")
        server = self.serve(model="Llama-3.1-8B.Q4_K_M.gguf")
        self.assertEqual(self.request(server, "GET", "/v1/models")[2]["data"][0]["id"], "Llama-3.1-8B.Q4_K_M")


if __name__ == "__main__":
    unittest.main()
