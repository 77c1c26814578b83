#!/usr/bin/env python3
"""Answers that a large model would write: where they end, tool calls that are cut, their usage.

The models write what a script says (scripted_model.py); templates are those of published models.
"""

import http.client
import json
import pathlib
import sys
import unittest
import urllib.parse
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scripted_model  # noqa: E402
from program import SECONDS, ProgramTest  # noqa: E402
from scripted_model import control, published_template  # noqa: E402

QWEN = published_template("Qwen-Qwen2.5-7B-Instruct")
HARMONY = published_template("openai-gpt-oss-120b")
HARMONY_TOKENS = ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>")
WRITE_FILE = {"name": "write_file", "description": "Writes.", "parameters": {
    "type": "object", "properties": {"path": {"type": "string"}, "text": {"type": "string"}}}}
TOOLS = [{"type": "function", "function": WRITE_FILE}]


class ScriptedTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "scripted.gguf"

    def start(self, script, *options, **file):
        scripted_model.write(self.model, script, **file)
        self.server, url = self.serve(self.model, "-t", 1, "--quiet", *options)
        self.address = urllib.parse.urlsplit(url).netloc

    def post(self, path, body):
        """Status and JSON, or what a stream says: a list of JSON."""
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS)
        self.addCleanup(connection.close)
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        data = response.read().decode()
        if not body.get("stream") or response.status != 200:
            return response.status, json.loads(data)
        lines = [line.removeprefix("data: ") for line in data.splitlines() if line.startswith(("data: {", "{"))]
        return response.status, [json.loads(line) for line in lines]

    def ok(self, path, body):
        status, reply = self.post(path, body)
        self.assertEqual(status, 200, reply)
        return reply

    def chat(self, **fields):
        body = {"messages": [{"role": "user", "content": "Go"}], "temperature": 0, "max_tokens": 100, **fields}
        return self.ok("/v1/chat/completions", body)

    def streamed(self, **fields):
        """What a stream said in total: content, calls as [name, arguments], why it ended, what it took."""
        content, calls, reason, usage = "", [], None, None
        for chunk in self.chat(stream=True, stream_options={"include_usage": True}, **fields):
            usage = chunk["usage"] or usage
            for choice in chunk["choices"]:
                content += choice["delta"].get("content") or ""
                for part in choice["delta"].get("tool_calls", []):
                    if part["index"] == len(calls):
                        calls.append([part["function"]["name"], ""])
                    calls[part["index"]][1] += part["function"]["arguments"]
                reason = choice["finish_reason"] or reason
        return content, calls, reason, usage

    def respond(self, **fields):
        return self.ok("/v1/responses", {"input": "Go", "temperature": 0, "tools": [{"type": "function", **WRITE_FILE}], **fields})

    def ollama(self, n=100, **fields):
        return self.ok("/api/chat", {"messages": [{"role": "user", "content": "Go"}], "tools": TOOLS, "stream": False,
                                     "options": {"temperature": 0, "num_predict": n}, **fields})


class EndsTest(ScriptedTest):
    REASONING = [control("<|channel|>"), "analysis", control("<|message|>"), "Hm.", control("<|end|>"), control("<|start|>"),
                 "assistant"]
    FINAL = [control("<|channel|>"), "final", control("<|message|>"), "Hello there!", control("<|return|>"), "never"]
    CALL = [" to=functions.write_file", control("<|channel|>"), "commentary json", control("<|message|>"), '{"path": "a"}',
            control("<|call|>"), "never"]

    def test_control_tokens_are_not_text(self):
        """Those that are marks of the format are read, and no others shown."""
        script = ["<think>\n", "Hm.", "\n</think>\n\n", "Hi", control("<|im_end|>"), "\n", control("<|im_start|>"), " more"]
        self.start(script, template=published_template("Qwen-Qwen3-0.6B"))
        for fields, expected in (({}, "Hi"), ({"ignore_eos": True, "max_tokens": 8}, "Hi\n more")):
            message = self.chat(**fields)["choices"][0]["message"]
            self.assertEqual((message["reasoning_content"].strip(), message["content"]), ("Hm.", expected))
        run = self.ogas("run", self.model, "Go", "--greedy", "-q", "--ignore-eos", "-n", 8)
        self.assertEqual(run.stdout.decode(), "Hi\n more\n")

    def test_gpt_oss_continues_after_its_reasoning(self):
        self.start([*self.REASONING, *self.FINAL], template=HARMONY, controls=HARMONY_TOKENS, eos="<|return|>")
        choice, = self.chat()["choices"]
        self.assertEqual((choice["message"]["reasoning_content"], choice["message"]["content"], choice["finish_reason"]),
                         ("Hm.", "Hello there!", "stop"))

    def test_gpt_oss_calls_after_its_reasoning(self):
        self.start([*self.REASONING, *self.CALL], template=HARMONY, controls=HARMONY_TOKENS, eos="<|return|>",
                   keys={"tokenizer.ggml.eot_token_id": "{<|end|>}"})
        choice, = self.chat(tools=TOOLS)["choices"]
        call, = choice["message"]["tool_calls"]
        self.assertEqual((call["function"]["name"], call["function"]["arguments"], choice["finish_reason"]),
                         ("write_file", '{"path": "a"}', "tool_calls"))

    def test_the_same_token_ends_phis_answers(self):
        self.start(["Hello", control("<|end|>"), "never"], template=published_template("microsoft-Phi-3.5-mini-instruct"),
                   controls=("<|user|>", "<|assistant|>", "<|system|>", "<|endoftext|>"), eos="<|endoftext|>")
        choice, = self.chat()["choices"]
        self.assertEqual((choice["message"]["content"], choice["finish_reason"]), ("Hello", "stop"))

    def test_several_ends_in_the_file(self):
        for key in ("eos_token_id", "eos_token_ids"):
            with self.subTest(key):
                self.start(["Hello", control("<|x|>"), "never"], controls=("<|x|>",),
                           keys={f"tokenizer.ggml.{key}": [258, 259]})
                self.assertEqual(self.chat()["choices"][0]["message"]["content"], "Hello")

    def test_a_message_that_is_cut_ends_with_a_whole_character(self):
        self.start(["Hi ", b"\xf0\x9f", b"\x98\x80", "!"])
        for n, expected in ((2, "Hi "), (3, "Hi \U0001F600")):
            self.assertEqual(self.chat(max_tokens=n)["choices"][0]["message"]["content"], expected)
            self.assertEqual(self.streamed(max_tokens=n)[0], expected)
        completion = self.ok("/v1/completions", {"prompt": "<|go|>", "max_tokens": 2, "temperature": 0})
        self.assertEqual(completion["choices"][0]["text"], "Hi ")

    def test_bytes_that_the_model_left_unfinished_are_shown(self):
        self.start(["Hi ", b"\xf0\x9f"])
        self.assertEqual(self.chat()["choices"][0]["message"]["content"], "Hi \ufffd")


class GivenBackTest(ScriptedTest):
    """What clients give back of earlier answers, as a template sees it: this one tells all of it as its error."""

    TELLS = ("{% for m in messages %}{% if m.role == 'assistant' %}{{ raise_exception('thought ' ~ m.reasoning_content ~ "
             "', said ' ~ m.content ~ ', called ' ~ (m.tool_calls or [])|length) }}{% endif %}{% endfor %}"
             "{{ tools }}{# <tool_call> \"arguments\" </tool_call> #}")
    REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}
    CALL = {"type": "function_call", "call_id": "c", "name": "write_file", "arguments": "{}"}
    SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}

    def seen(self, *items):
        status, reply = self.post("/v1/responses", {"input": [{"role": "user", "content": "Go"}, *items]})
        self.assertEqual(status, 400, reply)
        return reply["error"]["message"]

    def test_reasoning_belongs_to_the_message_that_follows(self):
        self.start(["Hi"], template=self.TELLS)
        user = {"role": "user", "content": "And?"}
        self.assertIn("thought Hm., said Hi, called 0", self.seen(self.REASONING, self.SAID, user))
        self.assertIn("thought Hm., said Hi, called 1", self.seen(self.REASONING, self.SAID, self.CALL, user))
        self.assertIn("thought Hm., said , called 2", self.seen(self.REASONING, self.CALL, self.CALL, user))
        self.assertIn("thought Hm.Hm., said Hi, called 0", self.seen(self.REASONING, self.REASONING, self.SAID, user))
        self.assertIn("thought Hm., said , called 0", self.seen(self.REASONING, user))
        summary = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Short."}]}
        self.assertIn("thought Short., said Hi", self.seen(summary, self.SAID, user))
        hidden = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
        self.assertIn("thought , said Hi", self.seen(hidden, self.SAID, user))

    def test_gpt_oss_sees_what_it_thought_before_a_call(self):
        self.start(["Hi"], template=HARMONY, controls=HARMONY_TOKENS, eos="<|return|>")
        output = {"type": "function_call_output", "call_id": "c", "output": "done"}
        taken = [self.respond(input=[{"role": "user", "content": "Go"}, *items, self.CALL, output])["usage"]["input_tokens"]
                 for items in ([], [self.REASONING])]
        # <|start|>assistant<|channel|>analysis<|message|>Hm.<|end|>, letter by letter.
        self.assertEqual(taken[1] - taken[0], len("assistantanalysisHm.") + 4)


class CallsTest(ScriptedTest):
    CALL = ["<tool_call>\n", '{"name": "write_file", "arguments": {"path": "a.txt", "text": "line 1', "\\nline 2", '"}}',
            "\n</tool_call>"]
    CUT = '{"path": "a.txt", "text": "line 1'

    def test_a_call_that_is_cut_is_not_whole(self):
        self.start(self.CALL, template=QWEN)
        choice, = self.chat(tools=TOOLS, max_tokens=2)["choices"]
        call, = choice["message"]["tool_calls"]
        self.assertEqual((call["function"]["arguments"], choice["finish_reason"]), (self.CUT, "length"))
        content, calls, reason, _ = self.streamed(tools=TOOLS, max_tokens=2)
        self.assertEqual((content, calls, reason), ("", [["write_file", self.CUT]], "length"))

        response = self.respond(max_output_tokens=2)
        item, = response["output"]
        self.assertEqual((response["status"], item["status"], item["arguments"]), ("incomplete", "incomplete", self.CUT))
        events = self.respond(max_output_tokens=2, stream=True)
        self.assertNotIn("response.function_call_arguments.done", [event["type"] for event in events])
        self.assertEqual(events[-1]["type"], "response.incomplete")

        # Arguments are objects here: what is none is shown as it was written.
        reply = self.ollama(2)
        self.assertNotIn("tool_calls", reply["message"])
        self.assertEqual((reply["message"]["content"], reply["done_reason"]), ("".join(self.CALL[:2]), "length"))

    def test_a_stop_text_within_a_call_cuts_it_too(self):
        self.start(self.CALL, template=QWEN)
        choice, = self.chat(tools=TOOLS, stop="line 2")["choices"]
        self.assertEqual((choice["message"]["tool_calls"][0]["function"]["arguments"], choice["finish_reason"]),
                         (self.CUT + "\\n", "stop"))

    def test_a_whole_call(self):
        self.start(self.CALL, template=QWEN)
        arguments = {"path": "a.txt", "text": "line 1\nline 2"}
        choice, = self.chat(tools=TOOLS)["choices"]
        self.assertEqual(choice["finish_reason"], "tool_calls")
        self.assertEqual(json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]), arguments)
        response = self.respond()
        self.assertEqual((response["status"], response["output"][0]["status"]), ("completed", "completed"))
        self.assertIn("response.function_call_arguments.done", [event["type"] for event in self.respond(stream=True)])
        reply = self.ollama()
        self.assertEqual((reply["message"]["tool_calls"][0]["function"]["arguments"], reply["done_reason"]), (arguments, "stop"))

    def test_usage_of_an_answer_that_the_server_ends(self):
        call = '<tool_call>\n{"name": "write_file", "arguments": {}}\n</tool_call>'
        self.start([call, "\n", call[:20], call[20:], "more", "and more"], template=QWEN)
        fields = {"tools": TOOLS, "parallel_tool_calls": False}
        whole = self.chat(tools=TOOLS)["usage"]
        reply = self.chat(**fields)
        self.assertEqual((len(reply["choices"][0]["message"]["tool_calls"]), reply["choices"][0]["finish_reason"]), (1, "tool_calls"))
        usages = [reply["usage"], self.streamed(**fields)[3]]
        response = self.respond(parallel_tool_calls=False)
        self.assertEqual((response["status"], len(response["output"])), ("completed", 1))
        usages.append({"prompt_tokens": response["usage"]["input_tokens"], "completion_tokens": response["usage"]["output_tokens"],
                       "total_tokens": response["usage"]["total_tokens"]})
        reply = self.ollama(parallel_tool_calls=False)
        self.assertEqual(len(reply["message"]["tool_calls"]), 1)
        usages.append({"prompt_tokens": reply["prompt_eval_count"], "completion_tokens": reply["eval_count"],
                       "total_tokens": reply["prompt_eval_count"] + reply["eval_count"]})
        for usage in usages:
            self.assertEqual(usage["prompt_tokens"], whole["prompt_tokens"], usage)
            self.assertIn(usage["completion_tokens"], range(3, whole["completion_tokens"] + 1), usage)
            self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])


class ThinkingTest(ScriptedTest):
    """Limits on reasoning, and stop texts, which count after it."""

    # No new lines next to its marks, so that a script can follow them.
    TEMPLATE = ("{% for m in messages %}{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"
                "{{ m.content }}{% endfor %}")
    FILE = {"template": TEMPLATE}
    SCRIPT = ["one, ", "two, ", "three ", control("</think>"), "Hello, ", "there!"]
    OPENED = mock.patch.object(scripted_model, "START", "<think>")  # by the prompt

    def split(self, reply):
        message = reply["choices"][0]["message"]
        return message.get("reasoning_content", "").strip(), message["content"]

    def test_a_budget_on_every_face(self):
        with self.OPENED:
            self.start(self.SCRIPT, **self.FILE)
        self.assertEqual(self.split(self.chat()), ("one, two, three", "Hello, there!"))
        for budget, thought in ((0, ""), (1, "one,"), (2, "one, two,"), (3, "one, two, three"), (9, "one, two, three"),
                                (-1, "one, two, three")):
            for field in ("thinking_budget", "thinking_token_budget"):
                reply = self.chat(**{field: budget})
                self.assertEqual(self.split(reply), (thought, "Hello, there!"), budget)
            self.assertEqual(self.split(self.chat(chat_template_kwargs={"thinking_budget": budget})), (thought, "Hello, there!"))
            run = json.loads(self.ogas("run", self.model, "Go", "--greedy", "--json", "--thinking-budget", budget).stdout)
            self.assertEqual((run["reasoning"].strip(), run["text"]), (thought, "Hello, there!"))
            reply = self.ok("/api/chat", {"messages": [{"role": "user", "content": "Go"}], "stream": False,
                                          "options": {"temperature": 0, "thinking_budget": budget}})
            self.assertEqual((reply["message"].get("thinking", "").strip(), reply["message"]["content"]), (thought, "Hello, there!"))
            items = self.ok("/v1/responses", {"input": "Go", "temperature": 0, "thinking_budget": budget})["output"]
            self.assertEqual([item["content"][0]["text"].strip() for item in items], [thought, "Hello, there!"][not thought:])
        reply = self.chat(thinking_budget=1, n=2, logprobs=True)
        self.assertEqual([choice["message"]["content"] for choice in reply["choices"]], ["Hello, there!"] * 2)
        tokens = [entry["token"] for entry in reply["choices"][0]["logprobs"]["content"]]
        self.assertEqual(tokens[:4], ["one, ", "</think>", "Hello, ", "there!"])
        self.assertEqual(self.streamed(thinking_budget=1)[0], "Hello, there!")
        text = self.ok("/v1/completions", {"prompt": "Go<think>", "temperature": 0, "thinking_budget": 1, "max_tokens": 9})
        self.assertEqual(text["choices"][0]["text"], "one, Hello, there!")

    def test_a_conversation_has_a_budget(self):
        with self.OPENED:
            scripted_model.write(self.model, self.SCRIPT, **self.FILE)
        saved = self.folder / "saved.json"
        self.ogas("chat", self.model, "--greedy", "-q", "--thinking-budget", 1, stdin=f"/save {saved}\n".encode())
        self.assertEqual(json.loads(saved.read_text())["settings"]["thinking_budget"], 1)
        said = self.ogas("chat", self.model, "-q", "--load", saved,
                         stdin=b"/set max_tokens 3\nGo\n/set thinking_budget -1\nGo\n").stdout
        self.assertEqual(said, b"Hello, \n\n")

    def test_a_model_that_begins_to_think_by_itself_does_not(self):
        self.start([control("<think>"), *self.SCRIPT], **self.FILE)
        self.assertEqual(self.split(self.chat(thinking_budget=1)), ("one,", "Hello, there!"))
        reply = self.chat(thinking_budget=0)["choices"][0]["message"]
        self.assertNotIn("reasoning_content", reply)

    def test_a_budget_and_a_form(self):
        with self.OPENED:
            self.start(self.SCRIPT, **self.FILE)
        for budget, thought in ((0, ""), (2, "one, two,")):
            reply = self.chat(thinking_budget=budget, structured_outputs={"choice": ["Hello, there!", "Bye"]})
            self.assertEqual(self.split(reply), (thought, "Hello, there!"))

    def test_channels_have_a_budget(self):
        script = [control("<|channel|>"), "analysis", control("<|message|>"), "one, ", "two", control("<|end|>"),
                  control("<|start|>"), "assistant", control("<|channel|>"), "final", control("<|message|>"), "Hello",
                  control("<|return|>")]
        self.start(script, template=HARMONY, controls=HARMONY_TOKENS, eos="<|return|>")
        reply = self.chat(thinking_budget=1, max_tokens=60)
        self.assertTrue(self.split(reply)[0].startswith("one,"), reply)
        self.assertNotIn("two", self.split(reply)[0])
        self.assertNotIn("reasoning_content", self.chat(thinking_budget=0)["choices"][0]["message"])

    def test_without_marks_it_is_refused(self):
        self.start(["Hello"])
        for fields, param in (({"thinking_budget": 5}, "thinking_budget"), ({"thinking_token_budget": 0}, "thinking_token_budget"),
                              ({"chat_template_kwargs": {"thinking_budget": 5}}, "chat_template_kwargs.thinking_budget")):
            status, reply = self.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "Go"}], **fields})
            self.assertEqual((status, reply["error"]["param"]), (400, param))
            self.assertIn("no marks of reasoning", reply["error"]["message"])
        self.chat(thinking_budget=-1)
        self.fails(2, "no marks of reasoning", "run", self.model, "Go", "--thinking-budget", 5)

    def test_what_cannot_be_a_budget(self):
        with self.OPENED:
            self.start(self.SCRIPT, **self.FILE)
        user = [{"role": "user", "content": "Go"}]
        for fields, param in (({"thinking_budget": -2}, "thinking_budget"), ({"thinking_token_budget": "x"}, "thinking_token_budget"),
                              ({"thinking_budget": 1, "thinking_token_budget": 1}, "thinking_token_budget"),
                              ({"thinking_budget": 1, "chat_template_kwargs": {"thinking_budget": 1}},
                               "chat_template_kwargs.thinking_budget"),
                              ({"chat_template_kwargs": {"thinking_budget": 0.5}}, "chat_template_kwargs.thinking_budget")):
            status, reply = self.post("/v1/chat/completions", {"messages": user, **fields})
            self.assertEqual((status, reply["error"]["param"]), (400, param), reply)

    def test_no_effort_switches_thinking_off(self):
        self.start(["Hello"], template=published_template("Qwen-Qwen3-0.6B"))
        off = self.chat(chat_template_kwargs={"enable_thinking": False})["usage"]["prompt_tokens"]
        self.assertGreater(off, self.chat()["usage"]["prompt_tokens"])
        self.assertEqual(self.chat(reasoning_effort="none")["usage"]["prompt_tokens"], off)
        reply = self.ok("/v1/responses", {"input": "Go", "reasoning": {"effort": "none"}})
        self.assertEqual(reply["usage"]["input_tokens"], off)
        user = [{"role": "user", "content": "Go"}]
        for fields, text in (({"reasoning_effort": "high"}, "no variable"),
                             ({"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": True}}, "is true")):
            status, reply = self.post("/v1/chat/completions", {"messages": user, **fields})
            self.assertEqual((status, reply["error"]["param"]), (400, "reasoning_effort"))
            self.assertIn(text, reply["error"]["message"])

    def test_stop_texts_count_after_reasoning(self):
        with self.OPENED:
            self.start(self.SCRIPT, **self.FILE)
        whole = "one, two, three"
        for stop, content in ((",", "Hello"), ("three Hel", "Hello, there!"), ("three", "Hello, there!"), ("there", "Hello, "),
                              ("</think>", "Hello, there!")):
            self.assertEqual(self.split(self.chat(stop=stop)), (whole, content), stop)
            self.assertEqual(self.streamed(stop=stop)[0], content)
            reply = self.ok("/api/chat", {"messages": [{"role": "user", "content": "Go"}], "stream": False,
                                          "options": {"temperature": 0, "stop": [stop]}})
            self.assertEqual(reply["message"]["content"], content)
            self.assertEqual(self.ogas("run", self.model, "Go", "--greedy", "-q", "--stop", stop).stdout.decode(), content + "\n")
        choice, = self.chat(stop=",")["choices"]
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(self.split(self.chat(stop=",", thinking_budget=1)), ("one,", "Hello"))
        said = self.ogas("chat", self.model, "--greedy", "-q", "--stop", ",", stdin=b"Go\n").stdout
        self.assertEqual(said, b"Hello\n")
        # Where nothing splits the text, they count in all of it.
        text = self.ok("/v1/completions", {"prompt": "Go<think>", "temperature": 0, "stop": ",", "max_tokens": 9})
        self.assertEqual(text["choices"][0]["text"], "one")
        raw = self.ogas("run", self.model, "<think>", "--raw", "--parse-special", "--greedy", "-q", "--stop", ",").stdout
        self.assertEqual(raw, b"one\n")

    def test_stop_texts_and_new_lines_next_to_marks(self):
        script = ["<think>\n", "Hm.\n", "So.", "\n</think>\n\n", "Hello\n", "there"]
        self.start(script, template=published_template("Qwen-Qwen3-0.6B"))
        self.assertEqual(self.split(self.chat(stop=["\n"])), ("Hm.\nSo.", "Hello"))

    def test_stop_texts_in_channels(self):
        script = [control("<|channel|>"), "analysis", control("<|message|>"), "Hm, ", "well.", control("<|end|>"),
                  control("<|start|>"), "assistant", control("<|channel|>"), "final", control("<|message|>"), "Hello, there",
                  control("<|return|>")]
        self.start(script, template=HARMONY, controls=HARMONY_TOKENS, eos="<|return|>")
        self.assertEqual(self.split(self.chat(stop=[",", "final"])), ("Hm, well.", "Hello"))


class EffectTest(ScriptedTest):
    """What a template leaves out is refused by its path."""

    def refused(self, path, body, param, text):
        status, reply = self.post(path, body)
        self.assertEqual(status, 400, reply)
        if not path.startswith("/api/"):
            self.assertEqual(reply["error"]["param"], param)
        message = reply["error"] if path.startswith("/api/") else reply["error"]["message"]
        self.assertIn(text, message)

    USERS_AND_ASSISTANTS = ("{% for m in messages %}{% if m.role in ['user', 'assistant'] %}<|im_start|>{{ m.role }}\n"
                            "{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}")
    HISTORY = [{"role": "user", "content": "Go"}, {"role": "assistant", "content": None, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "user", "content": "Go"}]

    def test_a_template_without_tools(self):
        self.start(["Hello"], "--native-tools-only", template=self.USERS_AND_ASSISTANTS)
        completions, chat = "/v1/chat/completions", {"messages": [{"role": "user", "content": "Go"}]}
        self.refused(completions, {**chat, "tools": TOOLS}, "tools", "does not support tools")
        self.refused("/v1/responses", {"input": "Go", "tools": [{"type": "function", **WRITE_FILE}]}, "tools", "does not support")
        self.refused("/api/chat", {**chat, "tools": TOOLS}, "tools", "does not support tools")
        self.ok(completions, {**chat, "tools": TOOLS, "tool_choice": "none"})

    def test_a_template_that_shows_tools_and_no_calls(self):
        self.start(["Hello"], template="{{ tools }}{# <tool_call> \"arguments\" </tool_call> #}" + self.USERS_AND_ASSISTANTS)
        self.refused("/v1/chat/completions", {"messages": self.HISTORY}, "messages[1].tool_calls", "ignores tool calls")

    def test_a_template_without_a_place_for_it(self):
        self.start(["Hello"], template=self.USERS_AND_ASSISTANTS)
        user = {"role": "user", "content": "Go"}
        chat = {"messages": [user]}
        completions = "/v1/chat/completions"
        n_tokens = self.ok(completions, chat)["usage"]["prompt_tokens"]
        self.assertGreater(self.ok(completions, {**chat, "tools": TOOLS})["usage"]["prompt_tokens"], n_tokens + 100)
        self.assertGreater(self.ok(completions, {"messages": self.HISTORY})["usage"]["prompt_tokens"], n_tokens + 30)
        self.refused(completions, {"messages": [{"role": "system", "content": "Be brief."}, user]}, "messages[0]", "'system'")
        self.refused("/api/generate", {"prompt": "Go", "system": "Be brief."}, "messages[0]", "'system'")
        self.refused("/api/generate", {"prompt": "Go", "context": [1, 2]}, "context", "context")
        for fields, param in (({"reasoning_effort": "high"}, "reasoning_effort"),
                              ({"chat_template_kwargs": {"enable_thinking": True}}, "chat_template_kwargs.enable_thinking"),
                              ({"chat_template_kwargs": {"documents": []}}, "chat_template_kwargs.documents")):
            self.refused(completions, {**chat, **fields}, param, "no variable")
        self.refused("/v1/responses", {"input": "Go", "reasoning": {"effort": "low"}}, "reasoning.effort", "no variable")
        self.refused("/api/chat", {**chat, "think": True}, "think", "no variable")
        # It does not think, so that nothing needs to be done.
        self.ok(completions, {**chat, "reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": False}})
        self.ok("/api/chat", {**chat, "think": False, "stream": False})

    def test_a_template_with_a_place_for_it(self):
        self.start(["Hello"], template=published_template("Qwen-Qwen3-0.6B"))
        for think in (True, False):
            self.ok("/api/chat", {"messages": [{"role": "user", "content": "Go"}], "think": think, "stream": False, "tools": TOOLS})
            self.chat(chat_template_kwargs={"enable_thinking": think}, tools=TOOLS)
        self.chat(messages=[
            {"role": "system", "content": " Be brief.\n"}, {"role": "user", "content": "Go"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "write_file", "arguments": '{"path": "a"}'}}]},
            {"role": "tool", "tool_call_id": "1", "content": "done"}])


class TokenizersTest(ScriptedTest):
    def test_names_that_published_files_have(self):
        for pre in ("glm4", "seed-coder", "kimi-k2", "tekken", "smaug-bpe", "qwen35", "command-r"):
            scripted_model.write(self.model, ["Hello there!"], pre=pre)
            self.assertEqual(self.ogas("run", self.model, "Go", "--greedy", "-q").stdout, b"Hello there!\n", pre)

    def test_a_name_that_is_not_known_is_refused_at_once(self):
        scripted_model.write(self.model, ["Hello"], pre="glm9")
        for command in (("run", self.model, "Go"), ("serve", self.model, "--port", 0), ("score", self.model, "Go"),
                        ("embed", self.model, "Go"), ("tokenize", self.model)):
            self.fails(3, "pre-tokenizer 'glm9'", *command)
        self.assertIn("pre-tokenizer 'glm9' is not", self.ogas("inspect", self.model).stdout.decode())
        self.assertIn("'glm9'", json.loads(self.ogas("inspect", self.model, "--json").stdout)["tokenizer"]["error"])
        self.ogas("logits", self.model, "--tokens", "1 2", "--out", "logits.npy")  # needs no text


if __name__ == "__main__":
    unittest.main()
