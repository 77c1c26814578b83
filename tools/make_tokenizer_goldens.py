#!/usr/bin/env python3
"""Writes tests/data/tokenizers/: small tokenizers and what PyPI tokenizers and sentencepiece make of texts.

    tools/make_tokenizer_goldens.py SHAKESPEARE     (PyPI tokenizers 0.23, sentencepiece 0.2; any English text)

  texts.json               what is encoded
  small_texts.json         more of it for the small tokenizers
  <name>.goldens.json      for each text the number of its ids and a checksum of them (see checksum()), with special
                           tokens recognised and without; tools/get_tokenizers fetches the published tokenizers
  small_*.tokenizer.json   byte-level and SentencePiece-style tokenizers, trained on the text given
  sentencepiece.json       tokens, scores and types of a model that sentencepiece trained, with its encodings
and fuzz/corpus/tokenizer_json/, where the fuzzer starts.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import sentencepiece  # noqa: E402
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

from tokenizer_texts import checksum, texts  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "tests/data/tokenizers"
CORPUS = ROOT / "fuzz/corpus/tokenizer_json"
N_TEXTS = 3000


def encode(tokenizer, text, special):
    tokenizer.encode_special_tokens = not special
    return tokenizer.encode(text, add_special_tokens=False).ids


def write(name, value):
    (TARGET / name).write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")


def write_goldens(name, tokenizer, values):
    rows = []
    for text in values:
        ids = [encode(tokenizer, text, special) for special in (True, False)]
        decoded = tokenizer.decode(ids[0], skip_special_tokens=False)
        rows.append([len(ids[0]), checksum(ids[0] + [0x7FFFFFFF] + ids[1] + list(decoded.encode()))])
    samples = [[i, encode(tokenizer, values[i], True)] for i in range(12)]  # to look at when a checksum differs
    write(f"{name}.goldens.json", {"rows": rows, "samples": samples})


# Added tokens are free of byte letters other than ASCII: there `tokenizers` decodes "é" as the byte E9, and ogas as é.
def small_byte_level(path):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Split("th", "merged_with_next"),
        pre_tokenizers.Split(Regex(r"[aeiou]x"), "merged_with_previous"), pre_tokenizers.Split("--", "contiguous"),
        pre_tokenizers.Split(Regex(r"[^Q]+"), "isolated", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train([str(path)], trainer)
    tokenizer.add_special_tokens([AddedToken("<|end|>"), AddedToken("<s>")])
    tokenizer.add_tokens([AddedToken("<left>", lstrip=True), AddedToken("<right>", rstrip=True), "<think>",
                          AddedToken("king", single_word=True), AddedToken("n\u030c", normalized=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A <|end|>", special_tokens=[("<s>", tokenizer.token_to_id("<s>")),
                                                  ("<|end|>", tokenizer.token_to_id("<|end|>"))])
    return tokenizer


def byte_fallback_model(path, pre_tokenizer, size=600):
    """Trained with an unknown token and bytes, and with marks for spaces."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizer
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special + [f"<0x{b:02X}>" for b in range(256)],
                                  show_progress=False)
    tokenizer.train([str(path)], trainer)
    value = json.loads(tokenizer.to_str())
    value["added_tokens"] = [t for t in value["added_tokens"] if t["content"] in special]
    return Tokenizer.from_str(json.dumps(value))


def small_metaspace(path):
    tokenizer = byte_fallback_model(path, pre_tokenizers.Metaspace(prepend_scheme="first"))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    return tokenizer


def small_prepend(path):
    tokenizer = byte_fallback_model(path, pre_tokenizers.Metaspace(prepend_scheme="always"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    value = json.loads(tokenizer.to_str())
    value["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(value))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_tokens(["<mask>"])
    return tokenizer


def sentencepiece_model(path, values):
    with tempfile.TemporaryDirectory() as folder:
        prefix = f"{folder}/model"
        sentencepiece.SentencePieceTrainer.train(
            input=str(path), model_prefix=prefix, model_type="bpe", vocab_size=800, byte_fallback=True,
            normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.9995,
            user_defined_symbols=["<mask>"], minloglevel=2)
        model = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    n = model.get_piece_size()
    kinds = [2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else
             4 if model.id_to_piece(i) == "<mask>" else 1 for i in range(n)]
    write("sentencepiece.json", {
        "tokens": [model.id_to_piece(i) for i in range(n)], "scores": [model.get_score(i) for i in range(n)],
        "kinds": kinds, "cases": [[i, model.encode(text)] for i, text in enumerate(values) if i % 8 == 0 and
                                  "▁" not in text and "\0" not in text and "<mask>" not in text]})


def main():
    shakespeare = pathlib.Path(sys.argv[1])
    TARGET.mkdir(parents=True, exist_ok=True)
    CORPUS.mkdir(parents=True, exist_ok=True)
    values = texts(N_TEXTS, 20)
    write("texts.json", values)
    folder = subprocess.run([ROOT / "tools/get_tokenizers"], check=True, capture_output=True, text=True).stdout.strip()
    for path in sorted(pathlib.Path(folder).glob("*/tokenizer.json")):
        write_goldens(path.parent.name, Tokenizer.from_file(str(path)), values)
    marked = values + ["the king's <left> x  <right>  y <left> kings king", "to--be---or", "Qnow Q", "axex ix",
                       "cafe\u0301 n\u030c \u0148", "a<mask>b <mask> c", "<s>hi</s> there <unk>", "<0x41> \u2581 x"]
    write("small_texts.json", marked[N_TEXTS:])
    for make in (small_byte_level, small_metaspace, small_prepend):
        tokenizer = make(shakespeare)
        (TARGET / f"{make.__name__}.tokenizer.json").write_text(tokenizer.to_str() + "\n")
        small = marked[N_TEXTS:] + values[:600]
        write_goldens(make.__name__, tokenizer, small)
        (CORPUS / make.__name__).write_bytes(tokenizer.to_str().encode() + b"\0the king's <left> 1234 caf\xc3\xa9 \xff\xe4\xbd")
    sentencepiece_model(shakespeare, values)


if __name__ == "__main__":
    main()
