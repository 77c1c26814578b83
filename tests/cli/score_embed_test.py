#!/usr/bin/env python3
"""ogas score and ogas embed as users and scripts run them."""

import json
import math
import os
import pathlib
import signal
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import BINARY, MODEL, SECONDS, ProgramTest  # noqa: E402

ARCHITECTURES = pathlib.Path(__file__).resolve().parent.parent / "data/arch"  # tiny models
CONTEXT = "The capital of France is"
ANSWERS = (" Paris", " London, of course", " a banana")


def choices(*answers):
    return [word for answer in answers for word in ("--continuation", answer)]


class ScoreTest(ProgramTest):
    def tokens(self, text):
        return json.loads(self.ogas("tokenize", stdin=text.encode()).stdout)

    def literal(self, context, scored, *options):
        """(log-probability, is greedy) of each scored token after the context, from what `ogas logits` writes."""
        ids = ",".join(map(str, context + scored[:-1]))
        self.ogas("logits", MODEL, "--tokens", ids, "--out", "x.npy", *options)
        n_rows, n_vocab, logits = self.read_npy(self.folder / "x.npy")
        self.assertEqual(n_rows, len(context) + len(scored) - 1)
        for row, token in enumerate(scored, len(context) - 1):
            values = logits[row * n_vocab:(row + 1) * n_vocab].tolist()
            largest = max(values)
            total = math.fsum(math.exp(value - largest) for value in values)
            yield values[token] - largest - math.log(total), values.index(largest) == token

    def check(self, found, context, text, *options):
        expected = list(self.literal(context, self.tokens(text), *options))
        self.assertEqual([token["id"] for token in found["tokens"]], self.tokens(text))
        self.assertEqual("".join(token["token"] for token in found["tokens"]), text)
        for token, (logprob, is_greedy) in zip(found["tokens"], expected, strict=True):
            self.assertAlmostEqual(token["logprob"], logprob, delta=1e-9)
            self.assertEqual(token["is_greedy"], is_greedy)
        self.assertAlmostEqual(found["logprob"], math.fsum(logprob for logprob, _ in expected), delta=1e-8)
        self.assertEqual(found["is_greedy"], all(is_greedy for _, is_greedy in expected))
        self.assertEqual(found["scored_tokens"], len(expected))

    def test_continuations_are_worth_what_the_logits_say(self):
        result = self.ogas("score", "--context", CONTEXT, *choices(*ANSWERS), "--tokens", "--json", "--kv-cache-type", "f32")
        self.assertEqual(result.stderr, "")
        report = json.loads(result.stdout)
        self.assertEqual(report["model"], pathlib.Path(MODEL).name)
        self.assertEqual(report["context_tokens"], len(self.tokens(CONTEXT)))
        self.assertEqual([found["text"] for found in report["continuations"]], list(ANSWERS))
        for found in report["continuations"]:
            self.check(found, self.tokens(CONTEXT), found["text"])
        self.assertEqual([found["is_greedy"] for found in report["continuations"]], [True, False, False])
        # Alone, in batches of one, with the space on the other side of the border: the same numbers.
        for found in report["continuations"]:
            other = self.ogas("score", MODEL, "--context", CONTEXT + " ", *choices(found["text"][1:]), "--json", "--batch", 1,
                              "--kv-cache-type", "f32")
            self.assertEqual(json.loads(other.stdout)["continuations"][0]["logprob"], found["logprob"])

    def test_a_whole_text(self):
        text = "Once upon a time, there was a little girl who lived in a village near the forest.\n"
        begin = [1]  # <|im_start|>, this vocabulary's BOS
        score = ("score", "--tokens", "--json", "--kv-cache-type", "f32")
        report = json.loads(self.ogas(*score, text).stdout)
        self.check(report, begin, text)
        self.assertEqual(report["bytes"], len(text))
        self.assertAlmostEqual(report["perplexity"], math.exp(-report["logprob"] / report["scored_tokens"]), delta=1e-6)
        self.assertAlmostEqual(report["bits_per_byte"], -report["logprob"] / math.log(2) / len(text), delta=1e-9)
        (self.folder / "text").write_text(text)
        for arguments, stdin in [(("--file", "text"), b""), (("--file", "-"), text.encode()), ((), text.encode()),
                                 ((MODEL,), text.encode()), ((MODEL, text), b"")]:
            self.assertEqual(json.loads(self.ogas(*score, *arguments, stdin=stdin).stdout), report, arguments)

    def test_a_text_longer_than_the_context(self):
        text = " ".join(map(str, range(30)))
        ids = self.tokens(text)
        self.assertGreater(len(ids), 40)
        score = ("score", text, "--json", "--kv-cache-type", "f32", "--ctx", 32)
        # Windows of 32 tokens, of which the first one is context.
        expected = [pair for begin in range(0, len(ids), 32) for pair in
                    self.literal(([1] + ids)[max(0, min(begin, len(ids) - 32)):begin + 1], ids[begin:begin + 32], "--ctx", 32)]
        self.assertEqual(len(expected), len(ids))
        report = json.loads(self.ogas(*score).stdout)
        self.assertAlmostEqual(report["logprob"], math.fsum(logprob for logprob, _ in expected), delta=1e-7)
        # Tokens are more probable with more text before them.
        overlapping = json.loads(self.ogas(*score, "--overlap", 24).stdout)
        self.assertEqual(overlapping["scored_tokens"], len(ids))
        self.assertGreater(overlapping["logprob"], report["logprob"])
        short = json.loads(self.ogas(*score, "--window", 4).stdout)
        self.assertLess(short["logprob"], report["logprob"])

    def test_tables(self):
        table = self.ogas("score", "--context", CONTEXT, *choices(*ANSWERS)).stdout.decode()
        self.assertRegex(table, r"\A  log-prob   a token  greedy  continuation\n *-\d+\.\d{4} +-\d+\.\d{4}  yes     ' Paris'\n")
        self.assertEqual(table.count("\n"), 4)
        whole = self.ogas("score", "The sky is blue.", "--tokens").stdout.decode()
        self.assertRegex(whole, r"(?m)^ +-\d+\.\d{4} +' sky'$")
        self.assertRegex(whole, r"tokens +5 \(16 bytes\)\nlog-prob +-[\d.]+\nperplexity +[\d.]+\nbits per byte +[\d.]+\n\Z")

    def test_errors(self):
        for text, arguments, stdin in [
            ("5 tokens and 7 of continuation 2 take 11 positions, 3 more than the context of 8",
             ["--context", "1 2 3", *choices(" 4", "5 6 7 8"), "--ctx", 8], b""),
            ("the text before the continuations has 9 tokens, 1 more than the context of 8",
             ["--context", "1 2 3 4 5", *choices(" 4"), "--ctx", 8], b""),
            ("continuation 2 is empty", ["--context", "a", *choices("b", "")], b""),
            ("--context needs at least one --continuation", ["--context", "a"], b""),
            ("--file is a text to be scored as a whole", ["--file", "x", *choices("a")], b""),
            ("the text is given twice, by --file and as 'a b'", ["a b", "--file", "x"], b""),
            ("put quotes around a text", ["a", "b", "c"], b""),
            ("put quotes around a text", [MODEL, "b", *choices("a")], b""),
            ("the text is empty", [""], b""),
            ("the text is empty", [], b""),
            ("windows of 9 tokens are 1 more than the context of 8", ["a b", "--ctx", 8, "--window", 9], b""),
            ("5 tokens before those that are scored; between 1 and the window's 4", ["a b", "--window", 4, "--overlap", 5],
             b""),
            ("--continuation and --window do not go together", [*choices("a"), "--window", 9], b""),
            ("--window: '0' is not a whole number", ["a b", "--window", 0], b""),
        ]:
            with self.subTest(text):
                self.fails(2, text, "score", *arguments, stdin=stdin)
        self.fails(3, "cannot open 'gone'", "score", "--file", "gone")

    def test_text_on_stdin_that_is_not_read_is_mentioned(self):
        for arguments in (("score", "a b"), ("embed", "a b", "-q"), ("score", "--context", "a", "--continuation", " b")):
            self.assertEqual(self.ogas(*arguments).stderr, "")
            self.assertRegex(self.ogas(*arguments, stdin=b"c d").stderr, r"\Aogas: there is text on stdin, which was not read: ")
        self.assertEqual(self.ogas("score", stdin=b"c d").stderr, "")


def with_end(model, path):
    """A copy of a model file that asks for EOS after texts."""
    data = model.read_bytes()
    key = b"tokenizer.ggml.add_eos_token"
    keys = struct.pack("<Q", len(key)) + key + struct.pack("<I?", 7, True) + struct.pack("<Q", 1) + b"x" + struct.pack("<I", 8)
    filling = -(len(keys) + 8) % 32  # tensors stay aligned
    keys += struct.pack("<Q", filling) + b"x" * filling
    n_keys, = struct.unpack("<Q", data[16:24])
    path.write_bytes(data[:16] + struct.pack("<Q", n_keys + 2) + keys + data[24:])
    return path


class EmbedTest(ProgramTest):
    def test_vectors_are_those_of_transformers(self):
        model = ARCHITECTURES / "qwen3_next/model.gguf"  # whose tokens are letters
        ids = json.dumps(json.loads((ARCHITECTURES / "qwen3_next/golden.json").read_text())["prompt"]).encode()
        text = self.ogas("tokenize", model, "--decode", stdin=ids).stdout
        self.assertEqual(json.loads(self.ogas("tokenize", model, "--special", stdin=text).stdout), json.loads(ids))
        n_golden, n_embd, golden = self.read_npy(ARCHITECTURES / "qwen3_next/embeddings.npy")
        (self.folder / "line").write_bytes(text)
        for row, pooling in enumerate(("last", "mean", "first")):
            found = self.ogas("embed", model, "--file", "line", "--parse-special", "--pooling", pooling, "--no-normalize",
                              "--kv-cache-type", "f32", "--json")
            vector = json.loads(found.stdout)["embedding"]
            self.assertEqual(len(vector), n_embd)
            for value, expected in zip(vector, golden[row * n_embd:(row + 1) * n_embd]):
                self.assertAlmostEqual(value, expected, delta=1e-4)

    def test_texts_get_the_tokens_that_the_model_asks_for(self):
        model = ARCHITECTURES / "qwen3_next/model.gguf"
        asks = with_end(model, self.folder / "asks.gguf")
        vector = lambda *arguments: self.ogas("embed", *arguments).stdout
        self.assertEqual(vector(asks, "ABC"), vector(model, "ABC<end>", "--parse-special"))
        self.assertNotEqual(vector(asks, "ABC"), vector(model, "ABC"))

    def test_every_output_has_the_same_numbers(self):
        texts = ["The sky is blue.", "Grass is green.", "Why is the sky blue?", "\u4f60\u597d"]
        result = self.ogas("embed", *texts, "--json")
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([(line["index"], line["text"]) for line in lines], list(enumerate(texts)))
        self.assertEqual(lines[0]["tokens"], 5)
        self.assertRegex(result.stderr, r"\ASmolLM2\S+: 4 x 576 values, pooling last, length 1\n\Z")
        plain = self.ogas("embed", MODEL, "-q", stdin="\r\n".join(texts).encode())
        self.assertEqual(plain.stderr, "")
        self.assertEqual([list(map(float, line.split())) for line in plain.stdout.splitlines()],
                         [line["embedding"] for line in lines])
        (self.folder / "texts").write_text("\n".join(texts) + "\n")
        for options in (["--file", "texts"], texts):
            self.assertEqual(self.ogas("embed", MODEL, *options, "--out", "x.npy", "--batch", 3, "--threads", 1).stdout, b"")
            n_rows, n_embd, numbers = self.read_npy(self.folder / "x.npy")
            self.assertEqual((n_rows, n_embd), (len(texts), 576))
            # JSON has the shortest decimals that read as these floats (as C's, not as Python's).
            for found, value in zip(numbers, [value for line in lines for value in line["embedding"]], strict=True):
                self.assertEqual(struct.pack("f", found), struct.pack("f", value))
        for line in lines:
            self.assertAlmostEqual(math.fsum(value * value for value in line["embedding"]), 1, delta=1e-5)
        self.assertEqual(sorted(os.listdir(self.folder)), ["texts", "x.npy"])

    def test_pooling(self):
        text = "The sky is blue."
        embed = lambda *options: json.loads(self.ogas("embed", text, "--json", *options).stdout)["embedding"]
        last, mean, first = (embed("--pooling", pooling) for pooling in ("last", "mean", "first"))
        self.assertEqual(embed(), last)
        self.assertNotEqual(mean, last)
        # A decoder's first token has seen nothing else.
        self.assertEqual(first, json.loads(self.ogas("embed", "The", "--json").stdout)["embedding"])
        product = lambda a, b: math.fsum(x * y for x, y in zip(a, b, strict=True))
        similar, other = (json.loads(self.ogas("embed", words, "--json", "--pooling", "mean").stdout)["embedding"]
                          for words in ("The sky is so blue today.", "def main(argv): return 0"))
        self.assertGreater(product(mean, similar), product(mean, other))

    def test_completion(self):
        script = self.ogas("completion", "bash").stdout.decode()
        self.assertIn("'embed --pooling') choices='last mean first' ;;", script)
        self.assertRegex(script, r"(?m)^    embed\) .*--no-normalize.*; models=yes; files=yes ;;$")
        self.assertRegex(script, r"(?m)^    score\) .*--continuation.*; models=yes; files=yes ;;$")

    def test_errors_leave_no_files(self):
        for text, arguments, stdin in [
            ("text 2 has 9 tokens, 1 more than the context of 8", ["--ctx", 8], b"a\n1 2 3 4 5\n"),
            ("text 2 is empty", [], b"a\n\nb"),
            ("stdin is empty", ["--out", "x.npy"], b""),
            ("texts are given twice, by --file and as 'b c'", ["b c", "--file", "x"], b""),
            ("--json and --out do not go together", ["a", "--json", "--out", "x.npy"], b""),
            ("--pooling: 'max' is none of last, mean, first", ["a", "--pooling", "max"], b""),
        ]:
            with self.subTest(text):
                self.fails(2, text, "embed", *arguments, stdin=stdin)
        self.fails(1, "No such file or directory", "embed", "a b", "--out", "no/x.npy")
        self.fails(1, "No space left on device", "embed", "a b", "--out", "/dev/full")
        self.fails(3, "cannot open 'gone'", "embed", "--file", "gone")
        self.assertEqual(os.listdir(self.folder), [])


class InterruptTest(ProgramTest):
    """Ctrl-C exits with 130 and leaves no files."""

    def interrupt(self, has_begun, *arguments):
        program = subprocess.Popen([BINARY, *map(str, arguments)], env=self.environment, cwd=self.folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(program.kill)
        deadline = time.monotonic() + SECONDS
        while not has_begun(program) and time.monotonic() < deadline:
            time.sleep(0.001)
        program.send_signal(signal.SIGINT)
        stdout, stderr = program.communicate(timeout=SECONDS)
        self.assertEqual((program.returncode, stdout, stderr), (130, b"", b""), arguments)

    def maps_the_model(self, program):
        return pathlib.Path(MODEL).name in pathlib.Path(f"/proc/{program.pid}/maps").read_text()

    def test_while_loading(self):
        for _ in range(3):
            self.interrupt(self.maps_the_model, "score", MODEL, "one two " * 100)

    def test_while_scoring(self):
        (self.folder / "long.txt").write_text("one two three " * 4000)
        self.interrupt(lambda _: time.sleep(1.5) or True, "score", MODEL, "--file", "long.txt")

    def test_while_embedding(self):
        (self.folder / "lines.txt").write_text(("one two three " * 200 + "\n") * 200)
        self.interrupt(lambda _: time.sleep(1.5) or True, "embed", MODEL, "--file", "lines.txt", "--out", "x.npy")
        self.assertEqual([path.name for path in self.folder.iterdir() if path.is_file()], ["lines.txt"])


if __name__ == "__main__":
    unittest.main()
