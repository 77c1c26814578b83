#!/usr/bin/env python3
"""What ogas run and ogas chat show of a model's reasoning, and what they keep of it.

The models write what a script says (scripted_model.py); templates are those of published models.
"""

import json
import pathlib
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scripted_model  # noqa: E402
from chat_test import READY, Terminal  # noqa: E402
from program import ProgramTest  # noqa: E402
from scripted_model import control, published_template  # noqa: E402

CHANNELS = {"template": published_template("openai-gpt-oss-120b"), "eos": "<|return|>", "controls": (
    "<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>")}
TAGS = {"template": published_template("Qwen-Qwen3-0.6B")}
ANSWERS = {
    "channels": (CHANNELS, [control("<|channel|>"), "analysis", control("<|message|>"), "Hm, ", "well.", control("<|end|>"),
                            control("<|start|>"), "assistant", control("<|channel|>"), "final", control("<|message|>"),
                            "Hello", " there!", control("<|return|>"), "never"]),
    "tags": (TAGS, ["<think>", "\nHm, ", "well.", "\n</think>", "\n\nHello", " there!"]),
}
# Prompts that open the block themselves: the prompt ends with "<think>" then.
OPENED = mock.patch.object(scripted_model, "START", "<think>")


class ReasoningTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "scripted.gguf"

    def each(self):
        """Writes the model, once for each way to mark reasoning."""
        for name, (file, script) in ANSWERS.items():
            scripted_model.write(self.model, script, **file)
            yield name
        with OPENED:
            scripted_model.write(self.model, ["\nHm, ", "well.", "\n</think>", "\n\nHello", " there!"], **TAGS)
        yield "opened by the prompt"

    def run_it(self, *options, **more):
        return self.ogas("run", self.model, "Hi", "--greedy", "-q", *options, **more).stdout.decode()

    def on_terminal(self, *arguments):
        terminal = Terminal([*map(str, arguments)], self.environment)
        self.addCleanup(terminal.close)
        return terminal

    def test_a_script_gets_the_answer_alone(self):
        for _ in self.each():
            self.assertEqual(self.run_it(), "Hello there!\n")
            self.assertEqual(self.run_it("--hide-thinking"), "Hello there!\n")

    def test_json_has_both(self):
        for _ in self.each():
            answer = json.loads(self.run_it("--json"))
            self.assertEqual((answer["text"], answer["reasoning"]), ("Hello there!", "Hm, well."))
            self.assertGreater(answer["completion_tokens"], 5)

    def test_a_terminal_shows_reasoning_dimmed(self):
        for _ in self.each():
            shown = r"\x1b\[2mHm, \x1b\[0m\x1b\[2mwell\.\x1b\[0m(\x1b\[2m\x1b\[0m)*\r\n\r\nHello there!\r\n"
            self.on_terminal("run", self.model, "Hi", "--greedy", "-q").expect(shown)
            for name in ("--hide-thinking", "--hidethinking"):
                terminal = self.on_terminal("run", self.model, "Hi", "--greedy", "-q", name)
                self.assertNotIn("Hm", terminal.expect(r"Hello there!\r\n"))

    def test_a_conversation_keeps_the_content(self):
        for _ in self.each():
            self.assertEqual(self.ogas("chat", self.model, "--greedy", "-q", stdin=b"Hi\nAgain\n/save kept.json\n").stdout,
                             b"Hello there!\nHello there!\n")
            messages = json.loads((self.folder / "kept.json").read_text())["messages"]
            self.assertEqual([(message["role"], message["content"]) for message in messages],
                             [("user", "Hi"), ("assistant", "Hello there!"), ("user", "Again"), ("assistant", "Hello there!")])
            self.assertEqual({key for message in messages for key in message}, {"role", "content"})

    def test_a_conversation_on_a_terminal(self):
        for _ in self.each():
            for option, is_shown in (("--greedy", True), ("--hide-thinking", False)):
                terminal = self.on_terminal("chat", self.model, "--greedy", "-q", option)
                terminal.expect(READY)
                self.assertIn("temperature         0 ", terminal.send("/set temperature"))
                shown = terminal.send("Hi")
                self.assertIn("Hello there!\r\n", shown)
                self.assertEqual("\x1b[2mwell." in shown, is_shown, shown)

    def test_an_answer_that_ends_within_its_reasoning(self):
        for name in self.each():
            n = 5 if name == "channels" else 3
            result = self.ogas("run", self.model, "Hi", "--greedy", "-n", n)
            self.assertEqual(result.stdout, b"\n")
            self.assertIn("(the answer was cut while the model was still thinking: max_tokens, or the context)", result.stderr)
            answer = json.loads(self.run_it("--json", "-n", n))
            self.assertEqual((answer["text"], answer["finish_reason"]), ("", "length"))
            self.assertTrue(answer["reasoning"].startswith("Hm, "))
            result = self.ogas("chat", self.model, "--greedy", "-n", n, stdin=b"Hi\n")
            self.assertIn("still thinking", result.stderr)

    def test_a_call_without_tools_is_text(self):
        call = ["<tool_call>\n", '{"name": "f", "arguments": {}}', "\n</tool_call>"]
        scripted_model.write(self.model, ["<think>\n\n</think>\n\n", *call], **TAGS)
        self.assertEqual(self.run_it(), "".join(call) + "\n")

    def test_nothing_is_read_where_the_template_says_nothing(self):
        file, script = ANSWERS["tags"]
        scripted_model.write(self.model, script, **file)
        raw = self.ogas("run", self.model, scripted_model.START, "--raw", "--parse-special", "--greedy", "-q").stdout
        self.assertEqual(raw.decode(), "".join(script) + "\n")
        plain = self.folder / "plain.jinja"
        plain.write_text("{{ messages[0].content }}" + scripted_model.START)
        self.assertEqual(self.run_it("--chat-template", plain), "".join(script) + "\n")


if __name__ == "__main__":
    unittest.main()
