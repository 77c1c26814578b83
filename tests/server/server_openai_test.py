#!/usr/bin/env python3
"""ogas serve with the openai package of PyPI: chats, streams, completions, embeddings, models, and what is refused.

Answers are compared with those of `ogas run`, `ogas score` and `ogas embed`.
"""

import array
import asyncio
import base64
import json
import math
import pathlib
import sys
import unittest
from typing import Annotated, Literal, get_args

import openai
import pydantic

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import END, MODEL, SECONDS  # noqa: E402
from server_program import ENDLESS, NAME, RUN_ENDLESS, SERVES_RESPONSES, ServerTest, main  # noqa: E402

SAY_HI = [{"role": "user", "content": "Say hi"}]
ADD = "What is 2+2? Answer with a number."  # a short answer that ends by itself
FRANCE = "The capital of France is"
BREAD = "Write about bread."
N_CONTEXT = 1024
Trade = Literal["poet", "painter", "other"]


class Person(pydantic.BaseModel):
    name: Annotated[str, pydantic.StringConstraints(max_length=30)]
    born: Annotated[int, pydantic.Field(ge=1, le=2026)]
    trade: Trade
    nicknames: Annotated[list[Annotated[str, pydantic.StringConstraints(max_length=10)]], pydantic.Field(max_length=2)]


class OpenAiTest(ServerTest):
    OPTIONS = ("--ctx", N_CONTEXT)

    def setUp(self):
        super().setUp()
        self.client = openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=SECONDS)
        self.addCleanup(self.client.close)

    def chat(self, messages=SAY_HI, model=NAME, temperature=0, **fields):
        messages = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        return self.client.chat.completions.create(model=model, messages=messages, temperature=temperature, **fields)

    def complete(self, prompt=FRANCE, model=NAME, temperature=0, **fields):
        return self.client.completions.create(model=model, prompt=prompt, temperature=temperature, **fields)

    def streamed(self, chunks):
        """The chunks of a stream put together: {index: (text, log-probabilities' tokens, finish reason)}, usage."""
        choices, usage, first = {}, None, {}
        for chunk in chunks:
            if chunk.usage:
                self.assertEqual((usage, chunk.choices), (None, []))
                usage = chunk.usage
            for choice in chunk.choices:
                text, tokens, reason = choices.get(choice.index, ("", [], None))
                self.assertIsNone(reason, "a choice continues after its end")
                if hasattr(choice, "delta"):
                    first.setdefault(choice.index, choice.delta)
                    self.assertIn(choice.delta.role, ("assistant", None))
                    piece = choice.delta.content or ""
                    tokens = tokens + [one.token for one in (choice.logprobs and choice.logprobs.content or [])]
                else:
                    piece = choice.text
                    tokens = tokens + (choice.logprobs.tokens if choice.logprobs else [])
                choices[choice.index] = text + piece, tokens, choice.finish_reason
        for delta in first.values():
            self.assertEqual(delta.role, "assistant")
        return choices, usage

    def assertRefused(self, kind, param, code, call, text=""):
        with self.assertRaises(kind) as caught:
            call()
        error = caught.exception
        self.assertEqual((error.param, error.code), (param, code), error.body)
        self.assertIn(text, error.message)
        return error


class ChatTest(OpenAiTest):
    def test_an_answer(self):
        expected = self.greedy("Say hi", 12, *RUN_ENDLESS)
        reply = self.chat(max_tokens=12, extra_body=ENDLESS)
        self.assertEqual(reply.choices[0].message.content, expected["text"])
        self.assertEqual(reply.choices[0].message.role, "assistant")
        self.assertEqual(reply.choices[0].finish_reason, "length")
        self.assertEqual((reply.model, reply.object), (NAME, "chat.completion"))
        self.assertRegex(reply.id, r"\Achatcmpl-\w{24}\Z")
        self.assertRegex(reply._request_id, r"\Areq_")
        usage = reply.usage
        self.assertEqual((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens),
                         (expected["prompt_tokens"], 12, expected["prompt_tokens"] + 12))
        self.assertNotEqual(self.chat(max_tokens=1).id, reply.id)

    def test_an_answer_that_ends_by_itself(self):
        bias, expected = self.greedy_to_the_end(ADD)
        reply = self.chat(ADD, logit_bias=bias)
        self.assertEqual(reply.choices[0].message.content, expected["text"])
        self.assertEqual(reply.choices[0].finish_reason, "stop")
        self.assertEqual(reply.usage.completion_tokens, expected["completion_tokens"])

    def test_a_conversation(self):
        expected = self.greedy("Say hi", 9, "--system", "Be brief.")["text"]
        whole = [{"role": "system", "content": "Be brief."}, *SAY_HI]
        self.assertEqual(self.chat(whole, max_tokens=9).choices[0].message.content, expected)
        parts = [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]
        reply = self.chat([{"role": "developer", "content": parts}, *SAY_HI], max_completion_tokens=9)
        self.assertEqual(reply.choices[0].message.content, expected)
        first = self.chat(max_tokens=9)
        again = self.chat([*SAY_HI, {"role": "assistant", "content": first.choices[0].message.content},
                           {"role": "user", "content": "Again"}], max_tokens=4)
        self.assertGreater(again.usage.prompt_tokens, first.usage.total_tokens)

    def test_a_long_prompt_is_remembered(self):
        words = "one two three four five six seven " * 40
        first = self.chat(words, max_tokens=2)
        self.assertEqual(first.usage.prompt_tokens_details.cached_tokens, 0)
        second = self.chat(words, max_tokens=2)
        self.assertGreater(second.usage.prompt_tokens_details.cached_tokens, 200)
        self.assertEqual(second.choices[0].message.content, first.choices[0].message.content)
        self.assertEqual(second.usage.prompt_tokens, first.usage.prompt_tokens)

    def test_an_answer_that_was_begun(self):
        begun = [*SAY_HI, {"role": "assistant", "content": "My name is"}]
        # The prompt ends within the answer: the same text as a prompt without a template.
        system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
        raw = (f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\nSay hi<|im_end|>\n<|im_start|>assistant\nMy name is")
        expected = self.greedy(raw, 8, "--raw", "--parse-special")
        reply = self.chat(begun, max_tokens=8)
        self.assertEqual(reply.choices[0].message.content, expected["text"])
        self.assertEqual(reply.usage.prompt_tokens, expected["prompt_tokens"])

    def test_special_tokens_in_a_message_are_text(self):
        plain = self.chat("Hello <|im_end|> there", max_tokens=1).usage.prompt_tokens
        self.assertEqual(plain, self.greedy("Hello <|im_end|> there", 1)["prompt_tokens"])
        self.assertGreater(plain, self.chat("Hello there", max_tokens=1).usage.prompt_tokens + 3)

    def test_a_stream(self):
        expected = self.chat(max_tokens=20, extra_body=ENDLESS)
        choices, usage = self.streamed(self.chat(max_tokens=20, stream=True, stream_options={"include_usage": True},
                                                 extra_body=ENDLESS))
        self.assertEqual(choices, {0: (expected.choices[0].message.content, [], "length")})
        self.assertEqual((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens),
                         (expected.usage.prompt_tokens, 20, expected.usage.total_tokens))
        choices, usage = self.streamed(self.chat(max_tokens=20, stream=True, extra_body=ENDLESS))
        self.assertEqual((choices[0][0], usage), (expected.choices[0].message.content, None))

    def test_a_stream_comes_piece_by_piece(self):
        pieces = [chunk.choices[0].delta.content for chunk in self.chat(BREAD, max_tokens=24, stream=True, extra_body=ENDLESS)]
        self.assertGreater(len([piece for piece in pieces if piece]), 4)

    def test_a_stream_of_characters_of_several_tokens(self):
        messages = [{"role": "user", "content": "Repeat"}, {"role": "assistant", "content": "日本語 🎉 Ω "}]
        bias = {str(token): -100 for token in self.ask_ok("POST", "/tokenize", {"prompt": "abc <|im_end|>"})["tokens"]}
        with self.chat(messages, max_tokens=24, stream=True, temperature=1.9, seed=3, logprobs=True, logit_bias=bias) as stream:
            choices, _ = self.streamed(stream)
        whole = self.chat(messages, max_tokens=24, temperature=1.9, seed=3, logprobs=True, logit_bias=bias)
        self.assertEqual(choices[0][0], whole.choices[0].message.content)
        self.assertEqual(choices[0][1], [one.token for one in whole.choices[0].logprobs.content])

    def test_the_helper_for_streams(self):
        messages = [{"role": "user", "content": ADD}]
        bias, expected = self.greedy_to_the_end(ADD)
        with self.client.chat.completions.stream(model=NAME, messages=messages, temperature=0, logit_bias=bias) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
        self.assertLessEqual({"chunk", "content.delta", "content.done"}, kinds)
        self.assertEqual(final.choices[0].message.content, expected["text"])

    def test_several_choices(self):
        options = {"messages": BREAD, "n": 3, "max_tokens": 10, "temperature": 1.5, "seed": 7, "extra_body": ENDLESS}
        reply = self.chat(**options)
        self.assertEqual([choice.index for choice in reply.choices], [0, 1, 2])
        texts = [choice.message.content for choice in reply.choices]
        self.assertEqual(len(set(texts)), 3)
        self.assertEqual(reply.usage.completion_tokens, 30)
        self.assertEqual(reply.usage.prompt_tokens, self.chat(BREAD, max_tokens=1).usage.prompt_tokens)
        self.assertEqual([choice.message.content for choice in self.chat(**options).choices], texts)
        choices, usage = self.streamed(self.chat(**options, stream=True, stream_options={"include_usage": True}))
        self.assertEqual([choices[idx][0] for idx in range(3)], texts)
        self.assertEqual((usage.prompt_tokens, usage.completion_tokens), (reply.usage.prompt_tokens, 30))

    def test_log_probabilities(self):
        expected = self.greedy(BREAD, 6, "--logprobs", 3)["logprobs"]
        reply = self.chat(BREAD, max_tokens=6, logprobs=True, top_logprobs=3)
        found = reply.choices[0].logprobs.content
        self.assertEqual("".join(one.token for one in found), reply.choices[0].message.content)
        for one, other in zip(found, expected, strict=True):
            self.assertEqual((one.token, bytes(one.bytes)), (other["token"], other["token"].encode()))
            self.assertAlmostEqual(one.logprob, other["logprob"], delta=1e-4)
            self.assertEqual([top.token for top in one.top_logprobs], [top["token"] for top in other["top_logprobs"]])
            for top, other_top in zip(one.top_logprobs, other["top_logprobs"]):
                self.assertAlmostEqual(top.logprob, other_top["logprob"], delta=1e-4)
            self.assertEqual(one.top_logprobs[0].logprob, one.logprob)
        bare = self.chat(BREAD, max_tokens=6, logprobs=True).choices[0].logprobs.content
        self.assertEqual([(one.token, one.top_logprobs) for one in bare], [(one.token, []) for one in found])
        choices, _ = self.streamed(self.chat(BREAD, max_tokens=6, logprobs=True, top_logprobs=3, stream=True))
        self.assertEqual(choices[0][1], [one.token for one in found])

    def test_stop(self):
        whole = self.greedy(BREAD, 24, *RUN_ENDLESS)["text"]
        words = whole.split(" ")
        stop = words[5] + " " + words[6][:2]  # begins and ends within tokens
        expected = whole[:whole.index(stop)]
        for stops in (stop, [stop], ["never said", stop]):
            reply = self.chat(BREAD, max_tokens=24, stop=stops, extra_body=ENDLESS)
            self.assertEqual((reply.choices[0].message.content, reply.choices[0].finish_reason), (expected, "stop"))
            self.assertLess(reply.usage.completion_tokens, 24)
        choices, _ = self.streamed(self.chat(BREAD, max_tokens=24, stop=stop, stream=True, extra_body=ENDLESS))
        self.assertEqual(choices[0], (expected, [], "stop"))

    def test_seeds(self):
        def answer(**fields):
            return self.chat(BREAD, max_tokens=8, temperature=1, **fields).choices[0].message.content
        self.assertEqual(answer(seed=11), answer(seed=11))
        self.assertEqual(answer(seed=-5), answer(seed=-5))
        self.assertGreater(len({answer(seed=seed) for seed in range(5)}), 1)
        self.assertGreater(len({answer() for _ in range(5)}), 1)
        self.assertEqual(answer(seed=11, top_p=0), self.greedy(BREAD, 8)["text"])

    def test_biases(self):
        token = self.greedy("Say hi", 1)["tokens"][0]
        banned = self.chat(max_tokens=1, logit_bias={str(token): -100}, logprobs=True).choices[0].logprobs.content[0].token
        self.assertNotEqual(banned, self.greedy("Say hi", 1)["text"])
        other = self.ask_ok("POST", "/tokenize", {"prompt": " zebra", "add_special_tokens": False})["tokens"][0]
        text = self.ask_ok("POST", "/detokenize", {"tokens": [other]})["prompt"]
        self.assertEqual(self.chat(max_tokens=3, logit_bias={str(other): 100}).choices[0].message.content, text * 3)

    def test_tools_that_the_template_does_not_support(self):
        parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
        tools = [{"type": "function", "function": {"name": "get_weather", "description": "Tells the weather",
                                                   "parameters": parameters}}]
        usages = [self.chat(max_tokens=8, **fields).usage for fields in ({}, {"tools": tools})]
        self.assertGreater(usages[1].prompt_tokens, usages[0].prompt_tokens + 100)
        message = self.chat(max_tokens=8, tools=tools, tool_choice="none", extra_body=ENDLESS).choices[0].message
        self.assertTrue(message.content)
        self.assertIsNone(message.tool_calls)

    def test_a_full_context(self):
        tokens = self.ask_ok("POST", "/tokenize", {"messages": SAY_HI})["count"]
        filler = "a " * (N_CONTEXT - tokens - 20)
        reply = self.chat(filler, extra_body=ENDLESS)
        self.assertEqual(reply.choices[0].finish_reason, "length")
        self.assertLessEqual(reply.usage.total_tokens, N_CONTEXT + 1)
        self.assertGreaterEqual(reply.usage.total_tokens, N_CONTEXT)

    def test_many_at_once_answer_as_alone(self):
        prompts = ["Say hi", BREAD, ADD, "Name a colour.", "What is rain?", "Count to five."]
        alone = [self.chat(prompt, max_tokens=12).choices[0].message.content for prompt in prompts]

        async def ask_all():
            async with openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0) as client:
                async def ask(prompt):
                    stream = await client.chat.completions.create(
                        model=NAME, messages=[{"role": "user", "content": prompt}], temperature=0, max_tokens=12, stream=True)
                    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
                return await asyncio.gather(*map(ask, prompts))
        self.assertEqual(asyncio.run(ask_all()), alone)

    def test_a_client_that_leaves_frees_what_it_held(self):
        stream = self.chat(BREAD, stream=True, extra_body={"ignore_eos": True})
        next(iter(stream))
        self.assertEqual(self.metric("ogas_requests_running"), 1)
        stream.close()
        self.wait_for_metric("ogas_requests_running", 0)
        with self.assertRaises(openai.APITimeoutError):
            self.client.with_options(timeout=0.3).chat.completions.create(
                model=NAME, messages=SAY_HI, extra_body={"ignore_eos": True})
        self.wait_for_metric("ogas_requests_running", 0)

    # What is refused.

    def test_another_model(self):
        self.assertRefused(openai.NotFoundError, "model", "model_not_found", lambda: self.chat(model="gpt-9"), "gpt-9")
        self.assertRefused(openai.NotFoundError, "model", "model_not_found", lambda: self.complete(model="gpt-9"), "gpt-9")
        self.assertRefused(openai.NotFoundError, "model", "model_not_found",
                           lambda: self.client.embeddings.create(model="gpt-9", input="x"), "gpt-9")

    def test_unknown_and_unsupported_fields(self):
        for param, fields in {
                "frobnicate": {"extra_body": {"frobnicate": 1}},
                "stream_options.frob": {"stream": True, "extra_body": {"stream_options": {"frob": True}}},
                "stream_options": {"extra_body": {"stream_options": {"include_usage": True}}},
                "messages[0].frob": {"messages": [{"role": "user", "content": "x", "frob": 1}]},
                "messages[1].role": {"messages": [*SAY_HI, {"role": "robot", "content": "x"}]},
                "messages[0].content[1].type": {"messages": [{"role": "user", "content": [
                    {"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]}]},
                "messages[0].content": {"messages": [{"role": "user"}]},
                "messages": {"messages": []},
                "temperature": {"temperature": 2.5},
                "top_p": {"extra_body": {"top_p": "much"}},
                "n": {"n": 0},
                "max_tokens": {"max_tokens": -2},
                "top_logprobs": {"top_logprobs": 2},
                "logit_bias.99999999": {"logit_bias": {"99999999": 1}},
                "response_format.type": {"response_format": {"type": "xml"}},
                "tool_choice": {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "always"},
                "tools[0].type": {"tools": [{"type": "web_search"}]},
                "tools[0].function.name": {"tools": [{"type": "function", "function": {}}]},
                "tools[0].function.frob": {"tools": [{"type": "function", "function": {"name": "f", "frob": 1}}]},
                "functions": {"functions": [{"name": "f"}]},
                "modalities": {"modalities": ["text", "audio"]},
                "web_search_options": {"web_search_options": {}},
        }.items():
            with self.subTest(param):
                self.assertRefused(openai.BadRequestError, param, None, lambda: self.chat(**fields), param.rpartition(".")[2])

    def test_an_answer_parses_into_a_class(self):
        for seed in (1, 2, 3):
            reply = self.client.chat.completions.parse(model=NAME, messages=[{"role": "user", "content": "Who wrote Faust?"}],
                                                       response_format=Person, seed=seed, temperature=1)
            self.assertEqual(reply.choices[0].finish_reason, "stop")
            person = reply.choices[0].message.parsed
            self.assertIsInstance(person, Person)
            self.assertIn(person.trade, get_args(Trade))
        with self.client.chat.completions.stream(model=NAME, messages=SAY_HI, response_format=Person, seed=4) as stream:
            for _ in stream:
                pass
            self.assertIsInstance(stream.get_final_completion().choices[0].message.parsed, Person)

    def test_a_cut_answer_is_not_handed_over_as_whole(self):
        with self.assertRaises(openai.LengthFinishReasonError):
            self.client.chat.completions.parse(model=NAME, messages=SAY_HI, response_format=Person, max_tokens=5)

    def test_any_object(self):
        reply = self.chat(response_format={"type": "json_object"}, max_tokens=300, temperature=1, seed=1)
        if reply.choices[0].finish_reason == "stop":
            self.assertIsInstance(json.loads(reply.choices[0].message.content), dict)
        self.assertRegex(reply.choices[0].message.content, r"\A\{")
        self.assertEqual(self.chat(response_format={"type": "text"}, max_tokens=1).usage.completion_tokens, 1)

    def test_what_cannot_be_enforced_is_refused(self):
        schema = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"pattern": "(a)\\1"}}}
        self.assertRefused(openai.BadRequestError, "response_format.json_schema.schema", None,
                           lambda: self.chat(response_format=schema), "back reference")

    def test_several_answers_and_log_probabilities(self):
        reply = self.chat(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {
            "type": "object", "properties": {"number": {"type": "integer", "minimum": 1, "maximum": 99}},
            "required": ["number"], "additionalProperties": False}}}, n=3, temperature=1.5, seed=7, logprobs=True)
        for choice in reply.choices:
            self.assertIn(json.loads(choice.message.content)["number"], range(1, 100))
            tokens = [one.token for one in choice.logprobs.content]
            self.assertEqual("".join(tokens).removesuffix("<|im_end|>"), choice.message.content)

    def test_bodies_that_are_no_requests(self):
        for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"messages": [{"role": "user", "content": "\xff"}]}',
                     b'{"model": 1}', b"{}", b"[" * 100000, b'{"n": 1, "n": 2}', b'{"messages": NaN}'):
            with self.subTest(body[:20]):
                status, reply = self.ask("POST", "/v1/chat/completions", body)
                self.assertEqual(status, 400, reply)
                self.assertEqual(reply["error"]["type"], "invalid_request_error")

    def test_too_long_a_prompt(self):
        words = "word " * (N_CONTEXT + 1)
        error = self.assertRefused(openai.BadRequestError, "messages", "context_length_exceeded", lambda: self.chat(words))
        self.assertRegex(error.message, rf"This model's maximum context length is {N_CONTEXT} tokens. However, the prompt has \d+ tokens")
        self.assertRefused(openai.BadRequestError, "messages", "context_length_exceeded", lambda: self.chat(words, stream=True))
        self.assertRefused(openai.BadRequestError, "prompt", "context_length_exceeded", lambda: self.complete(words))
        self.assertRefused(openai.BadRequestError, "prompt[1]", "context_length_exceeded", lambda: self.complete(["x", words]))
        self.assertRefused(openai.BadRequestError, "input", "context_length_exceeded",
                           lambda: self.client.embeddings.create(model=NAME, input=words))
        self.assertEqual(self.metric("ogas_requests_running"), 0)


class CompletionTest(OpenAiTest):
    def tokens(self, text):
        return self.ask_ok("POST", "/tokenize", {"prompt": text, "add_special_tokens": False})["tokens"]

    def test_an_answer(self):
        expected = self.greedy(FRANCE, 12, "--raw", *RUN_ENDLESS)
        reply = self.complete(max_tokens=12, extra_body=ENDLESS)
        self.assertEqual((reply.choices[0].text, reply.choices[0].finish_reason), (expected["text"], "length"))
        self.assertIsNone(reply.choices[0].logprobs)
        self.assertEqual((reply.usage.prompt_tokens, reply.usage.completion_tokens), (expected["prompt_tokens"], 12))
        self.assertEqual(self.complete(extra_body=ENDLESS).usage.completion_tokens, 16)  # OpenAI's default
        by_tokens = self.complete(self.tokens(FRANCE), max_tokens=12, extra_body=ENDLESS)
        self.assertEqual(by_tokens.choices[0].text, expected["text"])

    def test_several_prompts(self):
        prompts = [FRANCE, "Once upon a time", "1, 2, 3, 4,"]
        expected = [self.greedy(prompt, 8, "--raw", *RUN_ENDLESS)["text"] for prompt in prompts]
        for asked in (prompts, [self.tokens(prompt) for prompt in prompts]):
            reply = self.complete(asked, max_tokens=8, extra_body=ENDLESS)
            self.assertEqual([(choice.index, choice.text) for choice in reply.choices], list(enumerate(expected)))
            self.assertEqual(reply.usage.completion_tokens, 24)
        choices, usage = self.streamed(self.complete(prompts, max_tokens=8, stream=True, stream_options={"include_usage": True},
                                                     extra_body=ENDLESS))
        self.assertEqual([choices[idx][0] for idx in range(3)], expected)
        self.assertEqual((usage.prompt_tokens, usage.completion_tokens), (reply.usage.prompt_tokens, 24))

    def test_the_best_of_several(self):
        drawn = {"max_tokens": 4, "temperature": 1, "seed": 1, "extra_body": ENDLESS}
        reply = self.complete(["One", "Two"], n=2, **drawn)
        self.assertEqual([choice.index for choice in reply.choices], [0, 1, 2, 3])
        best = self.complete(n=1, best_of=4, logprobs=0, **drawn)
        every = self.complete(n=4, logprobs=0, **drawn)
        ranks = {choice.text: sum(choice.logprobs.token_logprobs) for choice in every.choices}
        self.assertEqual(best.choices[0].text, max(ranks, key=ranks.get))
        self.assertEqual(best.usage.completion_tokens, 16)

    def test_log_probabilities(self):
        expected = self.greedy(FRANCE, 5, "--raw", "--logprobs", 3)["logprobs"]
        found = self.complete(max_tokens=5, logprobs=3).choices[0].logprobs
        self.assertEqual(found.tokens, [one["token"] for one in expected])
        self.assertEqual(found.text_offset[0], 0)
        for logprob, top, other in zip(found.token_logprobs, found.top_logprobs, expected, strict=True):
            self.assertAlmostEqual(logprob, other["logprob"], delta=1e-4)
            self.assertEqual(logprob, max(top.values()))
            self.assertEqual(set(top), {one["token"] for one in other["top_logprobs"]})

    def test_echo(self):
        reply = self.complete(max_tokens=3, echo=True)
        self.assertEqual(reply.choices[0].text, FRANCE + self.greedy(FRANCE, 3, "--raw")["text"])
        choices, _ = self.streamed(self.complete(max_tokens=3, echo=True, stream=True))
        self.assertEqual(choices[0][0], reply.choices[0].text)

    def test_the_prompt_is_scored(self):
        text = FRANCE + " Paris, of course."
        scored, = self.score(FRANCE, " Paris, of course.")
        for prompt in (text, self.tokens(text), [self.tokens(text)]):
            for n_new in (0, 1):
                with self.subTest(prompt=prompt, n_new=n_new):
                    reply = self.complete(prompt, max_tokens=n_new, echo=True, logprobs=1, extra_body=ENDLESS)
                    found = reply.choices[0].logprobs
                    n_context = len(self.tokens(FRANCE))
                    self.assertEqual(len(found.tokens), len(self.tokens(text)) + n_new)
                    self.assertEqual({len(found.token_logprobs), len(found.top_logprobs), len(found.text_offset)},
                                     {len(found.tokens)})
                    self.assertEqual("".join(found.tokens), reply.choices[0].text)
                    self.assertEqual(found.text_offset, [len("".join(found.tokens[:idx])) for idx in range(len(found.tokens))])
                    self.assertIsNone(found.token_logprobs[0])
                    for idx, token in enumerate(scored["tokens"], n_context):
                        self.assertEqual(found.tokens[idx], token["token"])
                        self.assertAlmostEqual(found.token_logprobs[idx], token["logprob"], delta=1e-3)
                        self.assertEqual(found.token_logprobs[idx] == max(found.top_logprobs[idx].values()), token["is_greedy"])
                    self.assertEqual(reply.usage.completion_tokens, n_new)

    def test_the_prompt_is_scored_where_the_answer_ends(self):
        # What lm-eval cuts off is the last entry: there must be one although nothing is said.
        answer = self.greedy(ADD, 8)["text"]
        begun = [{"role": "user", "content": ADD}, {"role": "assistant", "content": answer}]
        tokens = self.ask_ok("POST", "/tokenize", {"messages": begun})["tokens"]
        choice = self.complete([tokens], max_tokens=1, echo=True, logprobs=1, logit_bias={str(END): 100}).choices[0]
        self.assertEqual(choice.finish_reason, "stop")
        self.assertEqual({len(choice.logprobs.tokens), len(choice.logprobs.token_logprobs), len(choice.logprobs.top_logprobs)},
                         {len(tokens) + 1})
        self.assertTrue(choice.text.endswith(answer))

    def test_what_is_refused(self):
        for param, fields in {"prompt": {"prompt": None}, "suffix": {"suffix": "x"}, "logprobs": {"logprobs": 21},
                              "best_of": {"n": 3, "best_of": 2}, "max_tokens": {"max_tokens": 0},
                              "prompt[1]": {"prompt": [1, 99999999]}, "prompt[0][1]": {"prompt": [[1, -1]]},
                              "stop": {"stop": ""}, "echo": {"extra_body": {"echo": "yes"}},
                              "frobnicate": {"extra_body": {"frobnicate": 1}}}.items():
            with self.subTest(param):
                self.assertRefused(openai.BadRequestError, param, None, lambda: self.complete(**fields))


class EmbeddingTest(OpenAiTest):
    TEXTS = ["The cat sat on the mat.", "A kitten rested on the rug.", "Taxes are due in April."]

    def test_texts(self):
        lines = self.ogas("embed", MODEL, "--json", "-q", *self.TEXTS).stdout.splitlines()
        expected = [json.loads(line)["embedding"] for line in lines]
        for fields in ({"encoding_format": "float"}, {}):  # without it, the client asks for base64
            reply = self.client.embeddings.create(model=NAME, input=self.TEXTS, **fields)
            self.assertEqual([one.index for one in reply.data], [0, 1, 2])
            for one, other in zip(reply.data, expected, strict=True):
                self.assertEqual(len(one.embedding), len(other))
                self.assertAlmostEqual(math.fsum(x * x for x in one.embedding), 1, delta=1e-4)
                for x, y in zip(one.embedding, other, strict=True):
                    self.assertAlmostEqual(x, y, delta=1e-4)
            self.assertGreater(reply.usage.prompt_tokens, 15)
            self.assertEqual(reply.usage.total_tokens, reply.usage.prompt_tokens)

    def test_base64_and_floats_are_the_same(self):
        floats = self.client.embeddings.create(model=NAME, input=self.TEXTS[0], encoding_format="float").data[0].embedding
        text = self.client.embeddings.create(model=NAME, input=self.TEXTS[0], encoding_format="base64").data[0].embedding
        self.assertIsInstance(text, str)
        self.assertEqual(array.array("f", base64.b64decode(text, validate=True)), array.array("f", floats))

    def test_tokens(self):
        tokens = self.ask_ok("POST", "/tokenize", {"prompt": self.TEXTS[0]})["tokens"]
        by_text = self.client.embeddings.create(model=NAME, input=self.TEXTS[0])
        for given in (tokens, [tokens]):
            reply = self.client.embeddings.create(model=NAME, input=given)
            self.assertEqual(reply.usage.prompt_tokens, len(tokens))
            self.assertEqual(reply.data[0].embedding, by_text.data[0].embedding)

    def test_what_is_refused(self):
        def embed(**fields):
            return lambda: self.client.embeddings.create(**{"model": NAME, "input": "x", **fields})
        n = len(embed()().data[0].embedding)
        self.assertEqual(len(embed(dimensions=n)().data[0].embedding), n)
        self.assertRefused(openai.BadRequestError, "dimensions", None, embed(dimensions=n - 1))
        self.assertRefused(openai.BadRequestError, "encoding_format", None, embed(encoding_format="hex"))
        self.assertRefused(openai.BadRequestError, "input[1]", None, embed(input=["x", {}]))
        self.assertRefused(openai.BadRequestError, "input", None, embed(input=[]))
        self.assertRefused(openai.BadRequestError, "input", None, embed(input=""))
        self.assertRefused(openai.BadRequestError, "frobnicate", None, embed(extra_body={"frobnicate": 1}))


class ModelsTest(OpenAiTest):
    OPTIONS = ("--ctx", N_CONTEXT, "--alias", "gpt-4o-mini", "--alias", "org/name:tag")

    def test_models(self):
        models = {model.id: model for model in self.client.models.list()}
        self.assertEqual(models.keys(), {NAME, "gpt-4o-mini", "org/name:tag"})
        for name, model in models.items():
            self.assertEqual(self.client.models.retrieve(name).to_dict(), model.to_dict())
            self.assertEqual(model.max_model_len, N_CONTEXT)
            self.assertEqual(self.chat(max_tokens=4, model=name).choices[0].message.content, self.greedy("Say hi", 4)["text"])
        self.assertRefused(openai.NotFoundError, "model", "model_not_found", lambda: self.client.models.retrieve("gpt-9"))

    def test_tokens(self):
        text = "Hello, wörld! 你好 <|im_end|>"
        reply = self.ask_ok("POST", "/tokenize", {"prompt": text, "return_token_strs": True})
        self.assertEqual(reply["count"], len(reply["tokens"]))
        self.assertEqual(self.ask_ok("POST", "/detokenize", {"tokens": reply["tokens"]})["prompt"], text)
        self.assertEqual(len(reply["token_strs"]), reply["count"])
        self.assertIn(2, reply["tokens"])  # <|im_end|>
        chat = self.ask_ok("POST", "/tokenize", {"messages": SAY_HI})
        self.assertEqual(chat["count"], self.chat(max_tokens=1).usage.prompt_tokens)
        info = self.ask_ok("GET", "/tokenizer_info")
        self.assertEqual((info["eos_token"], info["model_max_length"]), ("<|im_end|>", N_CONTEXT))


class KeysTest(OpenAiTest):
    ENVIRONMENT = {"OGAS_API_KEY": "sk-one,sk-two"}

    def test_keys(self):
        self.assertEqual(self.ask("GET", "/health")[0], 200)
        for key in ("sk-one", "sk-two"):
            self.assertEqual(self.client.with_options(api_key=key).chat.completions.create(
                model=NAME, messages=SAY_HI, max_tokens=1).usage.completion_tokens, 1)
        for key in ("sk-on", "sk-one2", "none"):
            with self.assertRaises(openai.AuthenticationError) as caught:
                self.client.with_options(api_key=key).models.list()
            self.assertEqual(caught.exception.code, "invalid_api_key")
            self.assertNotIn(key, self.server.log())
        for exchange in self.exchanges():
            if exchange.status == 401:
                self.assertEqual(exchange.headers["www-authenticate"], "Bearer")


@unittest.skipUnless(SERVES_RESPONSES, "/v1/responses is not served yet")
class ResponsesTest(OpenAiTest):
    def respond(self, prompt="Say hi", /, **fields):
        return self.client.responses.create(**{"model": NAME, "input": prompt, "temperature": 0, "max_output_tokens": 16,
                                               **fields})

    def test_an_answer(self):
        expected = self.greedy("Say hi", 16, *RUN_ENDLESS)
        reply = self.respond(extra_body=ENDLESS)
        self.assertEqual((reply.output_text, reply.object), (expected["text"], "response"))
        self.assertEqual((reply.status, reply.incomplete_details.reason), ("incomplete", "max_output_tokens"))
        self.assertEqual((reply.usage.input_tokens, reply.usage.output_tokens), (expected["prompt_tokens"], 16))
        bias, expected = self.greedy_to_the_end(ADD)
        short = self.respond(ADD, max_output_tokens=64, extra_body={"logit_bias": bias})
        self.assertEqual((short.status, short.output_text), ("completed", expected["text"]))

    def test_input(self):
        expected = self.greedy("Say hi", 9, "--system", "Be brief.")["text"]
        messages = [{"role": "user", "content": [{"type": "input_text", "text": "Say hi"}]}]
        self.assertEqual(self.respond(instructions="Be brief.", max_output_tokens=9).output_text, expected)
        self.assertEqual(self.respond(messages, instructions="Be brief.", max_output_tokens=9).output_text, expected)
        turns = [*SAY_HI, {"role": "assistant", "content": "Hi!"}, {"role": "user", "content": "Again"}]
        self.assertEqual(self.respond(turns).output_text, self.chat(turns, max_tokens=16).choices[0].message.content)

    def test_a_stream(self):
        expected = self.respond(extra_body=ENDLESS)
        with self.client.responses.stream(model=NAME, input="Say hi", temperature=0, max_output_tokens=16,
                                          extra_body=ENDLESS) as stream:
            events = list(stream)
        self.assertEqual(events[-1].response.output_text, expected.output_text)
        kinds = [event.type for event in events]
        self.assertEqual((kinds[0], kinds[-1]), ("response.created", "response.incomplete"))
        for kind in ("response.in_progress", "response.output_item.added", "response.content_part.added",
                     "response.output_text.done", "response.content_part.done", "response.output_item.done"):
            self.assertEqual(kinds.count(kind), 1, kinds)
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        self.assertEqual("".join(deltas), expected.output_text)
        for exchange in self.exchanges():
            if exchange.content_type == "text/event-stream":
                numbers = [json.loads(event)["sequence_number"] for event in exchange.events() if event != "[DONE]"]
                self.assertEqual(numbers, list(range(len(numbers))))

    def test_an_answer_parses_into_a_class(self):
        reply = self.client.responses.parse(model=NAME, input="Who wrote Faust?", text_format=Person, temperature=1)
        self.assertIsInstance(reply.output_parsed, Person)
        self.assertEqual(reply.text.format.type, "json_schema")

    def test_what_is_refused(self):
        for param, fields in {"previous_response_id": {"previous_response_id": "resp_1"},
                              "frobnicate": {"extra_body": {"frobnicate": 1}},
                              "input[0].frob": {"input": [{"role": "user", "content": "x", "frob": 1}]},
                              "text.format.type": {"text": {"format": {"type": "xml"}}}}.items():
            with self.subTest(param):
                self.assertRefused(openai.BadRequestError, param, None, lambda: self.respond(**fields))
        self.assertRefused(openai.NotFoundError, "model", "model_not_found", lambda: self.respond(model="gpt-9"))


if __name__ == "__main__":
    main()
