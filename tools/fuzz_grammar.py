#!/usr/bin/env python3
"""Compares grammars with PyPI jsonschema on random schemas and instances.

    tools/fuzz_grammar.py TOKENIZER [--cases N] [--seed S] [--program build/release/bench/grammar_bench]

TOKENIZER is a tokenizer.json. A case is a schema and an instance: both must agree on whether it is valid. Every schema is also
written by: a text drawn from masks must be valid, and never end nowhere. Exit status 1 if one differs.
"""

import argparse
import collections
import json
import pathlib
import random
import re
import subprocess
import sys

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEYS = ["a", "b", "ab", "x1"]
STRINGS = ["", "a", "b", "ab", "aab", "x1", "1", "\u00e9", "a\nb", "2024-02-29", "2023-02-29"]
NUMBERS = [-3, -1, 0, 1, 2, 3, 4, 6, 10, 1.5, 2.5, -0.5, 0.25, 100]
PATTERNS = ["^a", "b$", "^[ab]*$", "[0-9]", "^.{2}$", "a.*b", "^(a|x)1?$", "^(?!a)", "^$"]

LONG_NUMBER = re.compile(r"[0-9.]{15,}|[0-9][eE]")


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def value(self, depth=2):
        kind = self.random.randrange(4 if depth == 0 else 7)
        if kind == 0:
            return self.random.choice([None, True, False])
        if kind in (1, 4):
            return self.random.choice(NUMBERS)
        if kind in (2, 3):
            return self.random.choice(STRINGS)
        if kind == 5:
            return [self.value(depth - 1) for _ in range(self.random.randrange(4))]
        return {self.random.choice(KEYS): self.value(depth - 1) for _ in range(self.random.randrange(4))}

    def schema(self, depth=2):
        if self.random.random() < 0.08:
            return self.random.random() < 0.7
        schema = {}
        if self.random.random() < 0.5:
            types = ["null", "boolean", "integer", "number", "string", "array", "object"]
            schema["type"] = self.random.choice(types) if self.random.random() < 0.8 else self.random.sample(types, 2)
        for _ in range(self.random.randrange(1, 4)):
            self.keyword(schema, depth)
        return schema

    def keyword(self, schema, depth):
        pick, count = self.random.choice, self.random.randrange
        plain = {
            "minimum": lambda: pick(NUMBERS), "maximum": lambda: pick(NUMBERS), "exclusiveMinimum": lambda: pick(NUMBERS),
            "exclusiveMaximum": lambda: pick(NUMBERS), "multipleOf": lambda: pick([1, 2, 3, 0.5, 0.25]),
            "minLength": lambda: count(4), "maxLength": lambda: count(4), "pattern": lambda: pick(PATTERNS),
            "minItems": lambda: count(3), "maxItems": lambda: count(4), "minProperties": lambda: count(3),
            "maxProperties": lambda: count(4), "required": lambda: self.random.sample(KEYS, count(3)),
            "enum": lambda: [self.value(1) for _ in range(count(1, 4))], "const": lambda: self.value(1),
            "dependentRequired": lambda: {pick(KEYS): [pick(KEYS)]},
        }
        nested = {
            "properties": lambda: {key: self.schema(depth - 1) for key in self.random.sample(KEYS, count(1, 4))},
            "patternProperties": lambda: {pick(PATTERNS): self.schema(depth - 1)},
            "additionalProperties": lambda: self.schema(depth - 1), "propertyNames": lambda: self.schema(0),
            "items": lambda: self.schema(depth - 1), "prefixItems": lambda: [self.schema(depth - 1) for _ in range(count(1, 3))],
            "contains": lambda: self.schema(depth - 1), "not": lambda: self.schema(depth - 1),
            "allOf": lambda: [self.schema(depth - 1) for _ in range(2)],
            "anyOf": lambda: [self.schema(depth - 1) for _ in range(2)],
            "oneOf": lambda: [self.schema(depth - 1) for _ in range(count(2, 4))],
            "if": lambda: self.schema(depth - 1), "then": lambda: self.schema(depth - 1), "else": lambda: self.schema(depth - 1),
            "dependentSchemas": lambda: {pick(KEYS): self.schema(depth - 1)},
        }
        makers = {**plain, **nested} if depth > 0 else plain
        name = pick(list(makers))
        schema[name] = makers[name]()


class Checker:
    def __init__(self, program, tokenizer):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ask({"tokenizer": tokenizer})
        self.counts = collections.Counter()

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the program ended at {json.dumps(request)}")
        return json.loads(line)

    def differs(self, schema, what, text):
        self.counts["differs"] += 1
        print(f"{what}: {text} of {json.dumps(schema)}")

    def check(self, schema, values, seed):
        validator = jsonschema.Draft202012Validator(schema)
        texts = [json.dumps(value, ensure_ascii=False) for value in values]
        result = self.ask({"schema": schema, "instances": texts, "walk": seed})
        if "refused" in result:
            self.counts["refused schemas"] += 1
            if "no JSON value satisfies" in result["refused"]:
                for value in filter(validator.is_valid, values):
                    self.differs(schema, "refused as unsatisfiable, but valid", json.dumps(value))
            return
        for value, text, said in zip(values, texts, result["instances"]):
            self.counts["cases"] += 1
            if (said is True) != validator.is_valid(value) or str(said).startswith("MASK"):
                self.differs(schema, f"ogas says {said}, jsonschema {validator.is_valid(value)}", text)
        walk = result["walks"]
        if "error" in walk:
            self.differs(schema, walk["error"], walk.get("text"))
        elif "text" in walk:
            self.counts["walks"] += 1
            # jsonschema rounds numbers to doubles.
            if not LONG_NUMBER.search(walk["text"]) and not validator.is_valid(json.loads(walk["text"])):
                self.differs(schema, "a walk is invalid", walk["text"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default=ROOT / "build/release/bench/grammar_bench")
    arguments = parser.parse_args()
    checker = Checker(arguments.program, arguments.tokenizer)
    seed = arguments.seed
    while checker.counts["cases"] < arguments.cases:
        maker = Maker(seed)
        checker.check(maker.schema(), [maker.value() for _ in range(12)], seed)
        seed += 1
    print(dict(checker.counts), f"seeds {arguments.seed} to {seed - 1}")
    return 1 if checker.counts["differs"] else 0


if __name__ == "__main__":
    sys.exit(main())
