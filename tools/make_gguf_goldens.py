#!/usr/bin/env python3
"""Small GGUF files written by PyPI's `gguf`, and what is in them (pip install gguf numpy).

    make_gguf_goldens.py OUT_FOLDER

Writes single.gguf (every value type, several formats, alignment 64), split-0000N-of-00003.gguf (the writer's own
splitting) and expected.json: of each model every key with its types and value, and every tensor with its format, shape
(outermost first), bytes in hexadecimal, and first and last value.
"""
import argparse
import json
import pathlib

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, quants

TYPES = ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"]


def add_keys(writer):
    writer.add_uint8("test.u8", 2**8 - 1)
    writer.add_int8("test.i8", -(2**7))
    writer.add_uint16("test.u16", 2**16 - 1)
    writer.add_int16("test.i16", -(2**15))
    writer.add_uint32("test.u32", 2**32 - 1)
    writer.add_int32("test.i32", -(2**31))
    writer.add_float32("test.f32", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "Größe ≠ 0")
    writer.add_uint64("test.u64", 2**64 - 1)
    writer.add_int64("test.i64", -(2**63))
    writer.add_float64("test.f64", 0.1)
    writer.add_array("test.strings", ["", "a", "zwölf"])
    writer.add_array("test.ints", [-1, 0, 2**31 - 1])
    writer.add_array("test.floats", [0.5, -1.25, 0.1])
    writer.add_array("test.bools", [True, False])
    writer.add_key_value("test.u64s", [0, 2**63 - 1], GGUFValueType.ARRAY, sub_type=GGUFValueType.UINT64)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(["<|endoftext|>", "a", "b", "ab"])
    writer.add_token_types([3, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template("{{ messages[0].content }}")


def add_tensors(writer, rng):
    def values(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    writer.add_tensor("token_embd.weight", values(4, 32).astype(np.float16))
    writer.add_tensor("output_norm.weight", values(5))
    for name, quant in (("blk.0.attn_q.weight", "Q4_1"), ("blk.0.attn_k.weight", "Q8_0"), ("blk.0.attn_v.weight", "BF16")):
        number = GGMLQuantizationType[quant]
        writer.add_tensor(name, quants.quantize(values(3, 64), number), raw_dtype=number)
    writer.add_tensor("blk.0.experts.weight", values(2, 3, 2, 4))


def write(path, alignment=None, **options):
    writer = GGUFWriter(path, "llama", **options)
    add_keys(writer)
    if alignment:
        writer.add_custom_alignment(alignment)
    add_tensors(writer, np.random.default_rng(1))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def plain(value):
    if isinstance(value, list):
        return [plain(element) for element in value]
    return value.item() if isinstance(value, np.generic) else value


def describe_keys(reader):
    keys = {}
    for name, field in reader.fields.items():
        if name.startswith("GGUF."):
            continue
        types = [TYPES[value_type] for value_type in field.types]
        keys[name] = {"types": types, "value": plain(field.contents())}
    return keys


def describe_tensors(reader):
    tensors = {}
    for tensor in reader.tensors:
        decoded = quants.dequantize(tensor.data, tensor.tensor_type).reshape(-1)
        tensors[tensor.name] = {
            "format": tensor.tensor_type.name,
            "shape": [int(dim) for dim in reversed(tensor.shape)],
            "bytes": tensor.data.tobytes().hex(),
            "first": float(decoded[0]),
            "last": float(decoded[-1]),
        }
    return tensors


def describe(paths):
    readers = [GGUFReader(path) for path in paths]
    tensors = {}
    for reader in readers:
        tensors.update(describe_tensors(reader))
    return {"keys": describe_keys(readers[0]), "tensors": tensors}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out_folder", type=pathlib.Path)
    folder = parser.parse_args().out_folder
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "single.gguf", alignment=64)
    write(folder / "split.gguf", split_max_tensors=2)
    expected = {"single.gguf": describe([folder / "single.gguf"]),
                "split-00001-of-00003.gguf": describe(sorted(folder.glob("split-*.gguf")))}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
