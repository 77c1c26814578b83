#!/usr/bin/env python3
"""ogas serve with Ollama's Python client, as desktop tools speak to it."""

import json
import unittest

import ollama

from server_program import ENDLESS, NAME, RUN_ENDLESS, SERVES_OLLAMA, ServerTest, main

GREEDY = {"temperature": 0, "num_predict": 12, **ENDLESS}
SAY_HI = [{"role": "user", "content": "Say hi"}]


@unittest.skipUnless(SERVES_OLLAMA, "/api/* is not served yet")
class OllamaTest(ServerTest):
    OPTIONS = ("--ctx", 1024)

    def setUp(self):
        super().setUp()
        self.client = ollama.Client(host=self.url)

    def test_chat(self):
        expected = self.greedy("Say hi", 12, *RUN_ENDLESS)
        reply = self.client.chat(model=NAME, messages=SAY_HI, options=GREEDY)
        self.assertEqual((reply.message.role, reply.message.content), ("assistant", expected["text"]))
        self.assertEqual((reply.done, reply.done_reason), (True, "length"))
        self.assertEqual((reply.prompt_eval_count, reply.eval_count), (expected["prompt_tokens"], 12))
        pieces = list(self.client.chat(model=NAME, messages=SAY_HI, options=GREEDY, stream=True))
        self.assertEqual("".join(piece.message.content for piece in pieces), expected["text"])
        self.assertEqual([piece.done for piece in pieces], [False] * (len(pieces) - 1) + [True])
        self.assertGreater(len(pieces), 3)
        self.assertEqual(pieces[-1].eval_count, 12)

    def test_generate(self):
        expected = self.greedy("Say hi", 12, *RUN_ENDLESS)["text"]
        self.assertEqual(self.client.generate(model=NAME, prompt="Say hi", options=GREEDY).response, expected)
        pieces = list(self.client.generate(model=NAME, prompt="Say hi", options=GREEDY, stream=True))
        self.assertEqual("".join(piece.response for piece in pieces), expected)
        raw = self.client.generate(model=NAME, prompt="The capital of France is", raw=True, options=GREEDY)
        self.assertEqual(raw.response, self.greedy("The capital of France is", 12, "--raw", *RUN_ENDLESS)["text"])

    def test_formats(self):
        schema = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"],
                  "additionalProperties": False}
        reply = self.client.chat(model=NAME, messages=SAY_HI, format=schema, options={"temperature": 1, "seed": 3})
        self.assertIn(json.loads(reply.message.content)["city"], ("Rome", "Oslo"))
        reply = self.client.generate(model=NAME, prompt="A city, as JSON", format=schema)
        self.assertIn(json.loads(reply.response)["city"], ("Rome", "Oslo"))
        reply = self.client.chat(model=NAME, messages=SAY_HI, format="json", options={"num_predict": 20})
        self.assertTrue(reply.message.content.startswith("{"))
        status, reply = self.ask("POST", "/api/chat", {"model": NAME, "messages": SAY_HI, "format": "yaml"})
        self.assertEqual((status, "json" in reply["error"]), (400, True))

    def test_models(self):
        self.assertIn(NAME, [model.model.removesuffix(":latest") for model in self.client.list().models])
        latest = self.client.chat(model=f"{NAME}:latest", messages=SAY_HI, options={"num_predict": 1})
        self.assertTrue(latest.done)

    def test_what_is_refused(self):
        with self.assertRaises(ollama.ResponseError) as caught:
            self.client.chat(model="llama9", messages=SAY_HI)
        self.assertEqual(caught.exception.status_code, 404)
        self.assertIn("llama9", caught.exception.error)
        status, reply = self.ask("POST", "/api/chat", {"model": NAME, "messages": SAY_HI, "frobnicate": 1})
        self.assertEqual(status, 400)
        self.assertIn("frobnicate", reply["error"])


if __name__ == "__main__":
    main()
