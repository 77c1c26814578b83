#!/usr/bin/env python3
"""Calls of tools and reasoning, as clients of ogas serve get them.

The small model has learned neither. But it continues as the conversation went, so a history full of calls (or an opened
block of reasoning) makes it write what larger models would. How each way of writing is read is src/chat's own tests'.
"""

import json
import pathlib
import sys
import tempfile

import ollama
import openai

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import SECONDS  # noqa: E402
from server_program import NAME, ServerTest, main  # noqa: E402

TEMPLATE = """\
{%- if tools %}Tools:{% for tool in tools %} {{ tool.function.name }}{% endfor %}
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{% endfor %}{% else %}{{ message.content }}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking %}<think>
{% endif %}{% endif %}{# </think> #}"""
ARGUMENTS = {"a": 2, "b": 3}
ADD = {"type": "function", "function": {
    "name": "add", "description": "adds", "parameters": {
        "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}}}


def history(n_calls=1):
    """A conversation in which every question is answered by this many calls, and one question more."""
    messages = []
    for turn in range(5):
        messages.append({"role": "user", "content": "Add 2 and 3."})
        messages.append({"role": "assistant", "content": None, "tool_calls": [
            {"id": f"call_{turn}_{idx}", "type": "function",
             "function": {"name": "add", "arguments": json.dumps(ARGUMENTS)}} for idx in range(n_calls)]})
        for idx in range(n_calls):
            messages.append({"role": "tool", "tool_call_id": f"call_{turn}_{idx}", "content": "5"})
        messages.append({"role": "assistant", "content": "It is 5."})
    return [*messages, {"role": "user", "content": "Add 2 and 3."}]


class ToolsTest(ServerTest):
    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        template = pathlib.Path(folder.name) / "template.jinja"
        template.write_text(TEMPLATE)
        cls.OPTIONS = ("--chat-template", template)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.client = openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=SECONDS)
        self.addCleanup(self.client.close)

    def ask(self, messages, **fields):
        return self.client.chat.completions.create(**{"model": NAME, "messages": messages, "temperature": 0,
                                                      "max_tokens": 100, "tools": [ADD], **fields})

    def test_calls(self):
        choice = self.ask(history()).choices[0]
        self.assertEqual((choice.finish_reason, choice.message.content), ("tool_calls", None))
        call, = choice.message.tool_calls
        self.assertEqual((call.type, call.function.name, json.loads(call.function.arguments)), ("function", "add", ARGUMENTS))
        self.assertRegex(call.id, r"\Acall_\w{24}\Z")

    def test_several_calls_and_one_at_most(self):
        calls = self.ask(history(2)).choices[0].message.tool_calls
        self.assertEqual([json.loads(call.function.arguments) for call in calls], [ARGUMENTS] * 2)
        self.assertNotEqual(calls[0].id, calls[1].id)
        choice = self.ask(history(2), parallel_tool_calls=False).choices[0]
        self.assertEqual((len(choice.message.tool_calls), choice.finish_reason), (1, "tool_calls"))

    def test_calls_in_a_stream(self):
        calls, reason = {}, None
        for chunk in self.ask(history(2), stream=True):
            choice, = chunk.choices
            self.assertFalse(choice.delta.content, chunk)
            for part in choice.delta.tool_calls or []:
                if part.index not in calls:
                    calls[part.index] = [part.id, part.function.name, ""]
                else:
                    self.assertIsNone(part.id)
                calls[part.index][2] += part.function.arguments
            reason = choice.finish_reason or reason
        self.assertEqual(reason, "tool_calls")
        self.assertEqual([(name, json.loads(text)) for _, name, text in calls.values()], [("add", ARGUMENTS)] * 2)

    def test_calls_of_what_was_not_offered_stay_text(self):
        for fields in ({"tools": openai.NOT_GIVEN}, {"tool_choice": "none"}):
            choice = self.ask(history(), **fields).choices[0]
            self.assertEqual((choice.finish_reason, choice.message.tool_calls), ("stop", None))
            self.assertTrue(choice.message.content.startswith("<tool_call>"), choice)

    def test_a_call_that_has_begun_keeps_to_the_tools(self):
        other = {"type": "function", "function": {"name": "other", "parameters": {
            "type": "object", "required": ["a"], "properties": {"a": {"enum": ["x", "y"]}}, "additionalProperties": False}}}
        call = self.ask(history(), tools=[other], parallel_tool_calls=False).choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, "other")
        self.assertIn(json.loads(call.function.arguments)["a"], ("x", "y"))

    def test_responses(self):
        items = []
        for message in history():
            for call in message.get("tool_calls", []):
                items.append({"type": "function_call", "call_id": call["id"], **call["function"]})
            if message["role"] == "tool":
                items.append({"type": "function_call_output", "call_id": message["tool_call_id"], "output": message["content"]})
            elif message["content"]:
                items.append({"role": message["role"], "content": message["content"]})
        tool = {"type": "function", **ADD["function"], "strict": False}
        fields = {"model": NAME, "input": items, "tools": [tool], "temperature": 0, "max_output_tokens": 100}
        call, = self.client.responses.create(**fields).output
        self.assertEqual((call.type, call.name, json.loads(call.arguments)), ("function_call", "add", ARGUMENTS))
        with self.client.responses.stream(**fields) as stream:
            events = list(stream)
            final = stream.get_final_response()
        self.assertEqual([json.loads(one.arguments) for one in final.output], [ARGUMENTS])
        deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
        self.assertEqual(json.loads("".join(deltas)), ARGUMENTS)

    def test_ollama(self):
        messages = [dict(message, content=message["content"] or "") for message in history()]
        for message in messages:
            message.pop("tool_call_id", None)
            for call in message.get("tool_calls", []):
                call["function"]["arguments"] = ARGUMENTS
        client = ollama.Client(host=self.url)
        for stream in (False, True):
            reply = client.chat(model=NAME, messages=messages, tools=[ADD], options={"temperature": 0}, stream=stream)
            message = list(reply)[-1].message if stream else reply.message
            call, = message.tool_calls
            self.assertEqual((call.function.name, dict(call.function.arguments)), ("add", ARGUMENTS))

    def test_reasoning(self):
        question = [{"role": "user", "content": "Why is the sky blue?"}]
        think = {"chat_template_kwargs": {"enable_thinking": True}}
        message = self.ask(question, tools=openai.NOT_GIVEN, extra_body=think, max_tokens=20).choices[0].message
        self.assertEqual(message.content, "")
        self.assertGreater(len(message.reasoning_content), 20)
        self.assertEqual(message.reasoning, message.reasoning_content)
        stream = self.ask(question, tools=openai.NOT_GIVEN, extra_body=think, max_tokens=20, stream=True)
        pieces = [chunk.choices[0].delta for chunk in stream]
        self.assertEqual("".join(getattr(delta, "reasoning", None) or "" for delta in pieces), message.reasoning)
        response = self.client.responses.create(model=NAME, input="Why is the sky blue?", temperature=0, max_output_tokens=20,
                                                extra_body=think)
        self.assertEqual([item.type for item in response.output], ["reasoning"])
        self.assertEqual(response.output[0].content[0].text, message.reasoning)
        self.assertGreater(response.usage.output_tokens_details.reasoning_tokens, 10)
        reply = ollama.Client(host=self.url).chat(model=NAME, messages=question, think=True,
                                                  options={"temperature": 0, "num_predict": 20})
        self.assertEqual((reply.message.thinking, reply.message.content), (message.reasoning, ""))

    def test_an_answer_that_was_begun(self):
        begun = [{"role": "user", "content": "What is the capital of France?"}, {"role": "assistant", "content": "The capital is"}]
        text = self.ask(begun, tools=openai.NOT_GIVEN, max_tokens=8).choices[0].message.content
        prompt = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\nThe capital is"
        same = self.client.completions.create(model=NAME, prompt=prompt, temperature=0, max_tokens=8).choices[0].text
        self.assertEqual(text, same)


if __name__ == "__main__":
    main()
