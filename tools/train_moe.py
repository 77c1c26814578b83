#!/usr/bin/env python3
"""Trains a small mixture of experts from scratch, so that there is a trained router to measure. Writes OUT, a Hugging
Face folder (config.json, model.safetensors, tokenizer.json) that transformers and ogas run.

  train_moe.py TEXTS OUT [--minutes 30 | --steps N] [--experts 64] [--used 4] [--layers 4] [--aux 0.001] [--seed 1]
               [--pause-while FILE]

TEXTS holds wikitext2, tinyshakespeare, gsm8k and bfcl (Berkeley function calling) as ../shared/data does; the four are
seen in equal parts. A tenth of each is held out: the loss is reported for it, and tools/record_routing.py records it.
The experts are balanced in the usual way, by a loss on each one's share of tokens times its probability (Fedus et al.
2021), in each layer separately. Everything but the number of steps in --minutes comes from the seed. Ctrl-C ends early,
after a quarter more steps in which the learning rate falls. --pause-while: sleeps while that file exists.

Needs: torch transformers>=5 tokenizers safetensors. One thread.
"""
import argparse
import json
import math
import os
import pathlib
import random
import signal
import time

import tokenizers
import torch
import torch.nn.functional as F
import transformers

KINDS = ("prose", "dialogue", "maths", "json")
END = "<|endoftext|>"
LENGTH = 256  # tokens of a row
ROWS = 8      # of a batch
FALLS = 0.2   # of the steps are made with a learning rate that falls


def pieces_of(folder, kind):
    """The documents of a kind, in the order of their file."""
    folder = pathlib.Path(folder)
    if kind == "prose":
        text = (folder / "wikitext2/wiki.test.raw").read_text()
        articles, lines = [], []
        for line in text.splitlines(keepends=True):
            if line.startswith(" = ") and not line.startswith(" = = ") and lines:
                articles.append("".join(lines))
                lines = []
            lines.append(line)
        return articles + ["".join(lines)]
    if kind == "dialogue":
        text = (folder / "tinyshakespeare/input.txt").read_text()
        return [text[at:at + 8192] for at in range(0, len(text), 8192)]
    if kind == "maths":
        lines = (folder / "gsm8k/train.jsonl").read_text().splitlines()[:3000]
        return [f"Q: {one['question']}\nA: {one['answer']}\n" for one in map(json.loads, lines)]
    functions = {}
    for name in ("multiple", "live_multiple", "simple_python", "live_simple", "irrelevance"):
        path = next((folder / "bfcl").glob(f"BFCL_v?_{name}.json"))
        for line in path.read_text().splitlines():
            for function in json.loads(line)["function"]:
                functions.setdefault(function["name"], json.dumps(function, indent=1) + "\n")
    return list(functions.values())


def split(folder):
    """{kind: (documents to train with, documents held out)}; the last tenth by length is held out."""
    parts = {}
    for kind in KINDS:
        pieces = pieces_of(folder, kind)
        most, n = 0.9 * sum(map(len, pieces)), 0
        begin = next(idx for idx, piece in enumerate(pieces) if (n := n + len(piece)) > most)
        parts[kind] = pieces[:begin], pieces[begin:]
    return parts


def train_tokenizer(texts, n_vocab):
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    bpe.train_from_iterator(texts, tokenizers.trainers.BpeTrainer(
        vocab_size=n_vocab, special_tokens=[END], show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=END, pad_token=END)


def ids_of(tokenizer, pieces):
    end = tokenizer.eos_token_id
    return torch.tensor([token for ids in tokenizer(list(pieces))["input_ids"] for token in (*ids, end)])


def balance_loss(router_logits, n_used):
    """Of all layers; 1 each if tokens use its experts equally."""
    losses = []
    for logits in router_logits:
        shares = F.softmax(logits.float(), dim=-1)
        n_expert = shares.shape[-1]
        taken = F.one_hot(shares.topk(n_used).indices, n_expert).sum(1).float().mean(0) / n_used
        losses.append(n_expert * (taken * shares.mean(0)).sum())
    return torch.stack(losses).sum()


def rows_of(ids, n_rows, rng):
    starts = [rng.randrange(len(ids) - LENGTH) for _ in range(n_rows)]
    return torch.stack([ids[at:at + LENGTH] for at in starts])


@torch.no_grad()
def bits_per_byte(model, ids, n_bytes):
    """Of held-out texts, in rows of their own."""
    nats, n = 0.0, 0
    for at in range(0, min(len(ids), 8192) - LENGTH, LENGTH):
        row = ids[None, at:at + LENGTH]
        logits = model(input_ids=row).logits[0, :-1]
        nats += F.cross_entropy(logits.float(), row[0, 1:], reduction="sum").item()
        n += LENGTH - 1
    return nats / n / math.log(2) * len(ids) / n_bytes


def unigram_bits_per_byte(ids, held_out, n_bytes, n_vocab):
    counts = torch.bincount(ids, minlength=n_vocab).double() + 1
    return -(counts / counts.sum()).log2()[held_out].mean().item() * len(held_out) / n_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--experts", type=int, default=64)
    parser.add_argument("--used", type=int, default=4)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--vocab", type=int, default=2048)
    parser.add_argument("--aux", type=float, default=0.001)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause-while")
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    parts = split(args.texts)
    tokenizer = train_tokenizer([piece for kind in KINDS for piece in parts[kind][0]], args.vocab)
    ids = {kind: ids_of(tokenizer, parts[kind][0]) for kind in KINDS}
    held_out = {kind: (ids_of(tokenizer, parts[kind][1]), sum(len(piece.encode()) + 1 for piece in parts[kind][1]))
                for kind in KINDS}
    model = transformers.Qwen3MoeForCausalLM(transformers.Qwen3MoeConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, moe_intermediate_size=64,
        num_hidden_layers=args.layers, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
        num_experts=args.experts, num_experts_per_tok=args.used, norm_topk_prob=True, tie_word_embeddings=True,
        max_position_embeddings=2048, router_aux_loss_coef=args.aux, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, use_cache=True))
    model.set_experts_implementation("grouped_mm")
    model.router_aux_loss_coef = 0  # that of transformers is of all layers in one
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters; tokens of each kind: "
          f"{ {kind: len(ids[kind]) for kind in KINDS} }", flush=True)

    def report():
        model.eval()
        for kind in KINDS:
            text, n_bytes = held_out[kind]
            unigram = unigram_bits_per_byte(ids[kind], text, n_bytes, len(tokenizer))
            print(f"  {kind:9} {bits_per_byte(model, text, n_bytes):.3f} bits a byte, kept out "
                  f"(single tokens' frequencies: {unigram:.3f})", flush=True)
        model.train()

    def save():
        model.save_pretrained(args.out)
        tokenizer.save_pretrained(args.out)

    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    report()
    signal.signal(signal.SIGINT, lambda *_: ending.append(True))
    ending, most = [], args.steps or 60 * args.minutes
    spent, step, done = 0.0, 0, 0.0
    while done < 1:
        while args.pause_while and os.path.exists(args.pause_while):
            time.sleep(1)
        begin = time.monotonic()
        for group in optimizer.param_groups:
            group["lr"] = args.rate * min(1, (step + 1) / 100, max(0.02, (1 - done) / FALLS))
        batch = torch.cat([rows_of(ids[kind], ROWS // len(KINDS), rng) for kind in KINDS])
        output = model(input_ids=batch, labels=batch, output_router_logits=True)
        loss = output.loss + args.aux * balance_loss(output.router_logits, args.used)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        spent += time.monotonic() - begin
        so_far = step if args.steps else spent
        if ending and so_far < (1 - FALLS) * most:
            most = so_far / (1 - FALLS)
        done = so_far / most
        if step % 50 == 1:
            uses = torch.stack([torch.bincount(logits.topk(args.used).indices.flatten(), minlength=args.experts)
                                for logits in output.router_logits]).sort(descending=True).values
            print(f"step {step}, {spent / 60:.1f} minutes: loss {output.loss.item():.3f}; the 30% of experts used most have "
                  f"{uses[:, :int(0.3 * args.experts)].sum() / uses.sum():.0%} of uses", flush=True)
        if step % 500 == 0:
            save()
    print(f"{step} steps, {spent / 60:.1f} minutes", flush=True)
    report()
    save()


if __name__ == "__main__":
    main()
