#!/usr/bin/env python3
"""ogas serve with the openai package of npm; server_node.mjs asks, this judges."""

import json
import os
import pathlib
import subprocess

import sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import SECONDS  # noqa: E402
from server_program import CLIENTS, ENDLESS, NAME, RUN_ENDLESS, SERVES_RESPONSES, ServerTest, main  # noqa: E402


class NodeTest(ServerTest):
    OPTIONS = ("--ctx", 1024)

    def test_what_the_client_gets(self):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "OGAS_TEST_CLIENTS": str(CLIENTS),
                       **({"SERVES_RESPONSES": "1"} if SERVES_RESPONSES else {})}
        script = pathlib.Path(__file__).with_name("server_node.mjs")
        done = subprocess.run(["node", script, self.url, NAME, json.dumps(ENDLESS)], env=environment, capture_output=True,
                              text=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        expected = self.greedy("Say hi", 12, *RUN_ENDLESS)

        choice, = found["chat"]["choices"]
        self.assertEqual((choice["message"]["content"], choice["finish_reason"]), (expected["text"], "length"))
        self.assertEqual(found["chat"]["usage"]["prompt_tokens"], expected["prompt_tokens"])
        self.assertGreater(found["stream"].pop("pieces"), 3)
        self.assertEqual(found["stream"].pop("usage")["total_tokens"], expected["prompt_tokens"] + 12)
        self.assertEqual(found["stream"], {"text": expected["text"], "roles": ["assistant"], "reasons": ["length"]})
        self.assertEqual(found["helper"], {"deltas": expected["text"], "text": expected["text"]})
        self.wait_for_metric("ogas_requests_running", 0)  # the stream that was left

        texts = [choice["text"] for choice in found["completion"]["choices"]]
        self.assertEqual(texts, [self.greedy(prompt, 4, "--raw")["text"] for prompt in ("One two", "Three")])
        for choice in found["completion"]["choices"]:
            self.assertEqual("".join(choice["logprobs"]["tokens"]), choice["text"])
        self.assertEqual(found["embeddings"]["default"], found["embeddings"]["float"])
        self.assertEqual(len(found["embeddings"]["float"]), 2)
        self.assertIn(NAME, found["models"])
        self.assertEqual(found["model"]["id"], NAME)

        for way, city in found["typed"].items():
            self.assertEqual(list(city), ["name", "rivers"], way)
            self.assertIn(city["name"], ("Rome", "Oslo"))
            self.assertLess(len(city["rivers"]), 3)
        self.assertEqual(found["typed"]["streamed"], found["typed"]["parsed"])

        refused = {"kind": "BadRequestError", "status": 400, "type": "invalid_request_error"}
        self.assertEqual(found["errors"], {
            "model": {"kind": "NotFoundError", "status": 404, "type": "not_found_error", "code": "model_not_found",
                      "param": "model"},
            "field": {**refused, "code": None, "param": "messages[0].frob"},
            "length": {**refused, "code": "context_length_exceeded", "param": "messages"},
            "streamed": {**refused, "code": None, "param": "frobnicate"}})
        if SERVES_RESPONSES:
            self.assertEqual(found["response_text"], expected["text"])
            self.assertEqual(found["response_stream"], expected["text"])


if __name__ == "__main__":
    main()
