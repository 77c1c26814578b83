"""A model file that answers with given tokens, as a large model would write them.

A small Llama whose attention and feed-forward are zero: the output matrix leads from each token to the next of the script,
so that a greedy answer is the script, followed by EOS without end.
"""

import math
import pathlib
import random
import struct

TEMPLATES = pathlib.Path(__file__).resolve().parent / "data/text/templates"
WIDTH = 64
NORMAL, CONTROL = 1, 3
START = "<|go|>"  # the script follows it; each prompt ends with it
CHATML = ("{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
          "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def control(name):
    """A control token of the script; its other tokens are texts, or bytes."""
    return (name,)


def published_template(name):
    return (TEMPLATES / f"{name}.jinja").read_text()


def letters():
    """The printable letter for each byte, as byte-level vocabularies spell them."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in own]
    return {byte: chr(byte) for byte in own} | {byte: chr(256 + idx) for idx, byte in enumerate(others)}


def vocabulary(script, controls):
    """Tokens, kinds and the script's ids. Each use of a text is a token of its own, so that no token has two successors."""
    spelled = letters()
    tokens = [spelled[byte] for byte in range(256)] + ["hi"]
    kinds = [NORMAL] * len(tokens)
    ids = []
    for name in [START, *controls]:
        tokens.append(name)
        kinds.append(CONTROL)
    for one in script:
        if isinstance(one, tuple) and one[0] in tokens and tokens.index(one[0]) not in ids:
            ids.append(tokens.index(one[0]))
            continue
        is_control = isinstance(one, tuple)
        data = one if isinstance(one, bytes) else one.encode() if not is_control else b""
        tokens.append(one[0] if is_control else "".join(spelled[byte] for byte in data))
        kinds.append(CONTROL if is_control else NORMAL)
        ids.append(len(tokens) - 1)
    return tokens, kinds, ids


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value_bytes(value):
    """A value with its type: text, flag, number, or a list of texts or of numbers."""
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if isinstance(value, bool):
        return struct.pack("<IB", 7, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    of_texts = isinstance(value[0], str)
    head = struct.pack("<IIQ", 9, 8 if of_texts else 5, len(value))
    return head + (b"".join(map(text, value)) if of_texts else struct.pack(f"<{len(value)}i", *value))


def write(path, script, template=CHATML, controls=("<|im_start|>", "<|im_end|>"), eos="<|im_end|>", pre="gpt-2", keys=None):
    """controls: in addition to the script's. keys: further metadata; {name} in one stands for that token's id."""
    tokens, kinds, ids = vocabulary(script, list(dict.fromkeys([*controls, eos])))
    numbers = random.Random(1)
    rows = [[numbers.gauss(0, 1) for _ in range(WIDTH)] for _ in tokens]
    embeddings = [[x / math.hypot(*row) for x in row] for row in rows]
    output = [[0.0] * WIDTH for _ in tokens]
    last = tokens.index(START)
    for following in [*ids, tokens.index(eos)]:
        output[following] = [a + 40 * b for a, b in zip(output[following], embeddings[last], strict=True)]
        last = following
    metadata = {
        "general.architecture": "llama", "general.name": "scripted", "llama.context_length": 4096,
        "llama.embedding_length": WIDTH, "llama.block_count": 1, "llama.feed_forward_length": 32,
        "llama.attention.head_count": 2, "llama.attention.head_count_kv": 1,
        "llama.attention.layer_norm_rms_epsilon": 1e-6, "llama.rope.dimension_count": 32, "llama.rope.freq_base": 10000.0,
        "llama.vocab_size": len(tokens), "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": kinds, "tokenizer.ggml.merges": ["h i"],
        "tokenizer.ggml.eos_token_id": tokens.index(eos), "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": template + "{% if add_generation_prompt %}" + START + "{% endif %}",
    }
    for key, value in (keys or {}).items():
        metadata[key] = tokens.index(value[1:-1]) if isinstance(value, str) and value.startswith("{") else value
    layer = "blk.0."
    tensors = {"token_embd.weight": embeddings, "output.weight": output, "output_norm.weight": [1.0] * WIDTH,
               layer + "attn_norm.weight": [1.0] * WIDTH, layer + "ffn_norm.weight": [1.0] * WIDTH}
    for name, n_rows, n_columns in (("attn_q", WIDTH, WIDTH), ("attn_k", WIDTH // 2, WIDTH), ("attn_v", WIDTH // 2, WIDTH),
                                    ("attn_output", WIDTH, WIDTH), ("ffn_gate", 32, WIDTH), ("ffn_up", 32, WIDTH),
                                    ("ffn_down", WIDTH, 32)):
        tensors[f"{layer}{name}.weight"] = [[0.0] * n_columns] * n_rows
    pathlib.Path(path).write_bytes(gguf(metadata, tensors))
    return path


def gguf(metadata, tensors):
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += text(key) + value_bytes(value)
    data = b""
    for name, rows in tensors.items():
        is_matrix = isinstance(rows[0], list)
        shape = [len(rows[0]), len(rows)] if is_matrix else [len(rows)]
        numbers = [x for row in rows for x in row] if is_matrix else rows
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += struct.pack(f"<{len(numbers)}f", *numbers)
        data += bytes(-len(data) % 32)
    return head + bytes(-len(head) % 32) + data
