#!/usr/bin/env python3
"""Anthropic's Messages API, with answers that a large model would write: the order of blocks and events, why answers end,
calls that are cut, what of a conversation reaches the model, and requests that are refused.

The models write what a script says (scripted_model.py); templates are those of published models.
"""

import http.client
import json
import pathlib
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from scripted_answers_test import HARMONY, HARMONY_TOKENS, QWEN, ScriptedTest  # noqa: E402
import scripted_model  # noqa: E402
from program import SECONDS  # noqa: E402
from scripted_model import control, published_template  # noqa: E402

QWEN3 = published_template("Qwen-Qwen3-0.6B")
WRITE = {"name": "write", "description": "Writes.", "input_schema": {
    "type": "object", "properties": {"path": {"type": "string"}, "text": {"type": "string"}}}}
READ = {"name": "read", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}
USER = {"role": "user", "content": "Go"}
# Tells all of a conversation as its error, once somebody says "Go".
TELLS = ("{% for m in messages %}{% if 'Go' in m.content %}{{ raise_exception('<' ~ (messages | tojson) ~ '|' ~ "
         "(tools | default([], true) | map(attribute='function.name') | join(',')) ~ '>') }}{% endif %}{% endfor %}"
         "{{ tools }}{# <tool_call> \"arguments\" </tool_call> #}")


def call(name, **arguments):
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


class MessagesTest(ScriptedTest):
    def send(self, body, path="/v1/messages", headers=None, method="POST"):
        """Status, headers and the bytes of the answer."""
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS)
        self.addCleanup(connection.close)
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()

    def body(self, **fields):
        return {"max_tokens": 100, "messages": [USER], "temperature": 0, **fields}

    def message(self, **fields):
        status, _, data = self.send(self.body(**fields))
        self.assertEqual(status, 200, data)
        return json.loads(data)

    def events(self, **fields):
        status, headers, data = self.send(self.body(stream=True, **fields))
        self.assertEqual((status, headers["Content-Type"]), (200, "text/event-stream"), data)
        events = []
        for text in data.decode().removesuffix("\n\n").split("\n\n"):
            name, value = text.split("\n")
            event = json.loads(value.removeprefix("data: "))
            self.assertEqual(name, f"event: {event['type']}")
            events.append(event)
        return events

    def streamed(self, **fields):
        """The message that a stream's events make, each of which must come where it may."""
        start, *events, end = [event for event in self.events(**fields) if event["type"] != "ping"]
        self.assertEqual((start["type"], end), ("message_start", {"type": "message_stop"}))
        message = start["message"]
        self.assertEqual((message["content"], message["stop_reason"], message["usage"]["output_tokens"]), ([], None, 0))
        *events, last = events
        is_open = False
        for event in events:
            if event["type"] == "content_block_start":
                self.assertEqual((event["index"], is_open), (len(message["content"]), False))
                message["content"].append(event["content_block"])
                is_open, arguments = True, ""
                continue
            self.assertEqual((event["index"], is_open), (len(message["content"]) - 1, True))
            block = message["content"][-1]
            if event["type"] == "content_block_stop":
                is_open = False
                if block["type"] == "tool_use":
                    block["input"] = json.loads(arguments)
                continue
            delta = event["delta"]
            kind, name = {"text_delta": ("text", "text"), "thinking_delta": ("thinking", "thinking"),
                          "signature_delta": ("thinking", "signature"), "input_json_delta": ("tool_use", "partial_json")}[delta["type"]]
            self.assertEqual(block["type"], kind)
            if name == "partial_json":
                arguments += delta[name]
            else:
                block[name] += delta[name]
        self.assertFalse(is_open)
        self.assertEqual(last["type"], "message_delta")
        self.assertEqual({**last["usage"], **message["usage"], "output_tokens": last["usage"]["output_tokens"]}, last["usage"])
        message.update(last["delta"], usage=last["usage"])
        return message

    def both(self, **fields):
        """A message, which is the same as a whole and as a stream."""
        messages = [self.message(**fields), self.streamed(**fields)]
        for message in messages:
            self.assertRegex(message.pop("id"), r"\Amsg_\w{24}\Z")
            for block in message["content"]:
                if block["type"] == "tool_use":
                    self.assertRegex(block.pop("id"), r"\Atoolu_\w{24}\Z")
            usage = message.pop("usage")
            message["tokens"] = usage["input_tokens"] + usage["cache_read_input_tokens"], usage["output_tokens"]
        self.assertEqual(*messages)
        return messages[0]

    def blocks(self, **fields):
        message = self.both(**fields)
        return message["content"], message["stop_reason"]

    def refused(self, text, status=400, kind="invalid_request_error", path="/v1/messages", **fields):
        found, headers, data = self.send(self.body(**fields), path)
        reply = json.loads(data)
        self.assertEqual(found, status, reply)
        self.check_error(reply, headers, kind, text)

    def check_error(self, reply, headers, kind, text):
        self.assertEqual(set(reply), {"type", "error", "request_id"})
        self.assertEqual((reply["type"], reply["error"]["type"]), ("error", kind), reply)
        self.assertIn(text, reply["error"]["message"])
        self.assertEqual(headers["Request-Id"], reply["request_id"])
        self.assertEqual(headers["X-Request-Id"], reply["request_id"])


class BlocksTest(MessagesTest):
    ANSWER = ["<think>\n", "Hm.", "\n</think>\n\n", "Let me see.", "\n", call("read", path="a"), "\n", call("write", path="a"),
              "\nDone."]
    BLOCKS = [{"type": "thinking", "thinking": "Hm.", "signature": "ogas"}, {"type": "text", "text": "Let me see."},
              {"type": "tool_use", "name": "read", "input": {"path": "a"}},
              {"type": "tool_use", "name": "write", "input": {"path": "a"}}, {"type": "text", "text": "Done."}]

    def test_blocks_come_in_the_order_of_the_answer(self):
        for script in (self.ANSWER, ["".join(self.ANSWER)], list("".join(self.ANSWER))):
            self.start(script, template=QWEN3)
            content, reason = self.blocks(tools=[READ, WRITE], max_tokens=1000)
            self.assertEqual([{**block, "thinking": block["thinking"].strip()} if "thinking" in block else block for block in content],
                             self.BLOCKS)
            self.assertEqual(reason, "tool_use")

    def test_events_of_an_answer(self):
        self.start(["<think>\nHm.\n</think>\n\n", "Hi", " you", call("read", path="a")], template=QWEN3)
        told = [(event["type"], event.get("delta", event.get("content_block", {})).get("type")) for event in self.events(tools=[READ])]
        self.assertEqual(told, [
            ("message_start", None),
            ("content_block_start", "thinking"), ("content_block_delta", "thinking_delta"), ("content_block_delta", "signature_delta"),
            ("content_block_stop", None),
            ("content_block_start", "text"), *[("content_block_delta", "text_delta")] * (len(told) - 12), ("content_block_stop", None),
            ("content_block_start", "tool_use"), ("content_block_delta", "input_json_delta"), ("content_block_stop", None),
            ("message_delta", None), ("message_stop", None)])

    def test_gpt_oss_thinks_between_its_calls(self):
        def said(channel, text, end="<|end|>"):
            return [control("<|channel|>"), channel, control("<|message|>"), text, control(end)]
        self.start([*said("analysis", "Hm."), control("<|start|>"), "assistant", *said("commentary", "Look:"), control("<|start|>"),
                    "assistant", *said("analysis", "So."), control("<|start|>"), "assistant", *said("final", "Hi", "<|return|>")],
                   template=HARMONY, controls=HARMONY_TOKENS, eos="<|return|>")
        content, reason = self.blocks()
        self.assertEqual(([(block["type"], block.get("thinking", block.get("text"))) for block in content], reason),
                         ([("thinking", "Hm."), ("text", "Look:"), ("thinking", "So."), ("text", "Hi")], "end_turn"))

    def test_thinking_that_is_not_shown_comes_back_to_the_model(self):
        self.start(["<think>\nGr\u00fc\u00dfe\n</think>\n\n", "Hi"], template=QWEN3)
        content, _ = self.blocks(thinking={"type": "adaptive", "display": "omitted"})
        shown, _ = self.blocks(thinking={"type": "adaptive", "display": "summarized"})
        self.assertEqual((content[0]["thinking"], shown[0]["signature"]), ("", "ogas"))
        self.assertTrue(content[0]["signature"].startswith("ogas:"))
        self.start(["Hi"], template=TELLS)
        for one in (content, shown):
            self.assertIn('"reasoning_content": "Gr\u00fc\u00dfe', self.told(messages=[USER, {"role": "assistant", "content": one}, USER]))
        for signature in ("ogas:!", "ogas:" + "A" * 5, "ogas:/w==", "ogas:", "ErUB"):  # /w==: no UTF-8
            block = {"type": "thinking", "thinking": "", "signature": signature}
            self.assertNotIn("reasoning_content", self.told(messages=[USER, {"role": "assistant", "content": [block]}, USER]))

    def told(self, **fields):
        status, _, data = self.send(self.body(**fields))
        self.assertEqual(status, 400, data)
        return json.loads(data)["error"]["message"]

    def test_an_empty_answer(self):
        self.start([control("<|im_end|>")])
        self.assertEqual(self.blocks(), ([], "end_turn"))


class EndsTest(MessagesTest):
    def test_why_answers_end(self):
        self.start(["One", " two", " three", " four", " five"])
        for fields, text, reason, stop in (
                ({}, "One two three four five", "end_turn", None), ({"max_tokens": 2}, "One two", "max_tokens", None),
                ({"stop_sequences": ["five", " thr"]}, "One two", "stop_sequence", " thr"),
                ({"stop": "four"}, "One two three ", "stop_sequence", "four"),
                ({"stop_sequences": ["six"]}, "One two three four five", "end_turn", None)):
            message = self.both(**fields)
            self.assertEqual((message["content"], message["stop_reason"], message["stop_sequence"]),
                             ([{"type": "text", "text": text}], reason, stop))

    def test_a_full_context(self):
        self.start(["word"] * 100, "--ctx", 40)
        for n in (100, -1):
            self.assertEqual(self.blocks(max_tokens=n)[1], "model_context_window_exceeded")
        self.assertEqual(self.blocks(max_tokens=2)[1], "max_tokens")
        long = [{"role": "user", "content": "x" * 60}]
        n = json.loads(self.send({"messages": long}, "/v1/messages/count_tokens")[2])["input_tokens"]
        self.assertGreater(n, 60)
        self.refused(f"prompt is too long: {n} tokens > 40 maximum", messages=long)

    def test_a_call_that_is_cut_is_text(self):
        whole = call("write", path="a", text="line 1 line 2")
        begin, middle, end = whole[:60], whole[60:75], whole[75:]
        self.start(["Well. ", begin, middle, end], template=QWEN)
        cut = [{"type": "text", "text": "Well. " + begin}]
        self.assertEqual(self.blocks(tools=[WRITE], max_tokens=2), (cut, "max_tokens"))
        message = self.both(tools=[WRITE], stop_sequences=[middle])
        self.assertEqual((message["content"], message["stop_reason"], message["stop_sequence"]), (cut, "stop_sequence", middle))
        content, reason = self.blocks(tools=[WRITE])
        self.assertEqual(([block["type"] for block in content], reason), (["text", "tool_use"], "tool_use"))
        # What came before the cut is whole.
        self.start([call("write", path="a"), "\n", begin, middle], template=QWEN)
        content, reason = self.blocks(tools=[WRITE], max_tokens=3)
        self.assertEqual(([block["type"] for block in content], reason), (["tool_use", "text"], "max_tokens"))

    def test_whether_and_how_often_the_model_may_call(self):
        self.start([call("read", path="a"), "\n", call("read", path="b"), "\n", call("read", path="c")], template=QWEN)
        self.assertEqual(len(self.blocks(tools=[READ])[0]), 3)
        choice = {"type": "auto", "disable_parallel_tool_use": True}
        content, reason = self.blocks(tools=[READ], tool_choice=choice)
        self.assertEqual((content, reason), ([{"type": "tool_use", "name": "read", "input": {"path": "a"}}], "tool_use"))
        # It would say something else.
        self.start(["Hello"], template=QWEN)
        read = {**READ, "input_schema": {"properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": False}}
        for choice, tools in (({"type": "any"}, [read]), ({"type": "tool", "name": "read"}, [WRITE, read])):
            content, reason = self.blocks(tools=tools, max_tokens=1000,
                                          tool_choice={**choice, "disable_parallel_tool_use": True})
            self.assertEqual(([(block["type"], block["name"]) for block in content], reason), ([("tool_use", "read")], "tool_use"))
            self.assertIn(content[0]["input"]["n"], (1, 2))
        self.refused("names 'find'", tools=[read], tool_choice={"type": "tool", "name": "find"})
        self.start([call("read", path="a")], template=QWEN)
        content, reason = self.blocks(tools=[READ], tool_choice={"type": "none"})
        self.assertEqual(([block["type"] for block in content], reason), (["text"], "end_turn"))


class ConversationTest(MessagesTest):
    """What reaches the model, as a template sees it."""

    def setUp(self):
        super().setUp()
        self.start(["Hi"], template=TELLS)

    def told(self, **fields):
        """Messages, and names of tools."""
        status, _, data = self.send(self.body(**fields))
        reply = json.loads(data)["error"]["message"]
        self.assertEqual(status, 400, reply)
        messages, _, tools = reply[reply.index("<") + 1:reply.rindex(">")].rpartition("|")
        return json.loads(messages), tools.split(",") if tools else []

    def messages(self, *messages, **fields):
        return self.told(messages=list(messages), **fields)[0]

    @staticmethod
    def text(text, **more):
        return {"type": "text", "text": text, **more}

    def test_texts(self):
        blocks = [self.text("<reminder>", cache_control={"type": "ephemeral"}), self.text("Go", citations=None)]
        self.assertEqual(self.messages({"role": "user", "content": blocks}), [{"role": "user", "content": "<reminder>\nGo"}])
        self.assertEqual(self.messages(USER, USER), [{"role": "user", "content": "Go\nGo"}])
        said = {"role": "assistant", "content": [self.text("He"), self.text("llo", citations=[])]}
        self.assertEqual(self.messages(USER, said, USER)[1], {"role": "assistant", "content": "Hello"})
        self.assertEqual(self.messages(USER, system="Be brief."), [{"role": "system", "content": "Be brief."}, USER])
        self.assertEqual(self.messages(USER, system=[self.text("Be"), self.text("brief.")])[0]["content"], "Be\nbrief.")
        self.assertEqual(self.messages(USER, system=[]), [USER])
        # Without a template that shows it, what the system says later is said in the user's turn.
        late = {"role": "system", "content": [self.text("It is late.")]}
        self.assertEqual(self.messages(USER, late, system="Be brief.")[1]["content"], "Go\n<system>\nIt is late.\n</system>")
        self.assertEqual(self.messages(late, USER, system="Be brief.")[0]["content"], "Be brief.\nIt is late.")

    def test_tools_and_results(self):
        use = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a"}, "caller": {"type": "direct"}}
        other = {**use, "id": "toolu_2", "input": {}}
        thought = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
        results = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [self.text("a"), self.text("b")], "is_error": False},
                   {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such file", "is_error": True}, self.text("And?")]
        messages = self.messages(USER, {"role": "assistant", "content": [thought, self.text("Look:"), use, other]},
                                 {"role": "user", "content": results})

        def called(idx, arguments):
            return {"id": f"toolu_{idx}", "type": "function", "function": {"name": "read", "arguments": arguments}}
        self.assertEqual(messages, [
            USER, {"role": "assistant", "content": "Look:", "reasoning_content": "Hm.",
                   "tool_calls": [called(1, {"path": "a"}), called(2, {})]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "a\nb"},
            {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: no such file"}, {"role": "user", "content": "And?"}])
        for content, seen in (({"content": "Error: no"}, "Error: no"), ({}, "Error: ")):
            result = {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, **content}
            messages = self.messages(USER, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]})
            self.assertEqual(messages[2]["content"], seen)
        hidden = {"type": "redacted_thinking", "data": "x"}
        self.assertEqual(self.messages(USER, {"role": "assistant", "content": [hidden, use]})[1]["tool_calls"], [called(1, {"path": "a"})])

    def test_tools_that_are_loaded_later(self):
        search = {**READ, "name": "search"}
        deferred = [{**WRITE, "defer_loading": True}, {**READ, "defer_loading": True}, search]
        self.assertEqual(self.told(tools=deferred)[1], ["search"])
        use = {"type": "tool_use", "id": "t", "name": "search", "input": {}}
        reference = {"type": "tool_reference", "tool_name": "write"}
        found = [USER, {"role": "assistant", "content": [use]},
                 {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [reference]}]}]
        messages, tools = self.told(tools=deferred, messages=found)
        self.assertEqual(tools, ["search"])  # the beginning of the prompt stays what it was
        shown = messages[-1]["content"]
        self.assertEqual(json.loads(shown.removeprefix("<functions>\n<function>").removesuffix("</function>\n</functions>")),
                         {"name": "write", "description": "Writes.", "parameters": WRITE["input_schema"]})
        self.refused("'write', which none of the tools is called", tools=[search], messages=found)
        # It can be called from then on.
        self.start([call("write", path="a")], template=QWEN)
        self.assertNotIn("tool_use", [block["type"] for block in self.blocks(tools=deferred)[0]])
        self.assertEqual(self.blocks(tools=deferred, messages=found)[0][0]["type"], "tool_use")

    def test_the_beginning_of_an_answer(self):
        self.start(["Hi"])
        begun = [USER, {"role": "assistant", "content": "Well, "}]
        count = "/v1/messages/count_tokens"
        n = [json.loads(self.send({"messages": one}, count)[2])["input_tokens"] for one in ([USER], begun)]
        self.assertEqual(n[1] - n[0], len("Well, "))
        thought = {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": ""}, self.text("Well, ")]}
        self.refused("cannot be continued", messages=[USER, thought])

    def test_later_words_of_the_system(self):
        late = {"role": "system", "content": "It is late."}
        for template, options in ((QWEN, {}), (HARMONY, {"controls": HARMONY_TOKENS, "eos": "<|return|>"})):
            self.start(["Hi"], template=template, **options)
            n = [json.loads(self.send({"messages": messages}, "/v1/messages/count_tokens")[2])["input_tokens"]
                 for messages in ([USER], [USER, late])]
            self.assertGreaterEqual(n[1] - n[0], len("It is late."))


class CacheTest(MessagesTest):
    SYSTEM = "You are a careful assistant. " * 20

    def usage(self, **fields):
        usage = self.message(max_tokens=1, **fields)["usage"]
        self.assertEqual(usage["cache_creation_input_tokens"], 0)
        return usage["input_tokens"], usage["cache_read_input_tokens"]

    def test_input_and_what_of_it_was_cached(self):
        self.start(["Hi"])
        count = json.loads(self.send({"messages": [USER], "system": self.SYSTEM}, "/v1/messages/count_tokens")[2])["input_tokens"]
        self.assertEqual(self.usage(system=self.SYSTEM), (count, 0))
        n, cached = self.usage(system=self.SYSTEM)
        self.assertEqual((n + cached, cached > 500), (count, True))
        start = self.events(system=self.SYSTEM)[0]["message"]["usage"]
        self.assertEqual((start["input_tokens"], start["cache_read_input_tokens"]), (n, cached))

    def test_a_prompt_is_computed_without_an_answer(self):
        self.start(["Hi"])
        message = self.message(max_tokens=0, system=self.SYSTEM)
        self.assertEqual((message["content"], message["stop_reason"], message["usage"]["output_tokens"]), ([], "max_tokens", 0))
        self.assertGreater(self.usage(system=self.SYSTEM)[1], 500)
        self.assertEqual(self.streamed(max_tokens=0)["content"], [])

    def test_billing_lines_are_left_out(self):
        """Claude Code's, which differ from request to request: all these prompts are one."""
        self.start(["Hi"])
        words = {"type": "text", "text": self.SYSTEM}
        self.assertEqual(self.usage(system=[words])[1], 0)
        again = self.usage(system=[words])
        self.assertGreater(again[1], 500)
        for line in ("cc_version=2.1.332.0b8; cc_entrypoint=cli; cch=0a1b2;", "cc_version=2.1.332.77c; cc_entrypoint=cli; cch=ff001;"):
            header = f"x-anthropic-billing-header: {line}"
            for system in ([{"type": "text", "text": header}, words], [{"type": "text", "text": f"{header}\n{self.SYSTEM}"}],
                           f"{header}\n{self.SYSTEM}"):
                self.assertEqual(self.usage(system=system), again, system)
        self.assertEqual(sum(self.usage(system="x-anthropic-billing-header: x")), sum(self.usage()))
        # Elsewhere it is text.
        self.assertGreater(sum(self.usage(messages=[{"role": "user", "content": header}])), sum(self.usage()) + len(header) - 3)


class RefusedTest(MessagesTest):
    def setUp(self):
        super().setUp()
        self.start(["Hi"], template=QWEN)

    def test_fields(self):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}
        document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
        use = {"type": "tool_use", "id": "t", "name": "read", "input": {}}

        def user(*blocks):
            return {"messages": [{"role": "user", "content": list(blocks)}]}
        for text, fields in (
                ("max_tokens is missing", {"max_tokens": None}), ("messages is missing", {"messages": None}),
                ("messages is an array of 0", {"messages": []}), ("frobnicate", {"frobnicate": 1}),
                ("messages[0].content[0].type is 'image', and this model takes text only", user(image)),
                ("messages[0].content[0].type is 'document'", user(document)),
                ("'image', and this model takes text only", user({"type": "tool_result", "tool_use_id": "t", "content": [image]})),
                ("messages[0].content[0].type is 'tool_use'", user(use)), ("messages[0].content[0].frob", user({"type": "text", "text": "x", "frob": 1})),
                ("messages[0].content is an empty array", user()), ("messages[0].role is 'tool'", {"messages": [{"role": "tool", "content": "x"}]}),
                ("messages[0].frob", {"messages": [{**USER, "frob": 1}]}), ("system[0].type is 'image'", {"system": [image]}),
                ("tools[0].type is 'web_search_20250305'", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
                ("tools[0].type is 'bash_20250124'", {"tools": [{"type": "bash_20250124", "name": "bash"}]}),
                ("tools[0].input_schema is missing", {"tools": [{"name": "x"}]}),
                ("tools[0].allowed_callers", {"tools": [{**READ, "allowed_callers": ["code_execution_20250825"]}]}),
                ("tools[0].input_examples", {"tools": [{**READ, "input_examples": [{"path": "a"}]}]}),
                ("tool_choice.type is 'maybe'", {"tool_choice": {"type": "maybe"}}),
                ("tool_choice.name is missing", {"tools": [READ], "tool_choice": {"type": "tool"}}),
                ("thinking.type is 'between_tools'", {"thinking": {"type": "between_tools"}}),
                ("output_config.effort is 'huge'", {"output_config": {"effort": "huge"}}),
                ("no variable 'reasoning_effort'", {"output_config": {"effort": "low"}}),
                ("output_config.task_budget", {"output_config": {"task_budget": {"type": "tokens", "total": 1000}}}),
                ("output_config.format.schema", {"output_config": {"format": {"type": "json_schema"}}}),
                ("context_management.edits[0]", {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
                ("speed is 'fast'", {"speed": "fast"}), ("mcp_servers", {"mcp_servers": [{"type": "url"}]}),
                ("container", {"container": "x"}), ("two names", {"stop": "a", "stop_sequences": ["b"]}),
                ("stop_sequences", {"stop_sequences": [""]}), ("at most 16", {"stop_sequences": ["x"] * 17})):
            with self.subTest(text):
                self.refused(text, **fields)
        self.refused("the model 'claude' is not served here", 404, "not_found_error", model="claude")
        self.refused("max_tokens", path="/v1/messages/count_tokens")

    def test_a_model_that_does_not_think(self):
        self.refused("thinking", thinking={"type": "enabled", "budget_tokens": 2000})
        for thinking in ({"type": "adaptive"}, {"type": "adaptive", "display": "omitted"}, {"type": "disabled"}):
            self.assertEqual(self.blocks(thinking=thinking)[0], [{"type": "text", "text": "Hi"}])

    def test_budgets_of_thinking(self):
        self.start(["Hi"], template=QWEN3)
        self.refused("thinking.budget_tokens is missing", thinking={"type": "enabled"})
        for n in (99, 5000):
            self.refused("two names", thinking={"type": "enabled", "budget_tokens": n}, thinking_budget=99)
        for n in (99, 100, 5000):
            self.assertEqual(self.blocks(thinking={"type": "enabled", "budget_tokens": n})[1], "end_turn")
        # Nothing is thought when tokens are counted.
        body = {"messages": [USER], "thinking": {"type": "enabled", "budget_tokens": 99}}
        self.assertEqual(self.send(body, "/v1/messages/count_tokens")[0], 200)

    def test_a_budget_of_thinking_is_kept(self):
        template = ("{% for m in messages %}{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"
                    "{{ m.content }}{% endfor %}")
        with mock.patch.object(scripted_model, "START", "<think>"):
            self.start(["one, ", "two, ", control("</think>"), "Hello"], template=template)
        for n, thought in ((1, "one,"), (2, "one, two,"), (5000, "one, two,")):
            blocks, _ = self.blocks(thinking={"type": "enabled", "budget_tokens": n})
            self.assertEqual([block["thinking"].strip() if "thinking" in block else block["text"] for block in blocks],
                             [thought, "Hello"])

    def test_what_clients_always_send_is_taken(self):
        fields = {"metadata": {"user_id": "x"}, "service_tier": "auto", "cache_control": {"type": "ephemeral"}, "mcp_servers": [],
                  "output_config": {"effort": "high"}, "speed": "standard",
                  "tools": [{**READ, "type": "custom", "cache_control": {"type": "ephemeral"}, "eager_input_streaming": True,
                             "allowed_callers": ["direct"], "input_examples": []}],
                  "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}}
        self.assertEqual(self.message(**fields)["context_management"], {"applied_edits": []})
        self.assertEqual(self.events(**fields)[-2]["context_management"], {"applied_edits": []})
        for version in ("2023-06-01", "2026-10-21"):
            headers = {"anthropic-version": version, "anthropic-beta": "interleaved-thinking-2025-05-14,context-management-2025-06-27"}
            self.assertEqual(self.send(self.body(), "/v1/messages?beta=true", headers)[0], 200)
        status, headers, data = self.send(self.body(), headers={"anthropic-version": "2023-01-01"})
        self.assertEqual(status, 400)
        self.check_error(json.loads(data), headers, "invalid_request_error", "anthropic-version is '2023-01-01'")

    def test_types(self):
        """Whatever a field has as its value: it is taken or refused, and nothing fails."""
        good = self.body(
            system=[{"type": "text", "text": "x"}], tools=[READ], tool_choice={"type": "auto"}, thinking={"type": "disabled"},
            output_config={"effort": "high"}, stop_sequences=["x"], stream=False, top_p=1, top_k=1,
            context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            messages=[USER, {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "x", "signature": "x"}, {"type": "tool_use", "id": "t", "name": "read", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "is_error": False,
                                              "content": [{"type": "text", "text": "x"}]}]}])
        self.assertEqual(self.send(good)[0], 200)
        wrong = [None, True, -1, 1.5, 10**30, "", "x", [], ["x"], [[]], [None], {}, {"x": 1}, {"type": 1}, [{"type": "text"}]]
        n_refused = 0
        for path in self.paths(good):
            for value in wrong:
                status, headers, data = self.send(self.changed(good, path, value))
                self.assertIn(status, (200, 400, 404), (path, value, data))
                n_refused += status != 200
                if status != 200:
                    self.assertEqual(json.loads(data)["type"], "error")
        self.assertGreater(n_refused, 300)

    def paths(self, value, path=()):
        if path:
            yield path
        for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
            yield from self.paths(one, (*path, key))

    def changed(self, value, path, new):
        if not path:
            return new
        copy = value.copy()
        copy[path[0]] = self.changed(value[path[0]], path[1:], new)
        return copy

    def test_bodies(self):
        deep = b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        tools = json.dumps(self.body(tools=[{**READ, "input_schema": {"x": 0}}])).replace("0}", '{"a":' * 70 + "1" + "}" * 71).encode()
        for data, text in ((b"", "not JSON"), (b"[]", "the body is an array"), (deep, "nested deeper"), (tools, "nested deeper"),
                           (b'{"max_tokens": 1, "max_tokens": 2}', "twice"), (b"\xff", "not JSON")):
            for path in ("/v1/messages", "/v1/messages/count_tokens"):
                status, headers, reply = self.send(data, path)
                self.assertEqual(status, 400, reply)
                self.check_error(json.loads(reply), headers, "invalid_request_error", text)

    def test_what_is_refused_before_it_is_read(self):
        for method, path, status, kind in (("GET", "/v1/messages", 405, "invalid_request_error"),
                                           ("GET", "/v1/messages/count_tokens", 405, "invalid_request_error"),
                                           ("POST", "/v1/messages/batches", 404, "not_found_error")):
            found, headers, data = self.send(None, path, method=method)
            self.assertEqual(found, status)
            self.check_error(json.loads(data), headers, kind, path)
        found, headers, data = self.send(self.body(), headers={"Content-Encoding": "gzip"})
        self.assertEqual(found, 415)
        self.check_error(json.loads(data), headers, "invalid_request_error", "gzip")
        self.start(["Hi"], "--max-body", "1K")
        found, headers, data = self.send(b" " * 5000)
        self.assertEqual(found, 413)
        self.check_error(json.loads(data), headers, "request_too_large", "longer than")

    def test_keys(self):
        keys = self.folder / "keys"
        keys.write_text("secret name=office requests_per_minute=1\n")
        self.start(["Hi"], "--api-keys", keys)
        for headers in ({}, {"x-api-key": "wrong"}, {"Authorization": "Bearer wrong"}):
            status, reply_headers, data = self.send(self.body(), headers=headers)
            self.assertEqual(status, 401)
            self.check_error(json.loads(data), reply_headers, "authentication_error", "API key")
        self.assertEqual(self.send(self.body(), headers={"x-api-key": "secret"})[0], 200)
        status, headers, data = self.send(self.body(), headers={"Authorization": "Bearer secret"})
        self.assertEqual(status, 429)
        self.check_error(json.loads(data), headers, "rate_limit_error", "try again")
        self.assertGreater(int(headers["Retry-After"]), 0)


if __name__ == "__main__":
    unittest.main()
