#!/usr/bin/env python3
"""Calls of tools that a model has to make, and arguments that keep to their schema, with a model that would do neither.

The small model's template does not support tools, so that they are described in the system's message.
"""

import json
import pathlib
import re
import sys

import jsonschema
import openai

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import SECONDS  # noqa: E402
from server_program import NAME, ServerTest, main  # noqa: E402

WEATHER = {"type": "object", "required": ["city", "days"], "additionalProperties": False, "properties": {
    "city": {"type": "string", "maxLength": 20}, "days": {"type": "integer", "minimum": 1, "maximum": 14},
    "unit": {"enum": ["C", "F"]}}}
RING = {"type": "object", "required": ["who"], "properties": {"who": {"type": "string", "pattern": "^\\d{3}$"}},
        "additionalProperties": False}
SCHEMAS = {"weather": WEATHER, "ring": RING}
TOOLS = [{"type": "function", "function": {"name": name, "description": "does it", "parameters": schema, "strict": True}}
         for name, schema in SCHEMAS.items()]
QUESTION = [{"role": "user", "content": "How will the weather be in Oslo?"}]


def named(name):
    return {"type": "function", "function": {"name": name}}


class ToolChoiceTest(ServerTest):
    def setUp(self):
        super().setUp()
        self.client = openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=SECONDS)
        self.addCleanup(self.client.close)

    def ask(self, **fields):
        return self.client.chat.completions.create(**{"model": NAME, "messages": QUESTION, "temperature": 0, "seed": 1,
                                                      "max_tokens": 150, "tools": TOOLS, **fields})

    def check(self, calls, names):
        self.assertTrue(calls)
        for call in calls:
            self.assertIn(call.function.name, names)
            jsonschema.validate(json.loads(call.function.arguments), SCHEMAS[call.function.name])

    def test_required(self):
        for temperature, seed in ((0, 1), (2, 1), (2, 2), (2, 3)):
            choice = self.ask(tool_choice="required", parallel_tool_calls=False, temperature=temperature, seed=seed).choices[0]
            self.assertEqual((choice.finish_reason, choice.message.content), ("tool_calls", None))
            self.assertEqual(len(choice.message.tool_calls), 1)
            self.check(choice.message.tool_calls, SCHEMAS)

    def test_named(self):
        for name in SCHEMAS:
            message = self.ask(tool_choice=named(name), parallel_tool_calls=False).choices[0].message
            self.check(message.tool_calls, [name])

    def test_allowed_tools(self):
        allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named("ring")]}}
        self.check(self.ask(tool_choice=allowed, parallel_tool_calls=False).choices[0].message.tool_calls, ["ring"])
        allowed["allowed_tools"]["mode"] = "auto"
        message = self.ask(tool_choice=allowed).choices[0].message
        self.check(message.tool_calls or [], ["ring"]) if message.tool_calls else self.assertTrue(message.content)

    def test_streams_are_the_same(self):
        fields = {"tool_choice": "required", "parallel_tool_calls": False, "temperature": 1}
        call, = self.ask(**fields).choices[0].message.tool_calls
        parts = [chunk.choices[0].delta.tool_calls[0].function for chunk in self.ask(**fields, stream=True)
                 if chunk.choices[0].delta.tool_calls]
        self.assertEqual(parts[0].name, call.function.name)
        self.assertEqual("".join(part.arguments for part in parts), call.function.arguments)

    def test_several_choices_and_log_probabilities(self):
        choices = self.ask(tool_choice="required", n=3, temperature=1.5, logprobs=True, parallel_tool_calls=False).choices
        for choice in choices:
            self.check(choice.message.tool_calls, SCHEMAS)
            self.assertTrue(choice.logprobs.content)
        self.assertGreater(len({choice.message.tool_calls[0].function.arguments for choice in choices}), 1)

    def test_a_call_that_is_cut_is_not_whole(self):
        for max_tokens in (3, 12, 20):
            choice = self.ask(tool_choice=named("weather"), max_tokens=max_tokens).choices[0]
            self.assertEqual(choice.finish_reason, "length")

    def test_responses(self):
        tools = [{"type": "function", **tool["function"]} for tool in TOOLS]
        for choice, names in (("required", SCHEMAS), ({"type": "function", "name": "ring"}, ["ring"]),
                              ({"type": "allowed_tools", "mode": "required",
                                "tools": [{"type": "function", "name": "weather"}]}, ["weather"])):
            call, = self.client.responses.create(model=NAME, input="How will the weather be?", tools=tools, tool_choice=choice,
                                                 parallel_tool_calls=False, temperature=0, max_output_tokens=150).output
            self.assertEqual(call.type, "function_call")
            self.assertIn(call.name, names)
            jsonschema.validate(json.loads(call.arguments), SCHEMAS[call.name])

    def test_a_form_next_to_tools(self):
        form = {"type": "json_schema", "json_schema": {"name": "f", "schema": {
            "type": "object", "required": ["sky"], "properties": {"sky": {"enum": ["blue", "grey"]}},
            "additionalProperties": False}}}
        message = self.ask(response_format=form).choices[0].message
        if message.tool_calls:
            self.check(message.tool_calls, SCHEMAS)
        else:
            self.assertIn(json.loads(message.content)["sky"], ("blue", "grey"))
        self.check(self.ask(response_format=form, tool_choice="required", parallel_tool_calls=False)
                   .choices[0].message.tool_calls, SCHEMAS)

    def test_structural_tags(self):
        # The bias makes the model write the trigger; what follows has to keep to one of the structures.
        tag = {"type": "structural_tag", "triggers": ["<n"], "structures": [
            {"begin": "<num>", "schema": {"type": "integer", "minimum": 10, "maximum": 99}, "end": "</num>"}]}
        begun = [*QUESTION, {"role": "assistant", "content": "It will be"}]
        for seed in range(3):
            text = self.ask(messages=begun, tools=openai.NOT_GIVEN, response_format=tag, temperature=1.5, seed=seed,
                            max_tokens=40).choices[0].message.content
            self.assertEqual(re.sub(r"<num>[1-9][0-9]</num>", "", text).count("<n"), 0, text)
        forced = {"type": "structural_tag", "triggers": [" "], "structures": [
            {"begin": " <num>", "schema": {"type": "integer", "minimum": 10, "maximum": 99}, "end": "</num>"}]}
        text = self.ask(messages=begun, tools=openai.NOT_GIVEN, response_format=forced, max_tokens=40).choices[0].message.content
        self.assertRegex(text, r"\A[^ ]*( <num>[1-9][0-9]</num>[^ ]*)+")

    def test_a_conversation_goes_on(self):
        call, = self.ask(tool_choice=named("weather"), parallel_tool_calls=False).choices[0].message.tool_calls
        messages = [*QUESTION, {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
                    {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 30 degrees."}]
        message = self.ask(messages=messages, tool_choice="none").choices[0].message
        self.assertTrue(message.content)
        self.assertIsNone(message.tool_calls)

    def test_what_is_refused(self):
        unsafe = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {
            "type": "object", "properties": {"a": {"type": "string", "pattern": "(a)\\1"}}}}}]
        for fields, words in (
                ({"tool_choice": named("other")}, "names 'other', which is none of the tools"),
                ({"tool_choice": "required", "tools": []}, "there are no tools"),
                ({"tool_choice": "any"}, "'auto', 'none', 'required' or an object"),
                ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}}, "an empty array"),
                ({"tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "only functions are supported"),
                ({"tools": unsafe}, "'f': at '#/properties/a/pattern'")):
            with self.assertRaises(openai.BadRequestError) as caught:
                self.ask(**fields)
            self.assertIn(words, caught.exception.message)
        # Not strict: what can be enforced is.
        unsafe[0]["function"]["strict"] = False
        call, = self.ask(tools=unsafe, tool_choice="required", parallel_tool_calls=False).choices[0].message.tool_calls
        self.assertEqual(call.function.name, "f")

    def test_many_tools(self):
        tools = [{"type": "function", "function": {"name": f"tool_{idx}", "parameters": WEATHER}} for idx in range(128)]
        last = named("tool_127")
        call, = self.ask(tools=tools[-8:], tool_choice=last, parallel_tool_calls=False).choices[0].message.tool_calls
        self.assertEqual(call.function.name, "tool_127")


class NativeToolsTest(ServerTest):
    OPTIONS = ("--native-tools-only",)

    def test_tools_that_the_template_lacks_are_refused(self):
        client = openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=SECONDS)
        self.addCleanup(client.close)
        with self.assertRaises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=NAME, messages=QUESTION, tools=TOOLS, max_tokens=5)
        self.assertIn("does not support tools", caught.exception.message)


if __name__ == "__main__":
    main()
