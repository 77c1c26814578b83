#!/usr/bin/env python3
"""ogas run with a form for its answer (--schema, --json-object, --regex, --grammar, --choice), and ogas grammar check."""

import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scripted_model  # noqa: E402
from program import MODEL, ProgramTest  # noqa: E402
from scripted_model import control, published_template  # noqa: E402

PERSON = {"type": "object", "additionalProperties": False, "required": ["name", "born"],
          "properties": {"name": {"type": "string", "maxLength": 20}, "born": {"type": "integer", "minimum": 1, "maximum": 2026}}}
THINKER = {"template": published_template("Qwen-Qwen3-0.6B"), "controls": ("<think>", "</think>")}


class SchemaTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.schema = self.write("person.json", json.dumps(PERSON))

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


class FormTest(SchemaTest):
    def answer(self, *options, model=MODEL, code=0, **more):
        done = self.ogas("run", model, "Who wrote Faust?", "-q", *options, code=code, **more)
        return done.stdout.decode().removesuffix("\n") if code == 0 else done.stderr

    def test_a_schema(self):
        for seed in range(3):
            person = json.loads(self.answer("--schema", self.schema, "--temperature", 1.2, "--seed", seed))
            self.assertEqual(list(person), ["name", "born"])
            self.assertIn(person["born"], range(1, 2027))
        compact = self.answer("--schema", self.schema, "--compact-json", "--greedy")
        self.assertEqual(json.dumps(json.loads(compact), separators=(",", ":"), ensure_ascii=False), compact)

    def test_json_has_the_text_alone(self):
        reply = json.loads(self.ogas("run", MODEL, "Hi", "--schema", self.schema, "--json", "--logprobs", 0, "--greedy").stdout)
        self.assertEqual(list(json.loads(reply["text"])), ["name", "born"])
        self.assertEqual(reply["text"], self.ogas("run", MODEL, "Hi", "--schema", self.schema, "-q", "--greedy").stdout.decode()[:-1])
        self.assertEqual(reply["finish_reason"], "stop")

    def test_other_forms(self):
        self.assertRegex(self.answer("--regex", r"\d{4}-\d{2}"), r"\A\d{4}-\d{2}\Z")
        self.assertIn(self.answer("--choice", "Goethe", "--choice", "Schiller"), ("Goethe", "Schiller"))
        gbnf = self.write("yes.gbnf", 'root ::= ("yes" | "no") ", sir"')
        self.assertIn(self.answer("--grammar", gbnf), ("yes, sir", "no, sir"))
        self.assertTrue(self.answer("--schema", self.schema, "-n", 2, code=1).startswith("ogas: error: the answer was cut (length)"))
        model = scripted_model.write(self.folder / "scripted.gguf", ["{", '"of":', '"Goethe"', "}"])
        self.assertEqual(self.answer("--json-object", "--compact-json", "--greedy", model=model), '{"of":"Goethe"}')

    def test_what_cannot_be_is_an_error_before_the_model_is_read(self):
        bad = self.write("bad.json", '{"properties": {"a": {"pattern": "(a)\\\\1"}}}')
        error = self.answer("--schema", bad, model="no-such-model", code=2)
        self.assertRegex(error, r"bad\.json: at '#/properties/a/pattern'.*back reference")
        self.assertIn("never closed", self.answer("--regex", "(a", code=2))
        self.assertIn("do not go together", self.answer("--regex", "a", "--json-object", code=2))
        self.assertIn("ignore_eos", self.answer("--regex", "a", "--ignore-eos", code=2))
        self.assertIn("no-such.json", self.answer("--schema", "no-such.json", code=3))

    def test_thinking_stays_free(self):
        thought = [control("<think>"), "\nHm, ", "well {", control("</think>"), "\n\nHello", " there!"]
        model = self.folder / "scripted.gguf"
        scripted_model.write(model, thought, **THINKER)
        reply = json.loads(self.ogas("run", model, "Hi", "--greedy", "--json", "--regex", "[0-9]{3}").stdout)
        self.assertIn("Hm, well {", reply["reasoning"])
        self.assertRegex(reply["text"], r"\A[0-9]{3}\Z")


class GrammarCheckTest(SchemaTest):
    def check(self, *options, code=0, **more):
        return self.ogas("grammar", "check", *options, code=code, **more).stdout.decode()

    def test_a_schema(self):
        self.assertEqual(self.check(self.schema), f"{self.schema}: can be enforced\n")
        bad = self.write("bad.json", '{"not": {"uniqueItems": true}}')
        self.assertIn(f"{bad}: cannot be enforced: ", self.check(bad, code=1))
        reply = json.loads(self.check(bad, "--json", code=1))
        self.assertEqual((reply["can_be_enforced"], "#" in reply["reason"]), (False, True))

    def test_instances(self):
        good = self.write("good.json", '{\n  "born" : 1749,\n  "name": "Goethe"\n}\n')
        bad = self.write("bad.json", '{\n  "name": "Goethe",\n  "born": "1749"\n}\n')
        text = self.check(self.schema, "--instance", good, "--instance", bad, "--explain", code=1)
        self.assertIn(f"{good}: valid\n", text)
        self.assertRegex(text, re.escape(f"{bad}:3:11: invalid: ") + ".*may not come here\n  expected: .*'1' to '9'")
        cut = self.write("cut.json", '{"name": "Goethe"')
        one = json.loads(self.check(self.schema, "--instance", cut, "--json", code=1))["instances"][0]
        self.assertEqual((one["valid"], one["byte"], one["expected"]), (False, 17, ["','"]))

    def test_other_grammars(self):
        pattern = self.write("pattern", "a+b\n")
        self.assertIn("valid", self.check(pattern, "--regex", "--instance", self.write("text", "aab\n")))
        self.assertIn("can be enforced", self.check(self.write("x.gbnf", 'root ::= "a"')))
        self.assertIn("cannot be enforced", self.check(self.write("y.gbnf", 'root ::= other'), code=1))


if __name__ == "__main__":
    unittest.main()
