#!/usr/bin/env python3
"""ogas run, logits, tokenize, inspect and completion as users and scripts run them. (tests/cli/chat_test.py: chat.)"""

import functools
import http.server
import json
import math
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import BINARY, END, ISA, MODEL, SECONDS, ProgramTest, gguf  # noqa: E402

ARCHITECTURES = pathlib.Path(__file__).resolve().parent.parent / "data/arch"  # tiny models
NAME = pathlib.Path(MODEL).stem
QUICK = ("-n", "4", "--greedy")


def write_fp8_model(folder):
    """A Llama of 92 MB with matrices in FP8 (they would be 180 MB in BF16) and random codes; returns its bytes."""
    n_layer, n_embd, n_ff, n_vocab = 4, 1024, 6144, 32
    matrices, rest = {}, {"model.embed_tokens.weight": [n_vocab, n_embd], "model.norm.weight": [n_embd]}
    for layer in range(n_layer):
        part = f"model.layers.{layer}."
        rest |= {part + "input_layernorm.weight": [n_embd], part + "post_attention_layernorm.weight": [n_embd]}
        matrices |= {f"{part}self_attn.{name}_proj.weight": [n_embd, n_embd] for name in "qkvo"}
        matrices |= {f"{part}mlp.{name}_proj.weight": [n_ff, n_embd] for name in ("gate", "up")}
        matrices |= {part + "mlp.down_proj.weight": [n_embd, n_ff]}
    rest |= {name + "_scale_inv": [-(-n // 128) for n in shape] for name, shape in matrices.items()}
    header, n_bytes = {}, 0
    for shapes, dtype, size in ((matrices, "F8_E4M3", 1), (rest, "F32", 4)):
        for name, shape in shapes.items():
            end = n_bytes + math.prod(shape) * size
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [n_bytes, end]}
            n_bytes = end
    text = json.dumps(header).encode()
    codes = os.urandom(1 << 20).translate(bytes(byte & 0xBF for byte in range(256)))  # below 2, and none that is not a number
    folder.mkdir()
    with open(folder / "model.safetensors", "wb") as file:  # piece by piece: a child begins with its parent's memory
        file.write(struct.pack("<Q", len(text)) + text)
        for shape in matrices.values():
            for begin in range(0, math.prod(shape), len(codes)):
                file.write(codes[:math.prod(shape) - begin])
        for shape in rest.values():
            file.write(struct.pack("<f", 0.02) * math.prod(shape))
    (folder / "config.json").write_text(json.dumps({
        "model_type": "llama", "num_hidden_layers": n_layer, "hidden_size": n_embd, "intermediate_size": n_ff,
        "num_attention_heads": 8, "num_key_value_heads": 8, "vocab_size": n_vocab, "max_position_embeddings": 64,
        "rms_norm_eps": 1e-6, "rope_theta": 1e4, "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False}))
    return n_bytes


class RunTest(ProgramTest):
    def test_only_the_answer_is_on_stdout(self):
        question = ("run", "Why is the sky blue?", "-n", 5, "--greedy", "--ignore-eos")
        result = self.ogas(*question)
        answer = json.loads(self.ogas(*question, "--json").stdout)
        self.assertEqual(result.stdout.decode(), answer["text"] + "\n")
        self.assertGreater(len(answer["text"]), 5)
        self.assertRegex(result.stderr, r"\A36 \+ 5 tok · prefill [\d.]+, decode [\d.]+ tok/s · "
                                        r"first token \d+\.\d\d s · peak [\d.]+ MB\n\Z")
        self.assertEqual(self.ogas("run", "-q", "Hi", *QUICK).stderr, "")

    def test_templates(self):
        def prompt_tokens(prompt, *options):
            return json.loads(self.ogas("run", "-n", 1, "--json", *options, "--prompt", prompt).stdout)["prompt_tokens"]
        self.assertEqual(prompt_tokens("Hi"), 31)
        self.assertLess(prompt_tokens("Hi", "--chat-template", "plain"), 10)
        (self.folder / "own.jinja").write_text("{{ messages[-1].content }}")
        self.assertEqual(prompt_tokens("Hi", "--chat-template", self.folder / "own.jinja"), 1)
        (self.folder / "bad.jinja").write_text("{% if %}")
        self.fails(3, "line 1", "run", "--chat-template", self.folder / "bad.jinja", "--prompt", "Hi")
        # What is typed stays text unless asked otherwise.
        self.assertEqual(prompt_tokens("<|im_end|>", "--parse-special"), prompt_tokens("Hi"))
        self.assertGreater(prompt_tokens("<|im_end|>"), prompt_tokens("Hi") + 3)
        plain = self.ogas("run", "-q", "Hello", "--chat-template", "plain", "-n", 40, "--greedy").stdout.decode()
        self.assertNotIn("User:", plain)

    def test_seeds(self):
        def answer(*options):
            return self.ogas("run", "Tell me a story", "-n", 12, *options).stdout
        self.assertEqual(answer("--seed", 7), answer("--seed", 7, "--threads", 1, "--batch", 3))
        self.assertNotEqual(answer("--seed", 7, "--temp", 1), answer("--seed", 8, "--temp", 1))
        self.assertEqual(answer("--greedy", "--seed", 1), answer("--temp", 0, "--seed", 2))
        drawn = json.loads(answer("--json"))
        self.assertEqual(drawn["text"], json.loads(answer("--json", "--seed", drawn["seed"]))["text"])

    def test_json(self):
        result = self.ogas("run", "--json", "Say hi", "--seed", 5, "-n", 6, "--ban-token", END)
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.stdout.count(b"\n"), 1)
        answer = json.loads(result.stdout)
        self.assertEqual(list(answer), ["model", "text", "reasoning", "tokens", "finish_reason", "prompt_tokens", "cached_tokens",
                                        "completion_tokens", "computed_tokens", "timings", "seed", "peak_rss_bytes", "threads",
                                        "instruction_set"])
        self.assertEqual(answer["model"], pathlib.Path(MODEL).name)
        self.assertEqual(answer["seed"], 5)
        self.assertEqual(answer["completion_tokens"], 6)
        self.assertEqual(answer["finish_reason"], "length")
        self.assertGreater(answer["prompt_tokens"], 20)
        self.assertGreater(answer["peak_rss_bytes"], os.path.getsize(MODEL) // 2)
        for seconds in answer["timings"].values():
            self.assertGreater(seconds, 0)
        self.assertGreaterEqual(answer["timings"]["first_token_s"], answer["timings"]["load_s"])
        decoded = self.ogas("tokenize", "--decode", stdin=json.dumps(answer["tokens"]).encode()).stdout
        self.assertEqual(decoded.decode(), answer["text"])

    def test_log_probabilities(self):
        question = ("run", "Why is the sky blue?", "-n", 4, "--greedy", "--json")
        answer = json.loads(self.ogas(*question, "--logprobs", 3).stdout)
        self.assertEqual([entry["id"] for entry in answer["logprobs"]], answer["tokens"])
        self.assertEqual("".join(entry["token"] for entry in answer["logprobs"]), answer["text"])
        for entry in answer["logprobs"]:
            top = entry["top_logprobs"]
            self.assertEqual({key: entry[key] for key in ("id", "token", "logprob")}, top[0])
            self.assertEqual(len(top), 3)
            self.assertTrue(0 > top[0]["logprob"] >= top[1]["logprob"] >= top[2]["logprob"])
        # They are the model's own: banned tokens keep their rank.
        first = answer["tokens"][0]
        other = json.loads(self.ogas(*question, "--logprobs", 1, "--logit-bias", f"{first}-inf").stdout)
        self.assertNotIn(first, other["tokens"])
        self.assertEqual(other["logprobs"][0]["top_logprobs"], answer["logprobs"][0]["top_logprobs"][:1])
        self.assertEqual(json.loads(self.ogas(*question, "--logprobs", 0).stdout)["logprobs"][0]["top_logprobs"], [])

    def test_sampling_methods(self):
        question = ("run", "Tell me a story", "-n", 24, "--seed", 3, "--temp", 2, "--top-p", 1, "--min-p", 0, "-q")
        plain = json.loads(self.ogas(*question, "--json").stdout)
        for options in (["--typical", 0.3], ["--xtc-probability", 1], ["--mirostat", 2, "--mirostat-ent", 1],
                        ["--logit-bias", f"{plain['tokens'][0]}-100"]):
            with self.subTest(options):
                answer = self.ogas(*question, *options).stdout
                self.assertNotEqual(answer.decode().strip(), plain["text"].strip())
                self.assertEqual(answer, self.ogas(*question, *options).stdout)

    def test_required_and_banned_tokens(self):
        letters = [json.loads(self.ogas("tokenize", stdin=letter).stdout)[0] for letter in (b"a", b"b")]
        only = [word for token in letters for word in ("--require-token", token)]
        question = ("run", "Hi", "-n", 12, "--greedy", "-q")
        drawn = self.ogas(*question, *only).stdout.decode().strip()
        self.assertEqual((len(drawn), set(drawn) - {"a", "b"}), (12, set()))
        self.assertEqual(self.ogas(*question, *only, "--ban-token", letters[1]).stdout, b"a" * 12 + b"\n")
        # Twelve of two letters repeat themselves, which DRY changes, unless each of them breaks repetitions.
        dry = (*question, *only, "--dry-multiplier", 50, "--dry-allowed-length", 1)
        self.assertNotEqual(self.ogas(*dry).stdout.decode().strip(), drawn)
        breakers = ("--dry-sequence-breaker", "a", "--dry-sequence-breaker", "b", "--dry-sequence-breaker", "\n")
        self.assertEqual(self.ogas(*dry, *breakers).stdout.decode().strip(), drawn)

    def test_where_model_and_prompt_come_from(self):
        answer = self.ogas("run", "Name a colour", *QUICK).stdout
        for arguments, stdin in [
            (("-p", "Name a colour"), b""),
            (("-p", "-"), b"Name a colour\n"),
            ((), b"Name a colour\n"),
            ((MODEL, "Name a colour"), b""),
            ((NAME, "Name a colour"), b""),
            (("smollm2", "Name a colour"), b""),
            ((MODEL,), b"Name a colour"),
            ((NAME,), b"Name a colour"),
            ((MODEL, "--prompt=Name a colour"), b""),
            ((MODEL, "-p", "-"), b"Name a colour"),
        ]:
            self.assertEqual(self.ogas("run", *arguments, *QUICK, stdin=stdin).stdout, answer, arguments)
        alone, with_system = (json.loads(self.ogas("run", "Name a colour", *QUICK, "--json", *options).stdout)["prompt_tokens"]
                                for options in ((), ("--system", "Answer in capitals, and in nothing else than capitals, please")))
        self.assertNotEqual(with_system, alone)
        example = 'for example: ogas run "Why is the sky blue?"'
        self.fails(2, example, "run", MODEL)
        self.fails(2, example, "run", "-p", "-")
        self.fails(2, "quotes around the prompt", "run", "why", "is", "it", "so")
        self.fails(2, "the prompt is given twice", "run", MODEL, "Hi", "-p", "Hi")
        self.fails(2, "the prompt is empty", "run", "--raw", "")

    def prompt_tokens(self, *arguments, **options):
        """How many the prompt has, and stderr."""
        result = subprocess.run([BINARY, "run", "--json", "-n", "1", *map(str, arguments)], capture_output=True,
                                env=self.environment, cwd=self.folder, timeout=SECONDS, check=True,
                                **(options or {"stdin": subprocess.DEVNULL}))
        return json.loads(result.stdout)["prompt_tokens"], result.stderr.decode()

    def test_piped_text_stands_before_the_prompt(self):
        text = self.folder / "text"
        text.write_text("secret data 42\n")
        alone = self.prompt_tokens("Summarise")
        joined = self.prompt_tokens("-p", "secret data 42\n\nSummarise")
        self.assertGreater(joined[0], alone[0] + 3)
        for arguments in (["Summarise"], ["-p", "Summarise"], [MODEL, "Summarise"], ["Summarise", "-p", "-"]):
            if arguments[-1] != "-":
                self.assertEqual(self.prompt_tokens(*arguments), alone)
            self.assertEqual(self.prompt_tokens(*arguments, input=text.read_bytes()), joined)
            with text.open() as file:
                self.assertEqual(self.prompt_tokens(*arguments, stdin=file), joined)
        with text.open() as file:  # as `while read line` has it
            file.seek(7)
            self.assertEqual(self.prompt_tokens("Summarise", stdin=file), alone)
        self.assertEqual(self.prompt_tokens("Summarise", input=b""), alone)
        self.assertEqual(self.prompt_tokens("Summarise", input=b"\n"), alone)
        self.assertEqual(self.prompt_tokens("-p", "", input=b"Summarise\n"), alone)
        # Counts of tokens do not tell the order; the answer does.
        whole = [self.ogas("run", "--greedy", "-n", 8, "--raw", prompt, stdin=piped).stdout
                 for prompt, piped in (("b c d\n\nOne two three", b""), ("One two three", b"b c d"),
                                       ("One two three\n\nb c d", b""))]
        self.assertEqual(whole[0], whole[1])
        self.assertNotEqual(whole[0], whole[2])

    def test_a_pipe_into_which_nobody_writes_is_left_aside(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        n_tokens, said = self.prompt_tokens("Summarise", stdin=reader)
        self.assertEqual(n_tokens, self.prompt_tokens("Summarise")[0])
        self.assertIn("nothing came from stdin for 10 s; it is left aside", said)

    def test_text_that_comes_late_is_waited_for(self):
        for arguments in (["-p", "Summarise"], []):
            program = subprocess.Popen([BINARY, "run", "--json", "-n", "1", *arguments], env=self.environment,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(program.kill)
            self.assertIn(b"waiting for text on stdin", program.stderr.readline())
            answer, _ = program.communicate(b"secret data 42\n", timeout=SECONDS)
            self.assertEqual(json.loads(answer)["prompt_tokens"],
                             self.prompt_tokens("-p", "\n\n".join(["secret data 42", *arguments[1:]]))[0])

    def test_waiting_begins_with_the_question(self):
        """Not with the process, which may have built the program before; not before the question is there."""
        command = [BINARY, "run", "--json", *QUICK]
        script = 'sleep 2; date +%s.%N >&2; exec "$@"'
        built = subprocess.run(["bash", "-c", script, "bash", *command, "Hi"], env=self.environment, capture_output=True,
                               stdin=subprocess.DEVNULL, timeout=SECONDS, check=True)
        waits = [(json.loads(built.stdout), time.time() - float(built.stderr))]
        program = subprocess.Popen(command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(program.kill)
        time.sleep(2)
        begin = time.time()
        answer, _ = program.communicate(b"Hi", timeout=SECONDS)
        waits.append((json.loads(answer), time.time() - begin))
        for answer, seconds in waits:
            timings = answer["timings"]
            self.assertLess(timings["first_token_s"], seconds)
            self.assertTrue(0 < timings["load_s"] <= timings["first_token_s"])

    def test_prompts_that_models_are_called_by(self):
        name = pathlib.Path(MODEL).name
        for words in ("smollm2", "Smo", MODEL):
            self.fails(2, f"names the model {name}; as a prompt: -p '", "run", words)
            self.fails(2, f"names the model {name}", "score", words)
            self.fails(2, f"names the model {name}", "embed", words)
        # What no model is called.
        (self.folder / "test").write_text("a file of this name")
        for words in ("explain model.gguf", "explain it/model.gguf", "test"):
            self.assertEqual(self.prompt_tokens(words), self.prompt_tokens("-p", words))
        self.fails(3, "no model file or name 'model.gguf'", "run", "model.gguf")
        self.fails(3, "test.txt", "run", self.folder / "test.txt", "hi")
        (self.folder / "my models").mkdir()
        self.fails(3, "no model file or name", "run", "my models/tpyo.gguf")
        # A file without an ending that is a model.
        (self.folder / "weights").symlink_to(MODEL)
        self.fails(2, "names the model weights", "run", "weights")
        # The default model is where ./run puts it, whatever other folders there are.
        cache = self.folder / ".cache/ogas/models"
        cache.mkdir(parents=True)
        (cache / name).symlink_to(MODEL)
        self.environment["OGAS_MODELS"] = str(self.folder / "my models")
        self.assertGreater(self.prompt_tokens("hi")[0], 0)

    def test_odd_prompts(self):
        for prompt in [b"\xff\xfe broken \xc3", "😀 你好\u0000x".encode(), b"<|im_end|>", b"\n\n"]:
            result = self.ogas("run", "-p", "-", *QUICK, stdin=prompt)
            result.stdout.decode()

    def test_raw(self):
        raw = self.ogas("run", "--raw", "The capital of France is", *QUICK).stdout
        self.assertRegex(raw, rb"\A Paris")

    def test_stop_strings(self):
        question = ("run", "Why is the sky blue?", "-n", 12, "--greedy", "--ignore-eos")
        words = self.ogas(*question).stdout.decode().split(" ")
        third, later = " " + words[2], words[3][-2:] + " " + words[4][:1]  # the second begins and ends within a token
        for stop in (third, later):
            begin = " ".join(words).split(stop)[0]
            self.assertEqual(self.ogas(*question, "--stop", "zzz", "--stop", stop).stdout.decode(), begin + "\n")
        answer = json.loads(self.ogas(*question, "--json", "--stop", third).stdout)
        self.assertEqual((answer["finish_reason"], answer["text"]), ("stop_text", " ".join(words[:2])))

    def test_usage_errors(self):
        for text, arguments in [
            ("there is no command 'rum'; did you mean 'run'?; see ogas --help", ["rum", "hi"]),
            ("there is no command 'frobnicate'; see", ["frobnicate"]),
            ("there is no option '--temperture'; did you mean '--temperature'?; see ogas run --help",
             ["run", "--temperture=1", "hi"]),
            ("there is no option '--versoin'; did you mean '--version'?", ["--versoin"]),
            ("--max-tokens: '0' is not a whole number of at least 1", ["run", "-n", "0", "hi"]),
            ("--threads: '2.5' is not a whole number between 1 and 1024", ["run", "-t", "2.5", "hi"]),
            ("--kv-cache-type: 'q8' is none of f16, bf16, f32, q8_0, q4_0", ["run", "--kv-cache-type", "q8", "hi"]),
            ("--temp: 'hot' is not a number", ["run", "--temp", "hot", "hi"]),
            ("top_p is 3; it must lie between 0 and 1", ["run", "--top-p", "3", "hi"]),
            ("--mirostat: '1' is none of 0, 2", ["run", "--mirostat", "1", "hi"]),
            ("--logit-bias: '5x' is not of the form ID+X or ID-X, such as 15043-1.5", ["run", "--logit-bias", "5x", "hi"]),
            ("--dry-sequence-breaker: the text is empty", ["run", "--dry-sequence-breaker", "", "hi"]),
            ("logit_bias names token 49152; it must lie between 0 and 49151", ["run", "--logit-bias", "49152+1", "hi"]),
            ("logit_bias of token 5 is 101; it must lie between -100 and 100", ["run", "--logit-bias", "5+101", "hi"]),
            ("--logprobs requires --json", ["run", "--logprobs", "1", "hi"]),
            ("--seed needs a value", ["run", "hi", "--seed"]),
            ("--tokens is missing", ["logits", MODEL, "--out", "x.npy"]),
            ("the argument 'b' is one too many", ["inspect", MODEL, "b"]),
            ("'tcsh' is none of bash", ["completion", "tcsh"]),
            ("there is no command 'nonsense'; see ogas --help", ["nonsense", "--help"]),
            ("there is no command 'rum'; did you mean 'run'?", ["rum", "--version"]),
            ("there is no option '--temperture'; did you mean '--temperature'?", ["run", "--temperture=1", "--help"]),
            ("the argument 'b' is one too many", ["inspect", MODEL, "b", "-h"]),
            ("the prompt has 35 tokens, 27 more than the context of 8", ["run", "--ctx", "8", "Tell me a long story"]),
            ("OGAS_ISA=nonsense: ", ["run", "hi"]),
        ]:
            environment = self.environment | ({"OGAS_ISA": "nonsense"} if "OGAS_ISA" in text else {})
            with self.subTest(text):
                self.fails(2, text, *arguments, env=environment)

    def test_the_last_of_repeated_options_counts(self):
        self.assertEqual(self.ogas("run", "Hi", "-n", 9, *QUICK).stdout, self.ogas("run", "Hi", *QUICK).stdout)

    def test_out_of_memory_before_anything_is_loaded(self):
        self.fails(4, "positions of context", "run", "--ctx", 4_000_000_000, "hi")

    def test_instruction_sets_agree(self):
        # Where the likeliest token is likelier by far more than sets differ.
        question = ("run", "--raw", "The capital of France is", "-n", 1, "--greedy", "--json", "--logprobs", 2)
        found = [json.loads(self.ogas(*question, env=self.environment | {"OGAS_ISA": name}).stdout)
                 for name in ("reference", ISA)]
        first, second = found[0]["logprobs"][0]["top_logprobs"]
        self.assertGreater(first["logprob"], second["logprob"] + 0.5)
        self.assertEqual(found[0]["tokens"], found[1]["tokens"])
        self.assertAlmostEqual(first["logprob"], found[1]["logprobs"][0]["logprob"], delta=0.1)

    def test_version_and_help(self):
        self.assertRegex(self.ogas("--version").stdout.decode(), r"\Aogas \d+\.\d+\.\d+ \(commit [0-9a-f]{7,}\S*, \w+\)\n")
        reference = self.ogas("--version", env=self.environment | {"OGAS_ISA": "reference"}).stdout
        self.assertIn(b", reference)", reference)
        self.assertEqual(self.ogas().stdout, self.ogas("--help").stdout)
        commands = re.findall(r"^  ([a-z]+)  +[A-Z]", self.ogas("--help").stdout.decode(), re.M)
        self.assertLessEqual({"run", "chat", "inspect", "tokenize", "logits", "completion"}, set(commands))
        for command in commands:
            text = self.ogas(command, "--help").stdout.decode()
            self.assertIn("Examples:\n  ", text)
            self.assertIn(f"Usage: ogas {command}", text)
            self.assertLessEqual(max(map(len, text.splitlines())), 120)


class PrefixCacheTest(ProgramTest):
    PROMPT = "".join(f"The number {n + 1} follows the number {n}. " for n in range(40)).encode()

    def answer(self, *options):
        """The answer's tokens, how many of the prompt's were cached, and stderr."""
        result = self.ogas("run", "--greedy", "-n", 12, "--ignore-eos", "--json", *options, stdin=self.PROMPT)
        found = json.loads(result.stdout)
        return found["tokens"], found["cached_tokens"], result.stderr

    def pages(self):
        return sorted((self.folder / ".cache/ogas/prefixes").rglob("*.page"))

    def test_a_prompt_is_remembered_over_a_restart(self):
        expected = self.answer("--prefix-cache", 0)
        self.assertEqual(expected[1:], (0, ""))
        self.assertEqual(self.pages(), [])
        self.assertEqual(self.answer(), expected)
        self.assertGreater(len(self.pages()), 5)
        self.assertEqual(self.answer(), (expected[0], 64 * len(self.pages()), ""))
        self.assertEqual((self.folder / ".cache/ogas/prefixes").stat().st_mode & 0o77, 0)
        # Not with keys and values in another format.
        self.assertEqual(self.answer("--kv-cache-type", "q8_0")[1], 0)

    def test_a_folder_that_cannot_be_written(self):
        (self.folder / ".cache").write_text("no folder")
        tokens, n_cached, said = self.answer()
        self.assertEqual((tokens, n_cached), (self.answer("--prefix-cache", 0)[0], 0))
        self.assertRegex(said, r"\A[^\n]*prefix cache: cannot create [^\n]*; nothing more is kept on disk\n\Z")

    def test_damage_is_said_once_and_changes_nothing(self):
        expected = self.answer()
        for page in self.pages():
            page.write_bytes(page.read_bytes()[:-1])
        tokens, n_cached, said = self.answer()
        self.assertEqual((tokens, n_cached), expected[:2])
        self.assertRegex(said, r"\A[^\n]*prefix cache: [^\n]*\.page[^\n]*; it is not used\n\Z")
        self.assertEqual(self.answer(), (expected[0], 64 * len(self.pages()), ""))

    def test_a_kill_while_it_writes(self):
        expected = self.answer("--prefix-cache", 0)[0]
        for delay in (0, 0.002, 0.005, 0.01, 0.02):
            program = subprocess.Popen([BINARY, "run", "--greedy", "-n", "1", "-q"], env=self.environment,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            program.stdin.write(self.PROMPT)
            program.stdin.close()
            program.stdout.read(1)  # the answer begins as its prompt is written
            time.sleep(delay)
            program.kill()
            program.wait(SECONDS)
            program.stdout.close()
            program.stderr.close()
            tokens, _, said = self.answer()
            self.assertEqual((tokens, said), (expected, ""))


class ContextTest(ProgramTest):
    def test_a_full_context_ends_an_answer_or_slides(self):
        story = ["run", "Tell me a story", "--json", "--greedy", "--ignore-eos", "-c", 64, "-n", 100]
        ended, went_on = (json.loads(self.ogas(*story, *more).stdout) for more in ([], ["--context-shift", "--keep", 8]))
        self.assertEqual(ended["finish_reason"], "length")
        self.assertEqual(len(ended["tokens"]) + ended["prompt_tokens"], 65)
        self.assertEqual(len(went_on["tokens"]), 100)
        self.assertEqual(went_on["tokens"][:len(ended["tokens"])], ended["tokens"])


class OutputTest(ProgramTest):
    def test_a_reader_that_leaves(self):
        program = subprocess.Popen([BINARY, "run", "Tell me a story", "-n", "200", "--ignore-eos"], env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(len(program.stdout.read(10)), 10)
        program.stdout.close()
        self.assertEqual(program.stderr.read(), b"")
        program.stderr.close()
        self.assertEqual(program.wait(SECONDS), 128 + signal.SIGPIPE)

    def test_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            for arguments in (["run", "hi", *QUICK], ["inspect"], ["--help"], ["--version"]):
                result = subprocess.run([BINARY, *arguments], env=self.environment, stdout=full, stderr=subprocess.PIPE,
                                        timeout=SECONDS)
                self.assertEqual(result.returncode, 1, arguments)
                self.assertIn(b"cannot write to stdout: No space left on device", result.stderr)
            quiet = subprocess.run([BINARY, "run", "hi", *QUICK], env=self.environment, stdout=subprocess.PIPE,
                                   stderr=full, timeout=SECONDS)
            self.assertEqual((quiet.returncode, quiet.stdout), (0, self.ogas("run", "hi", *QUICK).stdout))

    def start_story(self, *options):
        program = subprocess.Popen([BINARY, "run", "Tell me a story", "--ignore-eos", *options], env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.stderr.close)
        self.addCleanup(program.kill)
        return program

    def test_an_interrupt_keeps_what_came(self):
        program = self.start_story()
        begin = program.stdout.read(5)
        program.send_signal(signal.SIGINT)
        self.assertEqual(program.wait(SECONDS), 130)
        text = begin + program.stdout.read()
        self.assertRegex(text.decode(), r"\A(?s:.)+\n\Z")
        self.assertIn("tok · prefill", program.stderr.read().decode())
        # An answer without an end, which shows nothing before it: where it has not begun by then, more time is given.
        for seconds in (2, 10, 50):
            program = self.start_story("--json", "--context-shift")
            time.sleep(seconds)
            program.send_signal(signal.SIGINT)
            self.assertEqual(program.wait(SECONDS), 130)
            if text := program.stdout.read():
                break
        self.assertEqual(json.loads(text)["finish_reason"], "cancelled")

    def test_a_second_interrupt_ends_it(self):
        # A step takes long enough in the reference code for both to come before its end.
        self.environment["OGAS_ISA"] = "reference"
        program = self.start_story()
        program.stdout.read(1)
        for _ in range(2):
            program.send_signal(signal.SIGINT)
            time.sleep(0.01)
        self.assertEqual(program.wait(SECONDS), 130)


class ModelTest(ProgramTest):
    def test_names(self):
        models = self.folder / "models"
        models.mkdir()
        for name, split in (("Alpha-1B.gguf", {}), ("Alpha-7B.gguf", {}),
                            ("Beta-00001-of-00002.gguf", {"split.count": 2, "split.no": 0}),
                            ("Beta-00002-of-00002.gguf", {"split.count": 2, "split.no": 1})):
            gguf({"general.name": name, "general.architecture": "none"} | split, models / name)
        self.environment["OGAS_MODELS"] = f"/nowhere:{models}"
        for name, found in [("alpha-1b", "Alpha-1B.gguf"), ("Alpha-7B.gguf", "Alpha-7B.gguf"),
                            ("beta", "Beta-00001-of-00002.gguf")]:
            self.assertEqual(json.loads(self.ogas("inspect", name, "--json").stdout)["name"], found)
        self.fails(2, "'alpha' fits several models: Alpha-1B, Alpha-7B", "inspect", "alpha")
        self.fails(3, "there is no model file or name 'Alhpa-1B'; did you mean Alpha-1B?", "run", "Alhpa-1B", "hi")
        self.fails(3, "there is: Alpha-1B, Alpha-7B, Beta-00001-of-00002", "inspect", "gamma.gguf")
        self.fails(3, "the default model", "run", "What is this?")
        # One model in two folders is one.
        (self.folder / "more").mkdir()
        shutil.copy(models / "Alpha-1B.gguf", self.folder / "more")
        self.environment["OGAS_MODELS"] = f"{models}:{self.folder}/more"
        self.assertEqual(json.loads(self.ogas("inspect", "alpha-1", "--json").stdout)["file"], str(models / "Alpha-1B.gguf"))
        self.fails(3, "there is: Alpha-1B, Alpha-7B, Beta-00001-of-00002\n", "inspect", "gamma")
        # So is an architecture that has one name for several.
        known = self.ogas("run", "alpha-1", "hi", code=3).stderr.split("it knows: ")[1].split(", ")
        self.assertIn("deepseek2", known)
        self.assertEqual(len(known), len(set(known)))
        self.environment["OGAS_MODELS"] = str(self.folder)
        self.fails(3, "no models lie in", "inspect", "gamma")
        self.assertEqual(self.ogas("completion", "models").stdout, b"")

    def test_damaged_files(self):
        with open(MODEL, "rb") as file:
            begin = file.read(4_000_000)
        for name, data in [("empty", b""), ("text", b"hello" * 100), ("short", begin[:20]), ("metadata", begin[:3000]),
                           ("truncated", begin), ("version", begin[:4] + b"\xff" + begin[5:])]:
            path = self.folder / f"{name}.gguf"
            path.write_bytes(data)
            for command in (["run", path, "hi"], ["inspect", path], ["tokenize", path],
                            ["logits", path, "--tokens", "1", "-o", "x.npy"]):
                with self.subTest(name=name, command=command[0]):
                    if name == "truncated" and command[0] == "tokenize":
                        continue  # it needs no weights, but is free to refuse
                    self.fails(3, str(path), *command)
        self.assertFalse(list(self.folder.glob("*.npy*")))

    def test_what_is_no_file(self):
        fifo = self.folder / "fifo.gguf"
        os.mkfifo(fifo)
        for path, text in [("/tmp", "is a directory"), ("/dev/null", "is a device or pipe"), (fifo, "is a device or pipe")]:
            self.fails(3, text, "run", path, "hi")
            self.fails(3, text, "inspect", path)

    def test_a_file_that_may_not_be_read(self):
        path = gguf({"general.architecture": "none"}, self.folder / "secret.gguf")
        path.chmod(0)
        user = {}
        if os.geteuid() == 0:
            self.folder.chmod(0o755)
            binary = pathlib.Path(shutil.copy(BINARY, self.folder / "ogas"))
            result = subprocess.run([binary, "inspect", path], env=self.environment, capture_output=True, user=65534,
                                    timeout=SECONDS)
        else:
            result = subprocess.run([BINARY, "inspect", path], env=self.environment, capture_output=True, timeout=SECONDS)
        self.assertEqual((result.returncode, result.stdout), (3, b""))
        self.assertIn(b"Permission denied", result.stderr)

    def test_inspect(self):
        text = self.ogas("inspect").stdout.decode()
        for line in ("architecture     llama", "layers           30", "parameters       134.5 M", "Q4_1 "):
            self.assertIn(line, text)
        self.assertNotIn("blk.0", text)
        self.assertRegex(self.ogas("inspect", "--tensors").stdout.decode(), r"Q4_1 +\S.* blk\.0\.attn_q\.weight\n")
        self.assertIn("llama.block_count (u32) = 30\n", self.ogas("inspect", "--metadata").stdout.decode())
        template = self.ogas("inspect", "--template-source").stdout.decode()
        self.assertIn("{% for message in messages %}", template)
        self.assertIn("<|im_start|>user\nAnd of Japan?<|im_end|>\n<|im_start|>assistant\n",
                      self.ogas("inspect", "--template").stdout.decode())
        facts = json.loads(self.ogas("inspect", "--json", "--tensors", "--metadata").stdout)
        self.assertEqual(facts["bytes"], os.path.getsize(MODEL))
        self.assertEqual(facts["model"]["layers"], 30)
        self.assertEqual(len(facts["tensors"]), sum(use["tensors"] for use in facts["formats"].values()))
        self.assertEqual(facts["metadata"]["llama.block_count"], 30)
        self.assertEqual(facts["chat_template"] + "\n", template)

    def test_hostile_text_cannot_drive_the_terminal(self):
        evil = "\x1b]0;owned\x07\x1b[2J\u009b31m\x7f\nfile   /etc/passwd\r"
        path = gguf({"general.name": evil, "general.architecture": evil, "general.license": evil, "x.y": evil,
                     "tokenizer.ggml.model": evil, "tokenizer.chat_template": evil}, self.folder / "evil\x1b[2J.gguf")
        named = gguf({"x" + evil: evil}, self.folder / "named.gguf")
        for command in (["inspect", named], ["inspect", path, "--metadata", "--tensors"], ["run", path, "hi"], ["chat", path],
                        ["inspect", f"{self.folder}/no\x1b[2J.gguf"], ["tokenize", path]):
            code = 0 if command[0] == "inspect" and command[1] == path else 3
            result = self.ogas(*command, code=code)
            both = result.stdout.decode() + result.stderr
            self.assertNotRegex(both, "[\x00-\x08\x0b-\x1f\x7f-\x9f]", command)
            self.assertNotRegex(both, r"(?m)^file   /etc")


class LogitsTest(ProgramTest):
    def test_batches_agree(self):
        out = [self.folder / f"{batch}.npy" for batch in (1, 8)]
        text = self.ogas("tokenize", stdin=b"The quick brown fox. The capital of France is").stdout
        tokens = text.decode().strip("[]\n")
        n_tokens = len(json.loads(text))
        self.ogas("logits", MODEL, "--tokens", tokens, "--out", out[0], "--batch", 1)
        result = self.ogas("logits", MODEL, "--tokens", "-", "--out", out[1], "--batch", 8, stdin=f"[{tokens}]".encode())
        self.assertEqual(result.stdout, b"")
        one, eight = map(self.read_npy, out)
        self.assertEqual(one[:2], (n_tokens, 49152))
        self.assertEqual(one[:2], eight[:2])
        self.assertLess(max(abs(a - b) for a, b in zip(one[2], eight[2])), 1e-3)
        self.assertTrue(all(map(math.isfinite, one[2])))
        last = one[2][(n_tokens - 1) * 49152:].tolist()
        best = [last.index(max(last))]
        self.assertEqual(self.ogas("tokenize", "--decode", stdin=json.dumps(best).encode()).stdout, b" Paris")

    def test_the_mtp_head(self):
        for name in ("ernie4_5_moe_mtp", "deepseek_v3"):
            model, out = ARCHITECTURES / name, self.folder / f"{name}.npy"
            self.assertIn("predicts the token after next", self.ogas("inspect", model).stdout.decode())
            golden = json.loads((model / "golden.json").read_text())
            tokens = golden["prompt"] + golden["following"][-1:]
            self.ogas("logits", model, "--mtp", "--tokens", ",".join(map(str, tokens)), "--out", out, "--batch", 7)
            n_rows, n_columns, found = self.read_npy(out)
            n_golden, _, expected = self.read_npy(model / "mtp_logits.npy")
            self.assertEqual((n_rows, n_golden), (len(tokens) - 1, len(golden["mtp_lengths"])))
            for row, length in enumerate(golden["mtp_lengths"]):
                pairs = zip(expected[row * n_columns:(row + 1) * n_columns], found[(length - 1) * n_columns:length * n_columns])
                self.assertLess(max(abs(a - b) for a, b in pairs), 1e-3)
        logits = ("logits", "--mtp", "--out", self.folder / "x.npy", "--tokens")
        self.fails(2, "the model has no MTP head", *logits, "1,2", MODEL)
        self.fails(2, "needs two tokens or more", *logits, "1", ARCHITECTURES / "deepseek_v3")
        self.assertEqual(json.loads(self.ogas("inspect", "--json", MODEL).stdout)["model"]["mtp_heads"], 0)

    def test_fp8_weights_take_their_own_size(self):
        n_bytes = write_fp8_model(self.folder / "fp8")
        out = self.folder / "fp8.npy"
        process = subprocess.Popen([BINARY, "logits", self.folder / "fp8", "--tokens", "1,2,3,4,5,6,7,8,9", "--out", out])
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        self.assertTrue(all(map(math.isfinite, self.read_npy(out)[2])))
        self.assertGreater(usage.ru_maxrss * 1024, n_bytes)
        self.assertLess(usage.ru_maxrss * 1024, 1.3 * n_bytes)

    def test_errors_leave_no_files(self):
        out = self.folder / "x.npy"
        logits = ("logits", MODEL, "--out", out, "--tokens")
        self.fails(2, "token 49152 at position 1: the vocabulary has 49152", *logits, "1,49152")
        self.fails(2, "token -1 at position 0", *logits, "-1")
        self.fails(2, "'two' is not a token id", *logits, "1,two")
        self.fails(2, "--tokens holds no token", *logits, ",")
        self.fails(1, "No such file or directory", "logits", MODEL, "--tokens", "1", "--out", self.folder / "no/x.npy")
        self.fails(1, "No space left on device", "logits", MODEL, "--tokens", "1,2", "--out", "/dev/full")
        self.fails(3, "cannot open 'gone'", *logits, "@gone")
        self.assertEqual(os.listdir(self.folder), [])

    def test_an_interrupt_leaves_no_files(self):
        self.environment["OGAS_ISA"] = "reference"
        program = subprocess.Popen([BINARY, "logits", MODEL, "--tokens", "1," * 400 + "1", "--out", self.folder / "x.npy"],
                                   env=self.environment, stderr=subprocess.DEVNULL)
        self.addCleanup(program.kill)
        deadline = time.monotonic() + SECONDS
        while not os.listdir(self.folder) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(len(os.listdir(self.folder)), 1)
        program.send_signal(signal.SIGINT)
        self.assertEqual(program.wait(SECONDS), 130)
        self.assertEqual(os.listdir(self.folder), [])


class TokenizeTest(ProgramTest):
    def test_there_and_back(self):
        for text in ["Hello, world!\n", "", "  two\t spaces \r\n", "😀👩‍👩‍👧 你好 é", "a\u0000b", "<|im_end|>"]:
            ids = self.ogas("tokenize", stdin=text.encode()).stdout
            self.assertTrue(all(isinstance(token, int) for token in json.loads(ids)))
            self.assertEqual(self.ogas("tokenize", MODEL, "--decode", stdin=ids).stdout.decode(), text)
        broken = b"ok \xc3( \xe4\xbd"
        ids = self.ogas("tokenize", stdin=broken).stdout
        self.assertEqual(self.ogas("tokenize", "--decode", stdin=ids).stdout, broken)
        # This vocabulary has no token for the byte 255, but one for what it does not know.
        self.assertEqual(json.loads(self.ogas("tokenize", stdin=b"\xff").stdout), [])

    def test_options(self):
        end = b"a<|im_end|>"
        self.assertIn(2, json.loads(self.ogas("tokenize", "--special", stdin=end).stdout))
        self.assertNotIn(2, json.loads(self.ogas("tokenize", stdin=end).stdout))
        pieces = json.loads(self.ogas("tokenize", "--pieces", stdin=b"Hello there").stdout)
        self.assertEqual("".join(text for _, text in pieces), "Hello there")

    def test_decode_errors(self):
        for text, stdin in [("expects a JSON array", b""), ("expects a JSON array", b"{}"), ("expects a JSON array", b"[1,"),
                            ("'\"x\"' is not a token id", b'[1, "x"]'), ("'1.5' is not a token id", b"[1.5]"),
                            ("is not a token id", b"[99999999999999999999]"), ("token 49152 is not in", b"[49152]"),
                            ("token -1 is not in", b"[-1]")]:
            self.fails(2, text, "tokenize", "--decode", stdin=stdin)


class CompletionTest(ProgramTest):
    def complete(self, *words):
        """What bash offers for the last of the words."""
        script = self.folder / "ogas.bash"
        script.write_bytes(self.ogas("completion", "bash").stdout)
        subprocess.run(["bash", "-n", script], check=True)
        array = " ".join(f"'{word}'" for word in words)
        command = f'source {script}; COMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _ogas; printf "%s\\n" "${{COMPREPLY[@]}}"'
        environment = self.environment | {"PATH": f"{pathlib.Path(BINARY).parent}:/usr/bin:/bin"}
        result = subprocess.run(["bash", "-c", command], env=environment, cwd=self.folder, capture_output=True, text=True,
                                timeout=SECONDS)
        self.assertEqual(result.stderr, "")
        return result.stdout.split("\n")[:-1]

    def test_bash(self):
        self.assertEqual(self.complete("ogas", "in"), ["inspect"])
        self.assertIn("--version", self.complete("ogas", "--"))
        self.assertEqual(self.complete("ogas", "run", "--top"), ["--top-k", "--top-p"])
        self.assertEqual(self.complete("ogas", "chat", "--kv-cache-type", ""), ["f16", "bf16", "f32", "q8_0", "q4_0"])
        self.assertEqual(self.complete("ogas", "completion", ""), ["bash", "zsh", "fish", "models"])
        self.assertEqual(self.complete("ogas", "run", NAME[:5]), [NAME])
        (self.folder / "with space.gguf").touch()
        self.assertEqual(self.complete("ogas", "inspect", "with"), ["with space.gguf"])
        self.assertEqual(self.complete("ogas", "top", "with"), [""])  # a URL
        self.assertEqual(self.complete("ogas", "chat", "--server", ""), [""])
        self.assertEqual(self.complete("ogas", "top", "--o"), ["--once"])

    def test_other_shells(self):
        fish = self.ogas("completion", "fish").stdout.decode()
        self.assertIn("-n '__fish_seen_subcommand_from chat' -l kv-cache-type -d", fish)
        zsh = self.ogas("completion", "zsh").stdout.decode()
        self.assertIn("'--kv-cache-type[", zsh)
        for shell, text in (("fish", fish), ("zsh", zsh)):
            if shutil.which(shell):
                script = self.folder / shell
                script.write_text(text)
                subprocess.run([shell, "-n", script], check=True, timeout=SECONDS)
        if shutil.which("fish"):
            command = f"source {self.folder}/fish; complete -C 'ogas chat --kv-cache-type '"
            offered = subprocess.run(["fish", "-c", command], capture_output=True, text=True, timeout=SECONDS,
                                     env=self.environment)
            self.assertEqual([line.split("\t")[0] for line in offered.stdout.splitlines()],
                             ["bf16", "f16", "f32", "q4_0", "q8_0"])


class SynthTest(ProgramTest):
    def test_a_model_that_answers(self):
        path = self.folder / "small.gguf"
        written = self.ogas("synth", "qwen3-0.6b", path, "--layers", 1, "--type", "q4_0")
        self.assertEqual(written.stdout.decode(), f"{path}\n")
        first = path.read_bytes()
        self.fails(2, "is there already; --force", "synth", "qwen3-0.6b", path, "--layers", 1)
        self.ogas("synth", "qwen3-0.6b", path, "--layers", 1, "--type", "q4_0", "--force", "--seed", 1)
        self.assertNotEqual(path.read_bytes(), first)
        self.ogas("synth", "qwen3-0.6b", path, "--layers", 1, "--type", "q4_0", "--force")
        self.assertEqual(path.read_bytes(), first)
        answer = json.loads(self.ogas("run", path, "the cat", *QUICK, "--json", "--ctx", 256).stdout)
        self.assertEqual(answer["completion_tokens"], 4)
        self.assertEqual(list(self.folder.glob("*.tmp")), [])
        self.ogas("logits", path, "--tokens", "1,2,3", "--out", "x.npy", "--ctx", 256)
        data = (self.folder / "x.npy").read_bytes()
        logits = struct.unpack(f"<{3 * 151936}f", data[-4 * 3 * 151936:])
        self.assertAlmostEqual(math.sqrt(sum(x * x for x in logits) / len(logits)), 1, delta=0.1)

    def test_list_and_errors(self):
        sizes = {shape["shape"]: shape["bytes"] for shape in json.loads(self.ogas("synth", "--list", "--json").stdout)}
        self.assertAlmostEqual(sizes["llama-3.1-8b"] / 4.92e9, 1, delta=0.01)
        self.assertIn("deepseek-v3", self.ogas("synth", "--list").stdout.decode())
        self.fails(2, "one of llama-3.1-8b", "synth", "gpt-5")
        self.fails(2, "29 layers; qwen3-0.6b has 28", "synth", "qwen3-0.6b", "--layers", 29)
        self.fails(2, "--type", "synth", "qwen3-0.6b", "--type", "q9")
        self.fails(1, "'/nowhere': No such", "synth", "qwen3-0.6b", "/nowhere/x.gguf")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class PlanTest(ProgramTest):
    def test_what_fits(self):
        plan = json.loads(self.ogas("plan", MODEL, "--ctx", 512, "--disk", "1.5G", "--json").stdout)
        self.assertTrue(plan["fits"])
        self.assertEqual((plan["mode"], plan["n_ctx"], plan["disk_bytes_per_s"]), ("in memory", 512, 1.5e9))
        self.assertGreater(plan["estimate_even_routing"]["decode_tokens_per_s"], 1)
        text = self.ogas("plan", MODEL, "--ctx", 512).stdout.decode()
        self.assertRegex(text, r"decoding +[\d.]+ tokens/s \(estimate\)\n")
        self.assertRegex(text, r"energy +[\d.]+ J a token \(estimate from \d+ W\)\n")
        self.assertRegex(text, r"would help +faster memory, or weights of fewer bits: decoding reads [\d.]+ MB of them for every token")
        for option in (("--layers", 2), ("--type", "q8_0")):
            self.fails(2, f"{option[0]} is of a shape", "plan", MODEL, *option)

    def test_fewer_experts(self):
        """They are checked as for a running model, and change the forecast."""
        model = ARCHITECTURES / "qwen3_moe/model.gguf"
        own = json.loads(self.ogas("plan", model, "--ctx", 200, "--json").stdout)
        self.assertGreater(own["experts_a_token"], 1)
        for command in (("plan", model), ("bench", model, "--ctx", 200), ("serve", model), ("logits", model, "--tokens", 1, "-o", "x")):
            self.fails(2, f"900 experts a token; the model was trained with {own['experts_a_token']}", *command, "--n-expert-used", 900)
            self.fails(2, "min_expert_weight is 1.5; 0 to below 1", *command, "--min-expert-weight", 1.5)
        for option in (("--n-expert-used", 1), ("--min-weight", 0.1)):
            self.fails(2, "this model has no experts", "plan", MODEL, *option)
        for option in (("--n-expert-used", 1), ("--min-weight", 0.9)):
            result = self.ogas("plan", model, "--ctx", 200, "--json", *option)
            fewer = json.loads(result.stdout)
            self.assertRegex(result.stderr, r"1 of \d+ experts a token")
            self.assertEqual(fewer["experts_a_token"], 1)
            self.assertLess(fewer["weight_bytes_a_token"], own["weight_bytes_a_token"])
            figures = [json.loads(self.ogas("bench", model, "--ctx", 200, "--repeat", 1, "--only", "decode at 0", "--json",
                                            *more).stdout)["figures"]["decode at 0"] for more in ((), option)]
            # Rates are not compared: operations a byte follow from the model alone.
            self.assertNotEqual(figures[0]["ops_per_byte"], figures[1]["ops_per_byte"])
        text = self.ogas("plan", model, "--ctx", 200).stdout.decode()
        self.assertRegex(text, r"would help .*: decoding reads [\d.]+ [kM]B of [\d.]+ [kM]B for every token, \d of \d+ experts a layer")

    def test_a_mirror(self):
        shape = ("synth", "qwen3-30b-a3b", "moe.gguf", "--layers", 1, "--type", "q4_0")
        self.ogas(*shape)
        plan = ("plan", "moe.gguf", "--ctx", 200, "--expert-cache", "100M", "--json")
        self.fails(3, "cannot open 'gone/moe.gguf'", *plan, "--mirror", "gone")
        (self.folder / "copy").mkdir()
        (self.folder / "copy/moe.gguf").hardlink_to(self.folder / "moe.gguf")
        self.assertFalse(json.loads(self.ogas(*plan, "--mirror", "copy").stdout)["fits"])

    def test_a_file_that_is_elsewhere(self):
        folder = pathlib.Path(MODEL).parent
        handler = functools.partial(QuietHandler, directory=folder)  # knows no ranges
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.handle_error = lambda *_: None  # who has read enough leaves
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.addCleanup(server.shutdown)
            url = f"http://127.0.0.1:{server.server_port}/"
            remote = json.loads(self.ogas("plan", url + pathlib.Path(MODEL).name, "--ctx", 512, "--json").stdout)
            self.fails(1, "404", "plan", url + "missing.gguf")
            self.fails(3, "not a GGUF file", "plan", url)
            server.shutdown()
        self.fails(1, "http://127.0.0.1:1/x.gguf", "plan", "http://127.0.0.1:1/x.gguf")
        local = json.loads(self.ogas("plan", MODEL, "--ctx", 512, "--json").stdout)
        for key in ("model", "fits", "mode", "weight_bytes", "context_bytes", "batch_bytes", "n_ctx", "n_batch"):
            self.assertEqual(remote[key], local[key], key)
        self.assertIsNone(remote["disk_bytes_per_s"])  # of a disk that it does not lie on

    def test_a_shape_that_does_not_fit(self):
        shapes = json.loads(self.ogas("synth", "--list", "--json").stdout)
        largest = max((shape for shape in shapes if shape["experts"]), key=lambda shape: shape["bytes"])
        plan = ("plan", largest["shape"], "--layers", 5, "--ram", "5G", "--ctx", 1024, "--threads", 2)
        self.fails(2, "how quick its disk will be nobody knows", *plan)
        plan = json.loads(self.ogas(*plan, "--disk", "2G", "--json").stdout)
        self.assertFalse(plan["fits"])
        self.assertLess(plan["expert_bytes"], plan["all_expert_bytes"] / 2)
        taken = sum(plan[f"{part}_bytes"] for part in ("weight", "expert", "context", "batch", "other"))
        self.assertLessEqual(taken, plan["available_bytes"])
        even, skewed = plan["estimate_even_routing"], plan["estimate_skewed_routing"]
        self.assertGreater(even["bytes_a_token_from_disk"], skewed["bytes_a_token_from_disk"])
        self.assertLess(even["decode_tokens_per_s"], 2e9 / even["bytes_a_token_from_disk"])
        self.assertEqual(set(plan["decode_tokens_per_s_with"]), {"twice the memory", "a disk twice as quick"})

    def test_experts_on_disk(self):
        """What bench reports of them, and that an invalid size is refused."""
        model = ARCHITECTURES / "qwen3_moe/model.gguf"
        bench = ("bench", model, "--ctx", 200, "--threads", 2, "--repeat", 1, "--only", "decode at 0", "--json")
        self.assertNotIn("experts", json.loads(self.ogas(*bench).stdout))
        experts = json.loads(self.ogas(*bench, "--expert-cache", 0).stdout)["experts"]
        self.assertLess(experts["in_memory"], experts["of"])
        self.assertGreater(experts["bytes_read"], 0)
        self.fails(2, "'much' is not a size", *bench, "--ram", "much")
        fewer = self.ogas(*bench, "--n-expert-used", 1)
        self.assertRegex(fewer.stderr, r"1 of \d+ experts a token: answers are not the model's own")
        self.fails(2, "was trained with", *bench, "--n-expert-used", 99)


class BenchTest(ProgramTest):
    def test_a_model_without_a_tokenizer(self):
        model = ARCHITECTURES / "qwen3_moe/model.gguf"
        arguments = ("bench", model, "--repeat", 2, "--ctx", 200, "--threads", 2)
        report = json.loads(self.ogas(*arguments, "--json").stdout)
        self.assertEqual(list(report["figures"]), ["prefill 32", "prefill 128", "prefill 512", "prefill 2048",
                                                   "decode at 0", "decode at 2048", "decode at 8192",
                                                   *(f"{n} tokens a step" for n in (2, 4, 8, 16)),
                                                   *(f"{n} sessions" for n in (2, 4, 8, 16))])
        self.assertEqual(report["figures"]["prefill 512"], {"skipped": "the context has 200 positions"})
        self.assertEqual(len(report["machine"]["read_bytes_per_s"]), 2)
        for name in ("prefill 32", "decode at 0", "8 tokens a step"):
            figure = report["figures"][name]
            self.assertGreater(figure["tokens_per_s"], 0)
            self.assertAlmostEqual(figure["fraction"], figure["tokens_per_s"] / figure["limit"])
            self.assertGreater(figure["limit"], 0)
        self.assertGreater(report["peak_memory_bytes"], 0)
        # The limit is the lower of two: what memory allows and what multiplying allows, each kind of weights at its peak.
        machine = report["machine"]
        self.assertEqual(list(machine["products"]), ["4-bit", "5-bit", "6-bit", "8-bit", "BF16", "F32"])
        peaks = [peak["ops_per_s"] for peak in machine["products"].values()]
        for figure in (figure for figure in report["figures"].values() if "skipped" not in figure):
            self.assertTrue(min(peaks) * 0.999 <= figure["peak_ops_per_s"] <= max(peaks) * 1.001, figure)
            roof = min(figure["peak_ops_per_s"], machine["read_bytes_per_s"][-1] * figure["ops_per_byte"])
            self.assertAlmostEqual(figure["fraction"], figure["ops_per_s"] / roof)
            self.assertEqual(figure["limited_by"] == "products", roof == figure["peak_ops_per_s"])
        # However slow a machine is: the figure that all are compared by, and those named.
        hurried = ("bench", model, "--repeat", 1, "--ctx", 4096, "--threads", 2, "--budget", 1e-9, "--json")
        figures = json.loads(self.ogas(*hurried).stdout)["figures"]
        self.assertEqual([name for name in figures if name.startswith("prefill") and "skipped" not in figures[name]],
                         ["prefill 512"])
        self.assertGreater(json.loads(self.ogas(*hurried, "--only", "prefill 128").stdout)
                           ["figures"]["prefill 128"]["tokens_per_s"], 0)
        table = self.ogas(*arguments).stdout.decode()
        self.assertRegex(table, r"decode at 0 +[\d.]+ +[\d.]+% +[\d.]+ +[\d.]+%  (memory|[\w-]+ products)\n")

    def test_some_figures_with_serial_code_and_as_a_picture(self):
        arguments = ("bench", MODEL, "--repeat", 1, "--ctx", 512, "--only", "decode at 0", "--only", "prefill 32",
                     "--against-serial", "--plot", "roof.svg")
        report = json.loads(self.ogas(*arguments, "--json").stdout)
        self.assertEqual(list(report["figures"]), ["prefill 32", "decode at 0"])
        serial = report["serial"]["decode at 0"]
        self.assertAlmostEqual(serial["times_serial"] * serial["serial_tokens_per_s"],
                               report["figures"]["decode at 0"]["tokens_per_s"])
        self.assertAlmostEqual(serial["times_serial_per_thread"], serial["times_serial"] / report["threads"])
        self.assertNotIn("prefill 512", report["serial"])
        self.assertLess(report["peak_memory_bytes"], report["file_bytes"] + (100 << 20))
        svg = xml.etree.ElementTree.parse(self.folder / "roof.svg").getroot()
        circles = svg.findall("{http://www.w3.org/2000/svg}circle")
        self.assertEqual(len(circles), 2)
        self.assertEqual(list(self.folder.glob("*.tmp")), [])
        self.fails(2, "'decode' is none of prefill 32, ", "bench", MODEL, "--only", "decode")
        self.fails(1, "cannot write '/nowhere/x.svg'", *arguments[:-1], "/nowhere/x.svg")

    def test_compare(self):
        for name, rate in (("a", 10), ("b", 25)):
            figures = {"decode at 0": {"tokens_per_s": rate}, "prefill 32": {"skipped": "why"}}
            (self.folder / f"{name}.json").write_text(json.dumps({"figures": figures}))
        ratios = json.loads(self.ogas("bench", "--compare", "a.json", "b.json", "--json").stdout)
        self.assertEqual(ratios, {"decode at 0": 2.5})
        self.assertIn("2.50x", self.ogas("bench", "--compare", "a.json", "b.json").stdout.decode())
        (self.folder / "bad.json").write_text("[1")
        self.fails(2, "'bad.json' is not a report", "bench", "--compare", "a.json", "bad.json")
        self.fails(2, "MODEL is missing", "bench")


if __name__ == "__main__":
    unittest.main()
