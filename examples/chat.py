#!/usr/bin/env python3
"""A conversation through ctypes: chat.py MODEL.gguf [SCHEMA.json], then one message a line. With a JSON Schema, each
answer is JSON that satisfies it. OGAS_LIBRARY may name libogas.so.1."""

import ctypes
import os
import sys
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_double, c_float, c_int, c_size_t, c_uint32, c_uint64, c_void_p, sizeof

ogas = ctypes.CDLL(os.environ.get("OGAS_LIBRARY", "libogas.so.1"))
ABI_VERSION = 1  # what the structs below are written for


class GenerateOptions(ctypes.Structure):  # up to the last one that is used here
    _fields_ = [("size", c_size_t), ("max_tokens", c_uint32), ("ignore_eos", c_int), ("temperature", c_float),
                ("top_k", c_uint32), ("typical_p", c_float), ("top_p", c_float), ("min_p", c_float),
                ("repetition_penalty", c_float), ("frequency_penalty", c_float), ("presence_penalty", c_float),
                ("repeat_last_n", c_uint32), ("seed", c_uint64), ("stop", POINTER(c_char_p)), ("n_stop", c_size_t),
                ("deadline_seconds", c_double), ("priority", c_int), ("client", c_char_p),
                ("logit_bias", c_void_p), ("n_logit_bias", c_size_t), ("banned_tokens", c_void_p),
                ("n_banned_tokens", c_size_t), ("required_tokens", c_void_p), ("n_required_tokens", c_size_t),
                ("dry_multiplier", c_float), ("dry_base", c_float), ("dry_allowed_length", c_uint32),
                ("dry_penalty_last_n", c_uint32), ("dry_sequence_breakers", c_void_p),
                ("n_dry_sequence_breakers", c_size_t), ("logprobs", c_int), ("n_top_logprobs", c_uint32),
                ("xtc_probability", c_float), ("xtc_threshold", c_float), ("mirostat", c_uint32),
                ("mirostat_tau", c_float), ("mirostat_eta", c_float), ("context_shift", c_int), ("n_keep", c_size_t),
                ("splits_reply", c_int), ("tools", c_char_p), ("on_reasoning", c_void_p), ("json_schema", c_char_p)]


class Stats(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("finish", c_int), ("n_prompt", c_uint32), ("n_cached", c_uint32),
                ("n_generated", c_uint32), ("first_token_seconds", c_double), ("prefill_seconds", c_double),
                ("decode_seconds", c_double)]


TextCallback = CFUNCTYPE(c_int, c_char_p, c_size_t, c_void_p)
ogas.ogas_last_error.restype = c_char_p
ogas.ogas_generate_options_init.argtypes = [c_void_p, POINTER(GenerateOptions), c_size_t]
ogas.ogas_session_new.argtypes = [c_void_p, POINTER(c_void_p)]
ogas.ogas_chat.argtypes = [c_void_p, c_char_p, POINTER(GenerateOptions), TextCallback, c_void_p]
ogas.ogas_session_stats.argtypes = [c_void_p, POINTER(Stats), c_size_t]
for function in (ogas.ogas_session_free, ogas.ogas_engine_free):
    function.argtypes, function.restype = [c_void_p], None


def check(status):
    if status != 0:
        sys.exit(f"chat.py: {ogas.ogas_last_error().decode()}")


@TextCallback
def show(text, n_bytes, user):
    print(text.decode(), end="", flush=True)
    return 0


def main():
    if ogas.ogas_abi_version() != ABI_VERSION:
        sys.exit(f"chat.py is written for ABI version {ABI_VERSION}, the library has {ogas.ogas_abi_version()}")
    engine, session, options, stats = c_void_p(), c_void_p(), GenerateOptions(), Stats()
    check(ogas.ogas_engine_load(os.fsencode(sys.argv[1]), None, None, None, byref(engine)))
    check(ogas.ogas_session_new(engine, byref(session)))
    check(ogas.ogas_generate_options_init(engine, byref(options), sizeof(options)))
    options.temperature = 0  # always the likeliest token, so that the answer is the same every time
    options.max_tokens = 100
    if len(sys.argv) > 2:
        with open(sys.argv[2], "rb") as schema:
            options.json_schema = schema.read()
    for line in sys.stdin:
        check(ogas.ogas_chat(session, line.rstrip("\n").encode(), options, show, None))
        check(ogas.ogas_session_stats(session, byref(stats), sizeof(stats)))
        print(f"\n({stats.n_prompt} + {stats.n_generated} tokens, {stats.n_cached} remembered)", file=sys.stderr)
        print(flush=True)
    ogas.ogas_session_free(session)
    ogas.ogas_engine_free(engine)


main()
