#!/usr/bin/env python3
"""ogas chat for a person at a terminal (a pseudo-terminal here), and for a script that pipes into it."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import BINARY, SECONDS, ProgramTest  # noqa: E402

READY = r"\x1b\[\?2004h"  # bracketed paste is switched on whenever a line is awaited
QUICK = ("-n", "3", "--greedy", "-q")


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, arguments, environment, columns=80):
        self.output, self.at = "", 0
        self.master, self.slave = pty.openpty()
        self.resize(columns)
        self.before = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.login_tty(self.slave)
            os.execve(BINARY, [BINARY, *arguments], environment)

    def resize(self, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern):
        """Waits until it occurs in the output since the last match; returns the output before it."""
        deadline = time.monotonic() + SECONDS
        while not (match := re.search(pattern, self.output[self.at:])):
            if not select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"no {pattern!r} in {self.output[self.at:]!r}")
            self.output += os.read(self.master, 65536).decode(errors="replace")
        before = self.output[self.at:self.at + match.start()]
        self.at += match.end()
        return before

    def send(self, text):
        """Enters a line; returns what is shown up to the next prompt."""
        self.type(text + "\r")
        return self.expect(READY)

    def end(self):
        """Waits for the end; the exit code. A leftover process is killed."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = None
                while select.select([self.master], [], [], 0)[0]:
                    self.output += os.read(self.master, 65536).decode(errors="replace")
                return os.waitstatus_to_exitcode(status)
            if select.select([self.master], [], [], 0.01)[0]:
                self.output += os.read(self.master, 65536).decode(errors="replace")
        raise AssertionError("it did not end")

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)
        os.close(self.slave)


class ChatTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.environment["NO_COLOR"] = "1"

    def chat(self, *options, **more):
        terminal = Terminal(["chat", *map(str, options)], self.environment, **more)
        self.addCleanup(terminal.close)
        terminal.expect(READY)
        return terminal

    def messages(self, terminal):
        """Saves the conversation and reads it."""
        path = self.folder / "saved.json"
        path.unlink(missing_ok=True)
        self.assertRegex(terminal.send(f"/save {path}"), r"saved \d+ messages? to ")
        return json.loads(path.read_text())["messages"]

    def sent(self, terminal):
        """What the person said, from first to last."""
        return [message["content"] for message in self.messages(terminal) if message["role"] == "user"]

    def test_an_answer(self):
        terminal = self.chat("-n", 4, "--greedy", "--ignore-eos")
        self.assertRegex(terminal.output, r"SmolLM2-135M-Instruct.Q4_1 · 98.4 MB · context 8192 · /help, Ctrl-D ends\r\n")
        shown = terminal.send("Say hi")
        self.assertRegex(shown, r"\r\n\x1b\[\?2004l[^\r]+\r\n32 \+ 4 tok · prefill .* peak [\d.]+ MB\r\n")
        self.assertIn("remembered", terminal.send("Again"))
        self.assertEqual(len(self.messages(terminal)), 4)
        terminal.type("\x04")
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)
        self.assertEqual(terminal.output.count("\x1b[?2004h"), terminal.output.count("\x1b[?2004l"))

    def test_colours_end_before_what_is_typed(self):
        del self.environment["NO_COLOR"]
        terminal = self.chat(*QUICK)
        terminal.type("x")
        terminal.expect("x")
        colours = re.findall(r"\x1b\[[\d;]*m", terminal.output[:terminal.output.rindex("x")])
        self.assertEqual(colours[-1], "\x1b[0m")

    def test_commands(self):
        terminal = self.chat(*QUICK, "--system", "Be brief.")
        for command in ("/system", "/set", "/schema", "/save", "/load", "/stats", "/retry", "/clear", "/exit"):
            self.assertIn(f"\r\n{command} ", terminal.send("/help") if command == "/system" else terminal.output)
        self.assertIn("there is no command '/hlep'; did you mean /help?", terminal.send("/hlep"))
        self.assertIn("there is no command '/frobnicate'; /help lists them", terminal.send("/frobnicate"))
        self.assertIn("Be brief.", terminal.send("/system"))
        self.assertIn("there is no message to answer yet", terminal.send("/retry"))
        terminal.send("Say hi")
        before = self.messages(terminal)
        terminal.send("/retry")
        self.assertEqual(self.messages(terminal), before)
        self.assertEqual([message["role"] for message in before], ["system", "user", "assistant"])
        stats = terminal.send("/stats")
        for text in ("model ", "context ", " of 8192 tokens", "peak memory ", "last answer "):
            self.assertIn(text, stats)
        self.assertIn("a new conversation", terminal.send("/clear"))
        self.assertEqual(self.messages(terminal), before[:1])
        terminal.send("/system Rhyme.")
        terminal.send("//not a command")
        self.assertEqual([message["content"] for message in self.messages(terminal)][:2], ["Rhyme.", "/not a command"])
        terminal.type("/exit\r")
        self.assertEqual(terminal.end(), 0)

    def test_settings(self):
        terminal = self.chat("-q", "--greedy")
        self.assertRegex(terminal.send("/set"), r"temperature +0 .*\r\n(?s:.)*top_k +40 .*\r\n(?s:.)*max_tokens +0 ")
        terminal.send("/set max_tokens 2")
        terminal.send("/set temperature=0.5")
        self.assertRegex(terminal.send("/set temperature"), r"temperature +0.5 ")
        self.assertIn("did you mean temperature?", terminal.send("/set temprature 1"))
        self.assertIn("there are: temperature, top_k", terminal.send("/set frobnicate 1"))
        self.assertIn("'hot' is not a number", terminal.send("/set temperature hot"))
        self.assertIn("between 0 and 1", terminal.send("/set top_p 7"))
        self.assertRegex(terminal.send("/set top_p"), r"top_p +0.9 ")

    def test_answers_keep_to_a_schema(self):
        schema = {"type": "object", "required": ["name", "age"], "additionalProperties": False,
                  "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 1, "maximum": 9}}}
        (self.folder / "person.json").write_text(json.dumps(schema))
        (self.folder / "bad.json").write_text('{"pattern": "(a)\\\\1"}')
        terminal = self.chat("-q", "--greedy", "-n", 100)
        self.assertIn("(no schema)", terminal.send("/schema"))
        terminal.send(f"/schema {self.folder}/person.json")
        self.assertIn('"maxLength": 8', terminal.send("/schema"))
        self.assertRegex(terminal.send(f"/schema {self.folder}/bad.json"), r"bad\.json: at '#/pattern'.*back reference")
        self.assertIn("No such file", terminal.send("/schema /nowhere/x.json"))
        (self.folder / "bad.json").write_text("7")
        self.assertIn("is not a JSON Schema", terminal.send(f"/schema {self.folder}/bad.json"))
        terminal.send("Who are you?")
        terminal.send("/set max_tokens 3")
        self.assertIn("(cut before it satisfied the schema)", terminal.send("And you?"))
        answer = json.loads(self.messages(terminal)[1]["content"])
        self.assertEqual(list(answer), ["name", "age"])
        saved = json.loads((self.folder / "saved.json").read_text())
        self.assertEqual(saved["schema"], schema)
        terminal.send("/schema off")
        self.assertIn("(no schema)", terminal.send("/schema"))
        self.messages(terminal)
        self.assertNotIn("schema", json.loads((self.folder / "saved.json").read_text()))
        saved["settings"]["max_tokens"] = 100
        (self.folder / "kept.json").write_text(json.dumps(saved))
        again = self.chat("-q", "--load", self.folder / "kept.json")
        self.assertIn('"maxLength":8', again.send("/schema"))
        again.send("And the next?")
        self.assertEqual(list(json.loads(self.messages(again)[-1]["content"])), ["name", "age"])
        saved["schema"] = {"pattern": "(a)\\1"}
        (self.folder / "kept.json").write_text(json.dumps(saved))
        self.assertRegex(again.send(f"/load {self.folder}/kept.json"), "schema: at '#/pattern'")
        saved["schema"] = json.loads('{"not":' * 300 + "{}" + "}" * 300)
        (self.folder / "kept.json").write_text(json.dumps(saved))
        self.assertIn("not a saved conversation", again.send(f"/load {self.folder}/kept.json"))

    def test_a_loaded_conversation_is_remembered(self):
        terminal = self.chat("-n", 2, "--greedy")
        terminal.send("one two three four five six seven " * 30)
        self.messages(terminal)
        terminal.type("\x04")
        terminal.end()
        again = self.chat("-n", 2, "--greedy")
        again.send(f"/load {self.folder}/saved.json")
        shown = again.send("Continue")
        self.assertRegex(shown, r"\(\d+ remembered\)")
        self.assertGreaterEqual(int(re.search(r"\((\d+) remembered\)", shown)[1]), 192)

    def test_a_saved_conversation_goes_on_in_another_process(self):
        terminal = self.chat(*QUICK, "--system", "Be brief.", "--seed", 9)
        terminal.send("My name is Zoë. 你好")
        terminal.send("/set top_p 0.5")
        saved = self.messages(terminal)
        terminal.type("\x04")
        terminal.end()
        again = self.chat("--load", self.folder / "saved.json", "-q")
        self.assertIn("messages from", again.output)
        self.assertEqual(self.messages(again), saved)
        self.assertRegex(again.send("/set top_p"), r"top_p +0.5 ")
        self.assertRegex(again.send("/set seed"), r"seed +9 ")
        (self.folder / "broken.json").write_text('{"messages": [{"role": "robot", "content": ""}]}')
        self.assertIn("messages[0].role is 'robot'", again.send(f"/load {self.folder}/broken.json"))
        self.assertIn("No such file", again.send("/load /nowhere/x.json"))
        self.assertIn("No such file", again.send("/save /nowhere/x.json"))
        self.assertIn("not a regular file", again.send("/save /dev/null"))
        self.assertEqual(self.messages(again), saved)
        self.fails(3, "messages[0].role", "chat", "--load", self.folder / "broken.json")

    def test_interrupts_at_the_prompt(self):
        terminal = self.chat(*QUICK)
        terminal.type("half a line")
        terminal.expect("half a line")
        terminal.type("\x03")
        terminal.expect(READY)
        terminal.send("whole")
        terminal.type("one \\\r")
        terminal.expect(READY)
        terminal.type("\x03")
        terminal.expect(READY)
        self.assertEqual(self.sent(terminal), ["whole"])
        terminal.type("\x03")
        self.assertEqual(terminal.end(), 130)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_an_interrupt_stops_the_answer(self):
        terminal = self.chat("--ignore-eos", "-q", "--greedy")
        terminal.type("Tell me a long story\r")
        terminal.expect(r"2004l[^\x1b]{3}")
        terminal.type("\x03")
        terminal.expect(r"\(stopped; what came so far stays")
        terminal.expect(READY)
        terminal.send("/set max_tokens 2")
        terminal.send("And now?")
        messages = self.messages(terminal)
        self.assertEqual([message["role"] for message in messages], ["user", "assistant"] * 2)
        self.assertGreater(len(messages[1]["content"]), 1)

    def test_messages_of_several_lines(self):
        terminal = self.chat(*QUICK)
        terminal.type("\x1b[200~one\r\ntwo\n\n\tthree\x1b[31m\n\x1b[201~ end\r")
        terminal.expect(READY)
        terminal.type("first\\\r")
        terminal.expect(READY)
        terminal.send("second")
        terminal.send("upper\x1b\rlower")
        self.assertEqual(self.sent(terminal), ["one\ntwo\n\n    three[31m end", "first\nsecond", "upper\nlower"])

    def test_a_long_paste(self):
        terminal = self.chat(*QUICK)
        text = "\n".join(f"line {number}" for number in range(40))  # more than the window has
        terminal.type(f"\x1b[200~{text}\x1b[201~\r")
        terminal.expect(READY)
        self.assertEqual(self.sent(terminal), [text])

    def test_history(self):
        terminal = self.chat(*QUICK)
        terminal.send("first\x1b\rline")
        terminal.send("second 你好")
        terminal.type("\x04")
        self.assertEqual(terminal.end(), 0)
        path = self.folder / ".local/state/ogas/history"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        again = self.chat(*QUICK)
        again.send("\x1b[A")
        again.send("\x1b[A\x1b[A")
        again.send("\x1bOA\x1bOA!")
        self.assertEqual(self.sent(again), ["second 你好", "first\nline", "second 你好!"])
        self.environment["XDG_STATE_HOME"] = "/dev/null"
        self.assertIn("top_k", self.chat(*QUICK).send("/set top_k"))

    def test_editing(self):
        terminal = self.chat(*QUICK)
        terminal.send("你好世界😀\x7f\x7f\x7f吗")
        terminal.send("wrld\x1b[D\x1b[D\x1b[Do\x01hello \x05!")
        terminal.send("drop this\x15keep this")
        terminal.send("a word\x17letter")
        self.assertEqual(self.sent(terminal), ["你好吗", "hello world!", "keep this", "a letter"])

    def test_a_resized_window(self):
        terminal = self.chat(*QUICK, columns=60)
        terminal.type("a line that is long enough to be broken ")
        terminal.expect("broken")
        terminal.resize(20)
        terminal.expect(r"a line that is lon\W+g enough")  # drawn again
        terminal.send("by a narrow window")
        self.assertEqual(self.sent(terminal), ["a line that is long enough to be broken by a narrow window"])

    def test_a_full_context(self):
        terminal = self.chat("--ctx", 64, "-q", "--ignore-eos")
        shown = terminal.send("word " * 60)
        self.assertRegex(shown, r"error: the prompt has \d+ tokens, \d+ more than the context of 64; /clear starts a new conversation")
        self.assertEqual(self.messages(terminal), [])
        terminal.send("/set temperature 0")
        self.assertIn("(the context is full: /clear starts a new conversation", terminal.send("List the numbers up to a hundred, in words"))

    def test_output_without_a_terminal(self):
        result = self.ogas("chat", "-n", 4, "--greedy", "--stop", "\n", stdin="Say hi\n\nAgain\\\nplease".encode())
        self.assertEqual(result.stdout.count(b"\n"), 2)
        self.assertNotIn(b"\x1b", result.stdout)
        self.assertEqual(len(re.findall("tok .*· prefill", result.stderr)), 2)
        self.assertEqual(self.ogas("chat", "-q", stdin=b"/exit\nHello\n").stdout, b"")
        self.assertIn("there is no command", self.ogas("chat", "-q", stdin=b"/frob\n", code=2).stderr)
        self.ogas("chat", *QUICK, stdin=b"\xff\xfe broken\n/save x.json\n")
        self.assertEqual(json.loads((self.folder / "x.json").read_text())["messages"][0]["content"], "\ufffd\ufffd broken")


if __name__ == "__main__":
    unittest.main()
