#!/usr/bin/env python3
"""ogas serve with lm-evaluation-harness, as its command: what it measures is what `ogas score` and `ogas run` say."""

import json
import pathlib
import re
import subprocess
import sys
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import MODEL  # noqa: E402
from server_program import NAME, ServerTest, main  # noqa: E402

DATA = pathlib.Path(__file__).resolve().parent.parent.parent.parent / "shared/data"
SECONDS = 120
N_NEW = 16


def questions():
    """(question, answer's first sentence, a wrong one) of GSM8K, or a few of our own where it is missing."""
    path = DATA / "gsm8k/test.jsonl"
    if not path.exists():
        return [("How many legs do two cats have?", "Two cats have 8 legs.", "Two cats have 9 legs."),
                ("What is the capital of France?", "Paris", "A banana"),
                ("What do cows drink?", "Water", "Milk shakes with œufs")]
    with path.open() as file:
        rows = [json.loads(next(file)) for _ in range(4)]
    firsts = [re.sub(r"<<.*?>>", "", row["answer"].split("\n")[0]) for row in rows]
    return [(row["question"], first, other) for row, first, other in zip(rows, firsts, [*firsts[1:], firsts[0]])]


def book():
    """A text of more than one window, with several scripts in it."""
    path = DATA / "wikitext2"
    texts = sorted(path.glob("*test*")) if path.exists() else []
    text = texts[0].read_text()[:3000] if texts else "One day in April all clocks struck thirteen, to begin with. " * 50
    return text.strip() + " Привет, 世界! 🎉"


class LmEvalTest(ServerTest):
    OPTIONS = ("--ctx", 1024)

    def setUp(self):
        super().setUp()
        self.tasks = self.folder / "tasks"
        self.tasks.mkdir()

    def task(self, name, rows, yaml):
        data = self.tasks / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        head = f"""\
            task: {name}
            dataset_path: json
            dataset_kwargs: {{data_files: {{test: {data}}}}}
            test_split: test
            """
        (self.tasks / f"{name}.yaml").write_text(textwrap.dedent(head) + textwrap.dedent(yaml))

    def evaluate(self, model, endpoint, *tasks, options=(), **arguments):
        """The samples of each task, by task."""
        arguments = {"model": NAME, "base_url": f"{self.url}/v1/{endpoint}", "max_retries": 1, **arguments}
        output = self.folder / "output"
        environment = {**self.environment, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "DO_NOT_TRACK": "1",
                       "HF_HUB_DISABLE_TELEMETRY": "1", "OPENAI_API_KEY": "none"}
        done = subprocess.run([sys.executable, "-m", "lm_eval", "run", "--model", model, "--model_args",
                               ",".join(f"{name}={value}" for name, value in arguments.items()), "--tasks", ",".join(tasks),
                               "--include_path", str(self.tasks), "--output_path", str(output), "--log_samples", *options],
                              env=environment, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-6000:])
        samples = {}
        for task in tasks:
            path, = output.rglob(f"samples_{task}_*.jsonl")
            samples[task] = sorted(map(json.loads, path.read_text().splitlines()), key=lambda sample: sample["doc_id"])
        return samples

    def test_local_completions(self):
        rows = [{"question": question, "right": right, "wrong": wrong} for question, right, wrong in questions()]
        self.task("likely", rows, r"""
            output_type: multiple_choice
            doc_to_text: "Question: {{question}}\nAnswer:"
            doc_to_choice: "{{[right, wrong]}}"
            doc_to_target: 0
            metric_list: [{metric: acc}]
            """)
        self.task("said", rows[:2], rf"""
            output_type: generate_until
            doc_to_text: "Question: {{{{question}}}}\nAnswer:"
            doc_to_target: "{{{{right}}}}"
            generation_kwargs: {{until: ["\n\n"], max_gen_toks: {N_NEW}, do_sample: false, temperature: 0}}
            metric_list: [{{metric: exact_match}}]
            """)
        self.task("rolling", [{"text": book()}], """
            output_type: loglikelihood_rolling
            doc_to_text: ""
            doc_to_target: "{{text}}"
            metric_list: [{metric: word_perplexity}, {metric: byte_perplexity}]
            """)
        # Texts by the server's tokenizer (GET /tokenizer_info), several requests at a time and several texts in each.
        # max_length: what lm-eval assumes as the context, less one, so that windows here have 255.
        samples = self.evaluate("local-completions", "completions", "likely", "said", "rolling", options=("--batch_size", "2"),
                                num_concurrent=2, max_length=257)
        paths = {exchange.path for exchange in self.exchanges()}
        self.assertLessEqual({"/tokenizer_info", "/tokenize", "/v1/completions"}, paths)

        for sample, row in zip(samples["likely"], rows, strict=True):
            context = f"Question: {row['question']}\nAnswer:"
            expected = self.score(context, " " + row["right"], " " + row["wrong"])
            for ((logprob, is_greedy),), other in zip(sample["resps"], expected, strict=True):
                self.assertAlmostEqual(float(logprob), other["logprob"], delta=2e-3)
                self.assertEqual(str(is_greedy), str(other["is_greedy"]))
        for sample, row in zip(samples["said"], rows):
            expected = self.greedy(f"Question: {row['question']}\nAnswer:", N_NEW, "--raw", "--stop", "\n\n")["text"]
            self.assertEqual(sample["resps"][0][0], expected)
        scored = self.ogas("score", MODEL, "--window", "255", "--overlap", "1", "--json", stdin=book().encode())
        report = json.loads(scored.stdout)
        found = samples["rolling"][0]["resps"][0]
        found = float(found[0] if isinstance(found, list) else found)
        self.assertGreater(report["scored_tokens"], 600)
        self.assertAlmostEqual(found / report["scored_tokens"], report["logprob"] / report["scored_tokens"], delta=1e-4)

    def test_local_chat_completions(self):
        rows = [{"question": question, "right": right} for question, right, _ in questions()[:3]]
        self.task("chatted", rows, rf"""
            output_type: generate_until
            doc_to_text: "{{{{question}}}}"
            doc_to_target: "{{{{right}}}}"
            generation_kwargs: {{until: ["Question:"], max_gen_toks: {N_NEW}, temperature: 0}}
            metric_list: [{{metric: exact_match}}]
            """)
        samples = self.evaluate("local-chat-completions", "chat/completions", "chatted", options=("--apply_chat_template",),
                                num_concurrent=3, eos_string="<|im_end|>")
        for sample, row in zip(samples["chatted"], rows, strict=True):
            self.assertEqual(sample["resps"][0][0], self.greedy(row["question"], N_NEW)["text"])


if __name__ == "__main__":
    main()
