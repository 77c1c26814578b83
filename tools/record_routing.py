#!/usr/bin/env python3
"""Records which experts a model uses, by transformers; writes OUT, a trace for bench/expert_cache_bench.cc.

  record_routing.py MODEL TEXTS OUT [--tokens 300] [--texts 4] [--note TEXT] [--tokens-out FILE]

MODEL is a Hugging Face folder whose router logits transformers returns. TEXTS is the folder that tools/train_moe.py
trained with: what was held out is recorded, --texts of each kind interleaved, each of --tokens tokens with nothing
before it. --tokens-out: also the ids of the tokens, a line a text, as `ogas logits --tokens @FILE` reads them.

A trace is text:

  ogas routing trace 1
  # a comment
  layers 6 experts 64 used 4
  text prose                              here a text begins, of this kind
  0a1f2b03 00112233 ... (6 of them)       a token: for each layer the experts it used, two hexadecimal digits each,
                                          the one of most weight first

Needs: torch transformers>=5.
"""
import argparse
import collections
import pathlib

import torch
import transformers

import train_moe


def texts_of(folder, tokenizer, n_texts, n_tokens):
    """(kind, ids): pieces of the held-out text, evenly from its start to its end, the kinds interleaved."""
    parts = train_moe.split(folder)
    ids = {kind: train_moe.ids_of(tokenizer, parts[kind][1]) for kind in train_moe.KINDS}
    for idx in range(n_texts):
        for kind, there in ids.items():
            begin = idx * (len(there) // n_texts)
            assert begin + n_tokens <= len(there), f"{kind}: too little text"
            yield kind, there[begin:begin + n_tokens]


@torch.no_grad()
def routing_of(model, ids, n_used):
    """[token, layer, n_used]"""
    logits = model(input_ids=ids[None], output_router_logits=True).router_logits
    return torch.stack([one.topk(n_used).indices for one in logits], dim=1)


def dependence(tokens, routing):
    """How often the expert of most weight is the one that this token takes most often, and the one all tokens do."""
    n_same, n_max, n = 0, 0, 0
    for layer in range(routing.shape[1]):
        first = routing[:, layer, 0].tolist()
        of_token = collections.defaultdict(collections.Counter)
        for token, expert in zip(tokens, first):
            of_token[token][expert] += 1
        # Tokens that occur once say nothing.
        often = {token: counts for token, counts in of_token.items() if counts.total() > 1}
        most = collections.Counter()
        for counts in often.values():
            n_same += counts.most_common(1)[0][1]
            most += counts
        n_max += most.most_common(1)[0][1]
        n += most.total()
    return n_same / n, n_max / n


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--texts", type=int, default=4, dest="n_texts")
    parser.add_argument("--note", action="append", default=[])
    parser.add_argument("--tokens-out", type=pathlib.Path)
    args = parser.parse_args()

    torch.set_num_threads(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    config = model.config
    assert config.num_experts <= 256, "an expert has two digits"
    lines = ["ogas routing trace 1", *(f"# {note}" for note in args.note),
             f"layers {config.num_hidden_layers} experts {config.num_experts} used {config.num_experts_per_tok}"]
    tokens, routing, token_lines = [], [], []
    for kind, ids in texts_of(args.texts, tokenizer, args.n_texts, args.tokens):
        routes = routing_of(model, ids, config.num_experts_per_tok)
        lines.append(f"text {kind}")
        lines += [" ".join("".join(f"{expert:02x}" for expert in layer) for layer in token)
                  for token in routes.tolist()]
        tokens += ids.tolist()
        token_lines.append(",".join(map(str, ids.tolist())))
        routing.append(routes)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("\n".join(lines) + "\n")
    if args.tokens_out:
        args.tokens_out.write_text("\n".join(token_lines) + "\n")
    same, most = dependence(tokens, torch.cat(routing))
    print(f"{args.out}: {len(tokens):,} tokens; the first expert is the token's usual one for {same:.0%} of them, "
          f"the layer's usual one for {most:.0%}")


if __name__ == "__main__":
    main()
