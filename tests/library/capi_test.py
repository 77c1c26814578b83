#!/usr/bin/env python3
"""libogas.so as programs use it: the examples in C and Python, dlopen, and what it exports. (src/capi/capi_test.cc
tests the functions one by one.) OGAS_LIBRARY names it, CC and NM the tools; exits with 77 where those are missing."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scripted_model  # noqa: E402
from program import MODEL, SECONDS, ProgramTest  # noqa: E402
from scripted_model import control, published_template  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIBRARY = pathlib.Path(os.environ.get("OGAS_LIBRARY", ROOT / "build/release/libogas.so.1"))
CC, NM = os.environ.get("CC", "cc"), os.environ.get("NM", "nm")
HEADER = (ROOT / "include/ogas/ogas.h").read_text()
C89 = ("-std=c89", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include")
QUESTION = "Why is the sky blue?"
# No new lines next to its marks, so that a script can follow them.
THINKER = ("{% for m in messages %}{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"
           "{{ m.content }}{% endfor %}")


class CApiTest(ProgramTest):
    def compile(self, source, *options):
        program = self.folder / pathlib.Path(source).stem
        subprocess.run([CC, *C89, ROOT / source, "-o", program, *options], check=True, timeout=SECONDS)
        return program

    def compile_example(self):
        # As pkg-config does it, but for a folder that is not installed.
        (self.folder / "libogas.so").symlink_to(LIBRARY)
        return self.compile("examples/chat.c", f"-L{self.folder}", "-logas", f"-Wl,-rpath,{LIBRARY.parent}")

    def run_program(self, *arguments, stdin="", code=0):
        environment = self.environment | {"OGAS_LIBRARY": str(LIBRARY)}
        result = subprocess.run(arguments, input=stdin, capture_output=True, text=True, timeout=SECONDS, env=environment,
                                cwd=self.folder)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def check_example(self, *command):
        answer = json.loads(self.ogas("run", "--json", QUESTION, "--greedy", "-n", 100).stdout)
        expected, n_answer = answer["text"] + "\n", answer["completion_tokens"]
        result = self.run_program(*command, MODEL, stdin=QUESTION + "\n")
        self.assertEqual(result.stdout, expected)
        self.assertIn(f"({answer['prompt_tokens']} + {n_answer} tokens", result.stderr)
        # A second message follows the first and its answer.
        result = self.run_program(*command, MODEL, stdin=f"{QUESTION}\n{QUESTION}\n")
        self.assertTrue(result.stdout.startswith(expected))
        n_prompt = [int(n) for n in re.findall(r"\((\d+) \+ ", result.stderr)]
        self.assertGreater(n_prompt[1], n_prompt[0] + n_answer)
        self.assertIn("/nowhere.gguf", self.run_program(*command, "/nowhere.gguf", code=1).stderr)

    def test_example_in_c(self):
        self.check_example(self.compile_example())

    def test_example_in_python(self):
        self.check_example(sys.executable, ROOT / "examples/chat.py")

    def test_answers_of_the_example_in_python_satisfy_a_schema(self):
        command = (sys.executable, ROOT / "examples/chat.py", MODEL)
        schema = self.folder / "person.json"
        schema.write_text(json.dumps({"type": "object", "additionalProperties": False, "required": ["name", "age"], "properties": {
            "name": {"type": "string", "maxLength": 10}, "age": {"type": "integer", "minimum": 1, "maximum": 99}}}))
        answers = self.run_program(*command, schema, stdin="Who are you?\nAnd who else?\n").stdout
        decoder = json.JSONDecoder()
        for _ in range(2):
            person, end = decoder.raw_decode(answers)
            self.assertEqual(list(person), ["name", "age"])
            answers = answers[end:].lstrip()
        self.assertEqual(answers, "")
        schema.write_text('{"pattern": "(a)\\\\1"}')
        self.assertIn("back reference", self.run_program(*command, schema, stdin="Hi\n", code=1).stderr)

    def test_an_interrupt_ends_the_answer_and_not_the_program(self):
        # Without a buffer, since communicate() does not know what read() left in it.
        program = subprocess.Popen([self.compile_example(), MODEL], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env=self.environment, stderr=subprocess.DEVNULL, cwd=self.folder, bufsize=0)
        self.addCleanup(program.kill)
        program.stdin.write(b"Count to one thousand.\n")
        program.stdin.flush()
        first = program.stdout.read(1)
        program.send_signal(signal.SIGINT)
        rest, _ = program.communicate(timeout=SECONDS)
        self.assertEqual(program.returncode, 0)
        whole = self.ogas("run", "-q", "Count to one thousand.", "--greedy", "-n", 100).stdout
        shown = (first + rest).rstrip(b"\n")
        self.assertLess(len(shown), len(whole) - 1)
        self.assertTrue(whole.startswith(shown))

    def test_dlopen(self):
        self.run_program(self.compile("tests/library/capi_dlopen.c", "-ldl"), LIBRARY, MODEL)

    def replies(self, script, *ways, **file):
        """What capi_reply says of a model that writes this, in each way."""
        model = scripted_model.write(self.folder / "scripted.gguf", script, **file)
        (self.folder / "libogas.so").symlink_to(LIBRARY)
        program = self.compile("tests/library/capi_reply.c", f"-L{self.folder}", "-logas", f"-Wl,-rpath,{LIBRARY.parent}")
        return [self.run_program(program, model, *way.split(" ")).stdout for way in ways]

    def test_an_answer_is_told_apart(self):
        script = ["<think>\n", "Hm.", "\n</think>\n\n", "I write.", "\n<tool_call>\n",
                  '{"name": "write_file", "arguments": {"path": "a"}}', "\n</tool_call>"]
        chat, generate, raw = self.replies(script, "chat", "generate", "raw", template=published_template("Qwen-Qwen3-0.6B"))
        self.assertEqual(chat, "shown [Hm.] [I write.]\nwhole [Hm.] [I write.]\ncall write_file {\"path\": \"a\"} 13 1\n")
        self.assertEqual(generate, chat)
        self.assertEqual(raw, "shown [] [{0}]\nwhole [] [{0}]\n".format("".join(script)))

    def test_channels_are_told_apart(self):
        tokens = ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>")
        # Names of roles would be forced, in tokens that the script does not know.
        script = [control("<|channel|>"), "final", control("<|message|>"), "Hello", control("<|return|>")]
        chat, raw = self.replies(script, "chat", "raw", template=published_template("openai-gpt-oss-120b"), controls=tokens,
                                 eos="<|return|>")
        self.assertEqual(chat, "shown [] [Hello]\nwhole [] [Hello]\n")
        self.assertEqual(raw, "shown [] [{0}]\nwhole [] [{0}]\n".format("finalHello"))

    def test_stop_texts_and_budgets_of_reasoning(self):
        script = ["one, ", "two, ", control("</think>"), "Hello, ", "there!"]
        with unittest.mock.patch.object(scripted_model, "START", "<think>"):
            ways = self.replies(script, "chat ,", "chat  1", "chat  none", "chat , none", "raw ,", template=THINKER)
        expected = [("one, two,", "Hello"), ("one,", "Hello, there!"), ("", "Hello, there!"), ("", "Hello"), ("", "one")]
        for shown, (reasoning, text) in zip(ways, expected, strict=True):
            self.assertRegex(shown, f"\\Ashown \\[{reasoning} ?\\] \\[{text}\\]\n")

    def test_it_exports_what_the_header_declares(self):
        listing = subprocess.run([NM, "--dynamic", "--defined-only", LIBRARY], check=True, capture_output=True, text=True)
        symbols = [line.split()[-2:] for line in listing.stdout.splitlines()]
        exported = {name.split("@")[0] for kind, name in symbols if kind != "A"}  # A: the version's own name
        declared = set(re.findall(r"^OGAS_API [^;]*?\b(ogas_\w+)\(", HEADER, re.MULTILINE))
        self.assertGreater(len(declared), 20)
        self.assertEqual(exported, declared)

    def test_the_header_in_every_dialect(self):
        source = self.folder / "header.c"
        source.write_text("#include <ogas/ogas.h>\nint main(void) { return ogas_abi_version() - OGAS_ABI_VERSION; }\n")
        for options in (("-std=c89",), ("-std=c17",), ("-x", "c++", "-std=c++98"), ("-x", "c++", "-std=c++20")):
            subprocess.run([CC, *options, *C89[1:], "-fsyntax-only", source], check=True, timeout=SECONDS)


if __name__ == "__main__":
    if not shutil.which(CC) or not shutil.which(NM):
        sys.exit(77)
    unittest.main()
