#!/usr/bin/env python3
"""Reference results of two other implementations on a real model: writes OUT/greedy.json and OUT/perplexity.json.

  make_smollm2_goldens.py MODEL.gguf OUT [--text wiki.test.raw] [--chunks 40]      (about 5 minutes on 2 cores)

greedy.json: prompts, and llama.cpp's greedy continuation of each (stopping nowhere), with the margin of the winner over
the second and the winner's natural log-probability at each step. The same of transformers in float32, given llama.cpp's
tokens ("f32_"), is the truth: llama.cpp itself rounds activations to 8 bits. "noise" is the distance of
llama.cpp's own variants, and of float32, from the logits that the tokens were chosen by.
perplexity.json (with --text): measured as llama.cpp does: the text is tokenized whole and cut into chunks of n_ctx
tokens; each starts from an empty context, and only its second half is scored.

Needs: llama-cpp-python gguf transformers>=5 torch numpy. Made with MODEL = SmolLM2-135M-Instruct.Q4_1.gguf and
--text = WikiText-2 raw test.
"""
import argparse
import hashlib
import json
import pathlib

import numpy as np
import torch

from compare_logits import divergence, log_softmax
import llama_cpp_peer as peer
import transformers_peer

N_NEW = 64
N_CTX = 512  # of perplexity
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"

PROMPTS = [
    "The", "Once upon a time, in a village by the sea, there lived", "The capital of France is",
    "Water boils at a temperature of", "1, 1, 2, 3, 5, 8, 13,", "3.14159265358979",
    "2024-01-01\n2024-01-02\n2024-01-03\n",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
    "#include <stdio.h>\n\nint main(void) {\n\tfor (int i = 0; i < 10; ++i) {\n\t\t",
    "SELECT name, COUNT(*) FROM orders WHERE", "Shopping list:\n- apples\n- bread\n- ",
    "人工智能是计算机科学的一个分支，", "Le petit chat dort sur le canapé parce qu'il",
    "Q: Who wrote \"Pride and Prejudice\"?\nA:", "    \n\n   leading   and trailing   spaces   ",
    "{\"name\": \"Ada\", \"born\": 1815, \"known_for\": [\"",
    # Longer than a batch of most engines, so that attention reaches far back.
    "Minutes of the gardening club.\n" + "".join(
        f"{i}. Member {chr(65 + i * 7 % 26)} reported {i * 37 % 101} tomatoes "
        f"and {i * 53 % 89} peas from bed {i % 6}.\n" for i in range(1, 31)) + "In summary, the club",
]
CHATS = ["What is gravity?", "Write a haiku about autumn rain.", "Translate to Spanish: Where is the library? 🙂"]


def chat_text(question):
    """What the model's own template makes of one question."""
    return (f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n"
            "<|im_start|>assistant\n")


def margins(logits):
    top = np.partition(logits, -2, axis=-1)[:, -2:]
    return np.abs(top[:, 1] - top[:, 0])


def generate(context, prompt):
    """Greedy tokens, and the logits [N_NEW, n_vocab] each was chosen by."""
    context.clear()
    rows, tokens = [context.eval(prompt, last_only=True)[0]], []
    while True:
        tokens.append(int(rows[-1].argmax()))
        if len(tokens) == N_NEW:
            return tokens, np.stack(rows)
        rows.append(context.eval(tokens[-1:])[0])


class Noise:
    """How far other evaluations of the same tokens lie from the logits in the goldens."""

    def __init__(self):
        self.sums = {}

    def add(self, name, logits, golden):
        s = self.sums.setdefault(name, {"max": 0.0, "squares": 0.0, "n": 0, "logprob_squares": 0.0, "n_steps": 0,
                                        "flips": 0, "max_flip_margin": 0.0, "logprob_max": 0.0, "kl": 0.0})
        diff = logits.astype(np.float64) - golden
        winner, steps = golden.argmax(-1), np.arange(len(golden))
        log_p, log_q = log_softmax(golden), log_softmax(logits)
        logprob = (log_q - log_p)[steps, winner]
        flipped = logits.argmax(-1) != winner
        s["max"] = max(s["max"], float(np.abs(diff).max()))
        s["squares"] += float((diff**2).sum())
        s["n"] += diff.size
        s["logprob_squares"] += float((logprob**2).sum())
        s["logprob_max"] = max(s["logprob_max"], float(np.abs(logprob).max()))
        s["kl"] += float(divergence(log_p, log_q).sum())
        s["n_steps"] += len(steps)
        s["flips"] += int(flipped.sum())
        if flipped.any():
            s["max_flip_margin"] = max(s["max_flip_margin"], float(margins(golden)[flipped].max()))

    def report(self):
        return {name: {"logit_max": round(s["max"], 4), "logit_rms": round((s["squares"] / s["n"])**0.5, 4),
                       "logprob_max": round(s["logprob_max"], 4),
                       "logprob_rms": round((s["logprob_squares"] / s["n_steps"])**0.5, 4),
                       "mean_kl": round(s["kl"] / s["n_steps"], 5), "flips": s["flips"],
                       "max_flip_margin": round(s["max_flip_margin"], 4)} for name, s in self.sums.items()}


def make_greedy(model, f32, path):
    options = dict(n_ctx=2048, n_threads=2, flash_attn=True, kv="f16")  # what llama.cpp chooses by itself on a CPU
    context = peer.Context(model, **options)
    variants = {"one batch": (options, None), "1 thread": (dict(options, n_threads=1), 1),
                "no flash attention": (dict(options, flash_attn=False), 1),
                "no flash attention, one batch": (dict(options, flash_attn=False), None),
                "no flash attention, f32 kv": (dict(options, flash_attn=False, kv="f32"), None)}
    noise, cases = Noise(), []
    inputs = [(text, False) for text in PROMPTS] + [(chat_text(text), True) for text in CHATS]
    for text, is_chat in inputs:
        prompt = model.tokenize(text, parse_special=is_chat)
        tokens, golden = generate(context, prompt)
        whole = prompt + tokens[:-1]
        for name, (changed, batch) in variants.items():
            other = peer.Context(model, **changed)
            noise.add(name, other.eval(whole, batch)[len(prompt) - 1:], golden)
            other.close()
        truth = transformers_peer.logits(f32, whole)[len(prompt) - 1:]
        noise.add("f32", truth, golden)
        steps = np.arange(N_NEW)
        cases.append({
            "prompt": text, "parse_special": is_chat, "prompt_ids": prompt, "tokens": tokens,
            "margins": rounded(margins(golden)), "logprobs": rounded(log_softmax(golden)[steps, tokens]),
            "f32_tokens": truth.argmax(-1).tolist(), "f32_margins": rounded(margins(truth)),
            "f32_logprobs": rounded(log_softmax(truth)[steps, tokens])})
        print(f"{len(prompt):5} tokens  {text[:40]!r}", flush=True)
    context.close()
    report = noise.report()
    for name, figures in report.items():
        print(f"{name:32} {figures}")
    write(path, {"n_new": N_NEW, "llama_cpp": options, "noise": report}, "cases", cases)


def rounded(values):
    return [round(float(v), 4) for v in values]


def write(path, head, list_name, items):
    """JSON, one item of the list a line."""
    lines = ",\n".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items)
    fields = json.dumps(head, indent=1)[1:-2]
    path.write_text(f"{{{fields},\n \"{list_name}\": [\n{lines}\n]}}\n")


def sha256_of(ids):
    return hashlib.sha256(np.asarray(ids, "<i4").tobytes()).hexdigest()


def chunk_nll(rows, chunk):
    """Negative log-likelihood of the second half, from the logits that predict it: positions n_ctx/2 to n_ctx - 2."""
    first = N_CTX // 2
    targets = np.asarray(chunk[first + 1:])
    return float(-log_softmax(rows[first:N_CTX - 1])[np.arange(len(targets)), targets].sum())


def make_perplexity(model, f32, text_path, n_chunks, path):
    raw = text_path.read_bytes()
    ids = model.tokenize(raw.decode())
    context = peer.Context(model, n_ctx=N_CTX, n_batch=N_CTX, flash_attn=True)
    n_chunks = min(n_chunks, len(ids) // N_CTX)
    n_scored, nll, f32_nll, lines = N_CTX - N_CTX // 2 - 1, 0.0, 0.0, []
    for i in range(n_chunks):
        chunk = ids[i * N_CTX:(i + 1) * N_CTX]
        if model.add_bos:
            chunk = [model.bos] + chunk[1:]
        context.clear()
        nll += chunk_nll(context.eval(chunk), chunk)
        if f32:
            f32_nll += chunk_nll(transformers_peer.logits(f32, chunk), chunk)
        lines.append([round(nll, 3), round(f32_nll, 3)])
        n = n_scored * (i + 1)
        print(f"chunk {i + 1:3}: {np.exp(nll / n):.4f}  f32 {np.exp(f32_nll / n):.4f}", flush=True)
    context.close()
    write(path, {
        "text_sha256": hashlib.sha256(raw).hexdigest(), "text_n_tokens": len(ids), "text_ids_sha256": sha256_of(ids),
        "n_ctx": N_CTX, "first_scored": N_CTX // 2, "n_scored_per_chunk": n_scored, "n_chunks": n_chunks,
        "chunk_ids_sha256": sha256_of(ids[:n_chunks * N_CTX]), "ids_format": "little-endian int32",
        "perplexity": round(float(np.exp(nll / n)), 4), "f32_perplexity": round(float(np.exp(f32_nll / n)), 4)},
        "cumulative_nll_and_f32_nll", lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--chunks", type=int, default=40)
    parser.add_argument("--only", choices=["greedy", "perplexity"])
    args = parser.parse_args()
    torch.set_num_threads(2)
    args.out.mkdir(parents=True, exist_ok=True)
    model, f32 = peer.Model(args.model), transformers_peer.load(args.model)
    if args.only != "perplexity":
        make_greedy(model, f32, args.out / "greedy.json")
    if args.text and args.only != "greedy":
        make_perplexity(model, f32, args.text, args.chunks, args.out / "perplexity.json")


if __name__ == "__main__":
    main()
