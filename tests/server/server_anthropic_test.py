#!/usr/bin/env python3
"""ogas serve with Anthropic's clients, those of PyPI and of npm (server_anthropic.mjs). Each answer must be of the types that
the client describes, and have nothing else in it.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import anthropic
import pydantic
from anthropic.types.beta import BetaMessage

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import SECONDS  # noqa: E402
from server_program import CLIENTS, ENDLESS, NAME, RUN_ENDLESS, ServerTest, main  # noqa: E402
from server_tools_test import TEMPLATE  # noqa: E402

SAY_HI = [{"role": "user", "content": "Say hi"}]
ADD = {"name": "add", "description": "adds", "input_schema": {
    "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}}
ARGUMENTS = {"a": 2, "b": 3}


def history(n_calls=1):
    """A conversation in which every question is answered by this many calls, and one question more."""
    messages = []
    for turn in range(5):
        ids = [f"toolu_{turn}_{idx}" for idx in range(n_calls)]
        messages += [
            {"role": "user", "content": "Add 2 and 3."},
            {"role": "assistant", "content": [{"type": "tool_use", "id": one, "name": "add", "input": ARGUMENTS} for one in ids]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": one, "content": "5"} for one in ids]},
            {"role": "assistant", "content": "It is 5."}]
    return [*messages, {"role": "user", "content": "Add 2 and 3."}]


def extras(value):
    """Fields of a model, and of those within it, that its type does not have."""
    if isinstance(value, pydantic.BaseModel):
        yield from value.model_extra or ()
        value = [getattr(value, name) for name in type(value).model_fields]
    if isinstance(value, list):
        for one in value:
            yield from extras(one)


class AnthropicTest(ServerTest):
    OPTIONS = ("--ctx", 1024)

    def setUp(self):
        super().setUp()
        self.client = anthropic.Anthropic(base_url=self.url, api_key="none", max_retries=0, timeout=SECONDS)

    def check_answers(self):
        super().check_answers()
        for exchange in self.exchanges():
            if not exchange.path.startswith("/v1/messages") or not exchange.is_whole:
                continue
            if exchange.status >= 400:
                self.check_type(exchange.json(), anthropic.types.ErrorResponse)
            elif exchange.content_type == "text/event-stream":
                for event in exchange.events():
                    self.check_type(json.loads(event), anthropic.types.RawMessageStreamEvent)
            elif "count_tokens" in exchange.path:
                self.check_type(exchange.json(), anthropic.types.MessageTokensCount)
            else:
                self.check_type(exchange.json(), BetaMessage if "anthropic-beta" in exchange.request_headers else anthropic.types.Message)

    def check_type(self, value, kind):
        if value.get("type") == "ping":
            return
        read = pydantic.TypeAdapter(kind).validate_python(value)
        self.assertEqual(list(extras(read)), [], value)

    def create(self, n=12, **fields):
        return self.client.messages.create(**self.asked(n, **fields))

    @staticmethod
    def asked(n=12, extra_body=None, **fields):
        return {"model": NAME, "messages": SAY_HI, "max_tokens": n, **fields,
                "extra_body": {"temperature": 0, **ENDLESS, **(extra_body or {})}}

    def stream(self, n=12, **fields):
        """The final message of a stream, and its events."""
        with self.client.messages.stream(**self.asked(n, **fields)) as stream:
            events = list(stream)
            return stream.get_final_message(), events


class MessagesTest(AnthropicTest):
    def test_messages(self):
        expected = self.greedy("Say hi", 12, *RUN_ENDLESS)
        message = self.create()
        block, = message.content
        self.assertEqual((block.type, block.text, message.stop_reason), ("text", expected["text"], "max_tokens"))
        self.assertEqual((message.role, message.model, message.type), ("assistant", NAME, "message"))
        usage = message.usage
        self.assertEqual(usage.input_tokens + usage.cache_read_input_tokens, expected["prompt_tokens"])
        self.assertEqual((usage.output_tokens, usage.cache_creation_input_tokens), (12, 0))
        self.assertRegex(message._request_id, r"\Areq_")
        final, events = self.stream()
        self.assertEqual(final.content[0].text, expected["text"])
        self.assertEqual("".join(event.text for event in events if event.type == "text"), expected["text"])
        self.assertGreater(len([event for event in events if event.type == "content_block_delta"]), 3)
        self.assertEqual((final.stop_reason, final.usage.output_tokens), ("max_tokens", 12))

    def test_stop_sequences(self):
        words = self.create().content[0].text.split(" ")
        message = self.create(stop_sequences=[words[1]])
        self.assertEqual((message.stop_reason, message.stop_sequence, message.content[0].text), ("stop_sequence", words[1], words[0] + " "))

    def test_async(self):
        import asyncio

        async def ask():
            async with anthropic.AsyncAnthropic(base_url=self.url, auth_token="none", max_retries=0) as client:
                async with client.messages.stream(**self.asked()) as stream:
                    return "".join([text async for text in stream.text_stream])
        self.assertEqual(asyncio.run(ask()), self.create().content[0].text)

    def test_counted_tokens_are_those_of_the_prompt(self):
        for fields in ({}, {"system": "Be brief."}, {"messages": history(), "tools": [ADD]}):
            with self.subTest(fields=list(fields)):
                n = self.client.messages.count_tokens(**{"model": NAME, "messages": SAY_HI, **fields}).input_tokens
                usage = self.create(1, **fields).usage
                self.assertEqual(usage.input_tokens + usage.cache_read_input_tokens, n)
        long = [{"role": "user", "content": "word " * 3000}]
        self.assertGreater(self.client.messages.count_tokens(model=NAME, messages=long).input_tokens, 3000)

    def test_prefixes_are_cached(self):
        system = [{"type": "text", "text": "You are careful and brief. " * 30, "cache_control": {"type": "ephemeral"}}]
        first = self.create(1, system=system).usage
        second = self.create(1, system=system, messages=[{"role": "user", "content": "Say something else"}]).usage
        self.assertGreater(second.cache_read_input_tokens, 100)
        self.assertLess(second.input_tokens, first.input_tokens + first.cache_read_input_tokens - 100)

    def test_a_form(self):
        schema = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"],
                  "additionalProperties": False}
        message = self.client.messages.create(model=NAME, messages=SAY_HI, max_tokens=50,
                                              output_config={"format": {"type": "json_schema", "schema": schema}})
        self.assertIn(json.loads(message.content[0].text)["city"], ("Rome", "Oslo"))

    def test_the_beta_client(self):
        message = self.client.beta.messages.create(
            **self.asked(), betas=["context-management-2025-06-27"], thinking={"type": "adaptive", "display": "omitted"},
            context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]})
        self.assertEqual((message.content[0].text, message.context_management.applied_edits), (self.create().content[0].text, []))

    def test_errors(self):
        for kind, fields, text in (
                (anthropic.NotFoundError, {"model": "claude-9"}, "claude-9"),
                (anthropic.BadRequestError, {"extra_body": {"frobnicate": 1}}, "frobnicate"),
                (anthropic.BadRequestError, {"messages": [{"role": "user", "content": "word " * 3000}]}, "prompt is too long")):
            for ask in (self.create, self.stream):
                with self.assertRaises(kind) as caught:
                    ask(**fields)
                self.assertIn(text, caught.exception.body["error"]["message"])
                self.assertEqual(caught.exception.request_id, caught.exception.body["request_id"])

    def test_clients_that_leave(self):
        with self.client.messages.stream(**self.asked(4000, extra_body={"ignore_eos": True})) as stream:
            for event in stream:
                if event.type == "content_block_delta":
                    break
        self.wait_for_metric("ogas_requests_running", 0)

    def test_the_client_of_npm(self):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "OGAS_TEST_CLIENTS": str(CLIENTS)}
        script = pathlib.Path(__file__).with_name("server_anthropic.mjs")
        done = subprocess.run(["node", script, self.url, NAME, json.dumps(ENDLESS)], env=environment, capture_output=True,
                              text=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        text = self.greedy("Say hi", 12, *RUN_ENDLESS)["text"]
        for name in ("message", "beta", "final"):
            self.assertEqual((found[name]["content"][0]["text"], found[name]["stop_reason"]), (text, "max_tokens"), name)
        self.assertEqual("".join(found["texts"]), text)
        self.assertEqual((found["raw"][:2], found["raw"][-3:]),
                         (["message_start", "content_block_start"], ["content_block_stop", "message_delta", "message_stop"]))
        counted = self.client.messages.count_tokens(model=NAME, messages=SAY_HI, system="Be brief.").input_tokens
        self.assertEqual(found["count"], {"input_tokens": counted})
        for name, kind, status, error in (("model", "NotFoundError", 404, "not_found_error"),
                                          ("field", "BadRequestError", 400, "invalid_request_error"),
                                          ("streamed", "BadRequestError", 400, "invalid_request_error"),
                                          ("length", "BadRequestError", 400, "invalid_request_error")):
            self.assertRegex(found["errors"][name].pop("id"), r"\Areq_")
            self.assertEqual(found["errors"][name], {"kind": kind, "status": status, "type": error})
        self.wait_for_metric("ogas_requests_running", 0)  # the stream that was left


class ToolsTest(AnthropicTest):
    """The small model has not learned to call or think, but it continues as the conversation went."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        template = pathlib.Path(folder.name) / "template.jinja"
        template.write_text(TEMPLATE)
        cls.OPTIONS = ("--chat-template", template)
        super().setUpClass()

    def asked(self, n=60, extra_body=None, **fields):
        return {"model": NAME, "messages": history(), "max_tokens": n, "tools": [ADD], **fields,
                "extra_body": {"temperature": 0, **(extra_body or {})}}

    def test_calls_and_their_results(self):
        message = self.create(60)
        use = message.content[0]
        self.assertEqual((use.type, use.name, use.input, message.stop_reason), ("tool_use", "add", ARGUMENTS, "tool_use"))
        final, events = self.stream(60)
        self.assertEqual((final.content[0].input, final.stop_reason), (ARGUMENTS, "tool_use"))
        self.assertEqual(json.loads("".join(event.partial_json for event in events if event.type == "input_json")), ARGUMENTS)
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "5"}
        messages = [*history(), {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
        last = self.create(60, messages=messages)
        self.assertEqual((last.content[0].type, last.stop_reason), ("text", "end_turn"))

    def test_calls_that_are_not_wanted(self):
        message = self.create(60, tool_choice={"type": "none"})
        self.assertEqual([block.type for block in message.content], ["text"])
        two = self.create(120, messages=history(2))
        self.assertEqual(len([block for block in two.content if block.type == "tool_use"]), 2)
        one = self.create(120, messages=history(2), tool_choice={"type": "auto", "disable_parallel_tool_use": True})
        self.assertEqual(([block.type for block in one.content], one.stop_reason), (["tool_use"], "tool_use"))

    def test_calls_that_have_to_be_made(self):
        digit = {"type": "integer", "minimum": 0, "maximum": 9}
        tool = {"name": "count", "input_schema": {"type": "object", "properties": {"to": digit}, "required": ["to"],
                                                  "additionalProperties": False}}
        for choice in ({"type": "any"}, {"type": "tool", "name": "count"}):
            message = self.create(60, messages=SAY_HI, tools=[tool], tool_choice={**choice, "disable_parallel_tool_use": True})
            use, = message.content
            self.assertEqual((use.type, use.name, message.stop_reason), ("tool_use", "count", "tool_use"))
            self.assertIn(use.input["to"], range(10))

    def test_thinking(self):
        message = self.create(12, tools=[], messages=SAY_HI, thinking={"type": "adaptive"}, extra_body=ENDLESS)
        thinking, = message.content
        self.assertEqual((thinking.type, bool(thinking.signature), message.stop_reason), ("thinking", True, "max_tokens"))
        self.assertIn(message.usage.output_tokens_details.thinking_tokens, range(6, 13))  # new lines around it are none of it
        final, events = self.stream(12, tools=[], messages=SAY_HI, thinking={"type": "adaptive"}, extra_body=ENDLESS)
        self.assertEqual(final.content, message.content)
        self.assertEqual("".join(event.thinking for event in events if event.type == "thinking"), thinking.thinking)
        plain = self.create(12, tools=[], messages=SAY_HI, thinking={"type": "disabled"}, extra_body=ENDLESS)
        self.assertEqual([block.type for block in plain.content], ["text"])
        # What it thought is given back, and it answers.
        messages = [*SAY_HI, {"role": "assistant", "content": [thinking, {"type": "text", "text": "Hi"}]}, *SAY_HI]
        self.assertEqual(self.create(4, tools=[], messages=messages, extra_body=ENDLESS).stop_reason, "max_tokens")


if __name__ == "__main__":
    main()
