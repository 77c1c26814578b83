#!/usr/bin/env python3
"""Compares grammars with MaskBench: which schemas compile, which instances are accepted, and how long masks take.

    bench/grammar_bench.py FOLDER [--tokenizer NAME] [--only PATTERN] [--every N] [--walks N] [--peer llguidance|xgrammar]

FOLDER has MaskBench's files (guidance-ai/jsonschemabench): {"schema": ..., "tests": [{"valid": ..., "data": ...}]}.
Needs build/release/bench/grammar_bench. NAME is a tokenizer of tools/get_tokenizers, or a tokenizer.json. With --walks, texts
are drawn from masks and checked by PyPI jsonschema. With --peer, that package does the same work in the same way; needs PyPI
llguidance or xgrammar, tokenizers and numpy. Times are those of the processor, so that what else runs on the machine does not
count. --quick takes three schemas of its own instead of the folder's.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


class Ogas:
    def __init__(self, tokenizer, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        print("ogas:", self.ask({"tokenizer": str(tokenizer)}))

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"grammar_bench died of {json.dumps(request)[:2000]}")
        return json.loads(line)

    def run(self, schema, instances, walk=None):
        request = {"schema": schema, "instances": instances}
        if walk is not None:
            request["walk"] = walk
        return self.ask(request)


class Llguidance:
    def __init__(self, tokenizer, _):
        import llguidance
        import tokenizers
        self.library = llguidance
        self.tokens = tokenizers.Tokenizer.from_file(str(tokenizer))
        self.tokenizer = llguidance.LLTokenizer(tokenizer.read_text())

    def run(self, schema, instances, walk=None):
        started = time.thread_time()
        try:
            grammar = self.library.LLMatcher.grammar_from_json_schema(json.dumps(schema))
            matcher = self.library.LLMatcher(self.tokenizer, grammar, log_level=0)
            if matcher.is_error():
                return {"refused": matcher.get_error()}
            compiled = time.thread_time()
            matcher.compute_bitmask()
        except Exception as error:  # whatever the library raises is a refusal
            return {"refused": str(error)}
        result = {"compile_us": (compiled - started) * 1e6, "first_mask_us": (time.thread_time() - started) * 1e6,
                  "instances": [], "mask_us": []}
        for text in instances:
            result["instances"].append(self.follow(matcher.deep_copy(), text, result["mask_us"]))
        return result

    def follow(self, matcher, text, times):
        for token in self.tokens.encode(text, add_special_tokens=False).ids:
            started = time.thread_time()
            mask = matcher.compute_bitmask()
            times.append((time.thread_time() - started) * 1e6)
            if not (mask[token // 8] >> (token % 8)) & 1 or not matcher.consume_token(token):
                return "refuses a token"
        return True if matcher.is_accepting() else "not complete at its end"


class Xgrammar:
    def __init__(self, tokenizer, _):
        import tokenizers
        import xgrammar
        self.library = xgrammar
        self.tokens = tokenizers.Tokenizer.from_file(str(tokenizer))
        size = self.tokens.get_vocab_size()
        vocab = [self.tokens.id_to_token(idx) or "" for idx in range(size)]
        info = xgrammar.TokenizerInfo(vocab, xgrammar.VocabType.BYTE_LEVEL, vocab_size=size)
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self.bitmask = xgrammar.allocate_token_bitmask(1, size)

    def run(self, schema, instances, walk=None):
        started = time.thread_time()
        try:
            grammar = self.compiler.compile_json_schema(json.dumps(schema))
            compiled = time.thread_time()
            self.library.GrammarMatcher(grammar).fill_next_token_bitmask(self.bitmask)
        except Exception as error:  # whatever the library raises is a refusal
            return {"refused": str(error)}
        result = {"compile_us": (compiled - started) * 1e6, "first_mask_us": (time.thread_time() - started) * 1e6,
                  "instances": [], "mask_us": []}
        for text in instances:
            matcher = self.library.GrammarMatcher(grammar, terminate_without_stop_token=True)
            result["instances"].append(self.follow(matcher, text, result["mask_us"]))
        return result

    def follow(self, matcher, text, times):
        for token in self.tokens.encode(text, add_special_tokens=False).ids:
            started = time.thread_time()
            matcher.fill_next_token_bitmask(self.bitmask)
            times.append((time.thread_time() - started) * 1e6)
            if not matcher.accept_token(token):
                return "refuses a token"
        return True if matcher.is_terminated() or matcher.is_completed() else "not complete at its end"


class Table:
    def __init__(self, show):
        self.counts = collections.Counter()
        self.refusals = collections.Counter()
        self.first, self.masks, self.compiles, self.slowest = [], [], [], []
        self.show = show

    def add(self, name, tests, result):
        if "refused" in result:
            self.counts["refused"] += 1
            self.refusals[re.sub(r"at '[^']*': ", "", result["refused"])[:120]] += 1
            if self.show:
                print(f"{name}: refused: {result['refused'][:300]}")
            return
        self.first.append((result["first_mask_us"], name))
        self.compiles.append((result["compile_us"], name))
        self.masks += result["mask_us"]
        self.slowest.append((max(result["mask_us"], default=0), name))
        wrong = 0
        for test, said in zip(tests, result["instances"]):
            if (said is True) == test["valid"] and not str(said).startswith("MASK"):
                continue
            wrong += 1
            kind = "rejects valid" if test["valid"] else "accepts invalid"
            if str(said).startswith("MASK"):
                kind = "mask differs"
            self.counts[kind] += 1
            if self.show:
                print(f"{name}: {kind}: {json.dumps(test['data'], ensure_ascii=False)[:200]}: {str(said)[:150]}")
        self.counts["wrong" if wrong else "passes"] += 1

    def print(self):
        print(dict(self.counts))
        for reason, count in self.refusals.most_common(25):
            print(f"  refused {count}: {reason}")
        first = [each for each, _ in self.first]
        print(f"first mask p50 {percentile(first, .5) / 1e3:.2f} ms, p90 {percentile(first, .9) / 1e3:.2f} ms, "
              f"p99 {percentile(first, .99) / 1e3:.2f} ms; mask p50 {percentile(self.masks, .5):.1f} us, "
              f"p90 {percentile(self.masks, .9):.1f} us, p99 {percentile(self.masks, .99):.1f} us, "
              f"max {max(self.masks, default=0):.0f} us, n {len(self.masks)}")
        print("slowest masks:", [(name, round(each / 1e3, 1)) for each, name in sorted(self.slowest)[-8:]])
        print("slowest first masks:", [(name, round(each / 1e3, 1)) for each, name in sorted(self.first)[-8:]])


def check_walks(name, schema, walks, counts):
    import jsonschema
    if "error" in walks:
        counts["walk error"] += 1
        print(f"{name}: walk: {walks['error']}: {walks.get('text', '')[:300]}")
    elif "cut" in walks:
        counts["walk cut"] += 1
    else:
        counts["walk ended"] += 1
        try:
            value = json.loads(walks["text"])
            validator = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
            error = next(validator(schema).iter_errors(value), None)
        except Exception as problem:  # a schema that jsonschema does not read
            error = problem
        if error is not None:
            counts["walk invalid"] += 1
            print(f"{name}: walk is invalid: {walks['text'][:300]}: {str(error)[:200]}")


QUICK = {
    "object": {"schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
               "tests": [{"valid": True, "data": {"b": "x", "a": 1}}, {"valid": False, "data": {"a": "1"}}]},
    "array": {"schema": {"type": "array", "items": {"pattern": "^a+$"}, "minItems": 1},
              "tests": [{"valid": True, "data": ["aa", 1]}, {"valid": False, "data": []}]},
    "one": {"schema": {"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}], "type": "integer"},
            "tests": [{"valid": True, "data": 4}, {"valid": False, "data": 6}]},
}


def cases_in(folder, only, every):
    for path in [path for path in sorted(folder.glob("*.json")) if only in path.name][::every]:
        yield path.name, json.loads(path.read_text())


def tokenizer_path(name):
    if name.endswith(".json"):
        return pathlib.Path(name)
    folder = subprocess.check_output([ROOT / "tools/get_tokenizers"], text=True).strip()
    return pathlib.Path(folder) / name / "tokenizer.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tokenizer", default="llama3_1")
    parser.add_argument("--program", default=ROOT / "build/release/bench/grammar_bench")
    parser.add_argument("--only", default="")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--walks", type=int, default=0)
    parser.add_argument("--peer", choices=["llguidance", "xgrammar"])
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    make = {None: Ogas, "llguidance": Llguidance, "xgrammar": Xgrammar}[arguments.peer]
    engine = make(tokenizer_path(arguments.tokenizer), arguments.program)
    table = Table(not arguments.quiet)
    for name, content in QUICK.items() if arguments.quick else cases_in(arguments.folder, arguments.only, arguments.every):
        tests = content["tests"]
        texts = [json.dumps(test["data"], ensure_ascii=False) for test in tests]
        table.add(name, tests, engine.run(content["schema"], texts))
        for seed in range(arguments.walks):
            result = engine.run(content["schema"], [], seed)
            if "walks" in result:
                check_walks(name, content["schema"], result["walks"], table.counts)
    table.print()
    return 1 if arguments.quick and set(table.counts) != {"passes"} else 0


if __name__ == "__main__":
    sys.exit(main())
