#!/usr/bin/env python3
"""What several users of one engine notice, through the C API. Time to first token of a prompt that begins like an earlier
one, in memory and after a restart; tokens a second of all users together; and how long others wait for their next token
during the prefill of a long prompt.

    bench/users.py --model MODEL [--library build/release/libogas.so] [--tokens 4096] [--users 1 8] [--others 1 4] [--json]
    bench/users.py --model MODEL --batch 512 --llama-cpp    the last two also with llama.cpp (needs llama-cpp-python numpy)

Targets: first token of the same prompt again within 5% of the first time, after a restart within 15%; the next token during
a long prompt takes at most twice as long as without. Prompts are random tokens, so models of `ogas synth` will do.

llama.cpp runs in this process, after ogas and through its C API, in the steps of llama-server. One batch holds the next
token of each decoding sequence and then, up to n_batch in total (--batch, or its own 2,048), tokens of prompts. All
sequences share one cache. Sampling is greedy.
"""
import argparse
import ctypes
import json
import os
import pathlib
import random
import statistics
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
N_DECODE = 64  # tokens of each user for the rate of all
TEXT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p)


class EngineOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("n_ctx", ctypes.c_uint32), ("n_batch", ctypes.c_uint32),
                ("n_threads", ctypes.c_uint32), ("n_running", ctypes.c_uint32), ("n_waiting", ctypes.c_uint32),
                ("kv_budget", ctypes.c_uint64), ("kv_type", ctypes.c_char_p), ("chat_template", ctypes.c_char_p),
                ("prefix_folder", ctypes.c_char_p), ("prefix_budget", ctypes.c_uint64)]


class GenerateOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("max_tokens", ctypes.c_uint32), ("ignore_end", ctypes.c_int),
                ("temperature", ctypes.c_float), ("top_k", ctypes.c_uint32),
                *((name, ctypes.c_float) for name in ("typical_p", "top_p", "min_p", "repetition_penalty",
                                                      "frequency_penalty", "presence_penalty")),
                ("penalty_window", ctypes.c_uint32), ("seed", ctypes.c_uint64), ("stop", ctypes.c_void_p),
                ("n_stop", ctypes.c_size_t), ("deadline_seconds", ctypes.c_double), ("priority", ctypes.c_int),
                ("client", ctypes.c_char_p)]


class Stats(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("finish", ctypes.c_int), ("n_prompt", ctypes.c_uint32),
                ("n_cached", ctypes.c_uint32), ("n_generated", ctypes.c_uint32), ("first_token_seconds", ctypes.c_double),
                ("prefill_seconds", ctypes.c_double), ("decode_seconds", ctypes.c_double)]


def size_of(structure):
    return ctypes.c_size_t(ctypes.sizeof(structure))


class Engine:
    def __init__(self, library, options):
        self.library, self.handle = library, ctypes.c_void_p()
        self.check(library.ogas_engine_load(str(options.model).encode(), ctypes.byref(options.engine), None, None,
                                            ctypes.byref(self.handle)))

    def check(self, status):
        if status != 0:
            sys.exit(self.library.ogas_last_error().decode())

    def answer(self, tokens, n, on_text=None):
        """Stats of an answer of n tokens."""
        session = ctypes.c_void_p()
        self.check(self.library.ogas_session_new(self.handle, ctypes.byref(session)))
        generate = GenerateOptions()
        self.check(self.library.ogas_generate_options_init(self.handle, ctypes.byref(generate), size_of(GenerateOptions)))
        generate.max_tokens, generate.ignore_end, generate.temperature = n, 1, 0
        ids = (ctypes.c_int32 * len(tokens))(*tokens)
        callback = TEXT(lambda *_: on_text() or 0) if on_text else TEXT()
        self.check(self.library.ogas_generate(session, ids, ctypes.c_size_t(len(tokens)), ctypes.byref(generate),
                                              callback, None))
        stats = Stats()
        self.check(self.library.ogas_session_stats(session, ctypes.byref(stats), size_of(Stats)))
        self.library.ogas_session_free(session)
        return stats

    def close(self):
        self.library.ogas_engine_free(self.handle)


def measure_prefix(library, options, tokens):
    with tempfile.TemporaryDirectory() as folder:
        options.engine.prefix_folder, options.engine.prefix_budget = folder.encode(), 1 << 40
        engine = Engine(library, options)
        engine.answer(tokens[1:41], 2)  # what a first request has to set up
        cold = engine.answer(tokens, 2)
        warm = engine.answer(tokens, 2)
        pages = list(pathlib.Path(folder).rglob("*.page"))
        while len(pages) < len(tokens) // 64:  # written in the background
            time.sleep(0.1)
            pages = list(pathlib.Path(folder).rglob("*.page"))
        stored = sum(page.stat().st_size for page in pages)
        engine.close()
        options.engine.prefix_folder, options.engine.prefix_budget = folder.encode(), 1 << 40
        engine = Engine(library, options)
        engine.answer(tokens[1:41], 2)
        restored = engine.answer(tokens, 2)
        engine.close()
        options.engine.prefix_folder, options.engine.prefix_budget = None, 0
    assert cold.n_cached == 0 and warm.n_cached >= restored.n_cached > 0
    return {"tokens": len(tokens), "cold_s": cold.first_token_seconds, "memory_s": warm.first_token_seconds,
            "restart_s": restored.first_token_seconds, "bytes_on_disk": stored}


def measure_rate(library, options, tokens, n_users):
    """Tokens a second of users who all decode, at the start of a context."""
    engine = Engine(library, options)
    engine.answer(tokens[:40], 2)
    stats = [None] * n_users

    def decode(idx):
        stats[idx] = engine.answer(tokens[2 * idx:2 * idx + 2], N_DECODE)

    users = [threading.Thread(target=decode, args=(idx,)) for idx in range(n_users)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join()
    engine.close()
    return {"users": n_users, "tokens_per_s": sum((one.n_generated - 1) / one.decode_seconds for one in stats)}


def gaps(times, begin, until):
    return [b - a for one in times for a, b in zip(one, one[1:]) if begin <= a and b <= until]


def stall_of(times, start, end, n_prompt):
    without, during = gaps(times, start - 1, start) or gaps(times, 0, start), gaps(times, start, end)
    return {"others": len(times), "without_s": statistics.mean(without), "with_s": statistics.mean(during),
            "with_worst_s": max(during), "prompt_s": end - start, "prompt_tokens": n_prompt}


def measure_stall(library, options, tokens, n_others):
    """Inter-token latencies of other users, without and with the long prompt."""
    engine = Engine(library, options)
    stopping, times = threading.Event(), [[] for _ in range(n_others)]

    def decode(idx):
        def on_text():
            times[idx].append(time.monotonic())
            return 1 if stopping.is_set() else 0
        engine.answer(tokens[idx + 1:idx + 33], 100000 if options.engine.n_ctx == 0 else options.engine.n_ctx - 64, on_text)

    others = [threading.Thread(target=decode, args=(idx,)) for idx in range(n_others)]
    for thread in others:
        thread.start()
    while any(len(one) < 40 for one in times):
        time.sleep(0.01)
    start = time.monotonic()
    stats = engine.answer(tokens, 1)
    end = time.monotonic()
    time.sleep(1)
    stopping.set()
    for thread in others:
        thread.join()
    engine.close()
    return stall_of(times, start, end, stats.n_prompt)


class LlamaCpp:
    """llama.cpp's parallel mode. Each sequence has the tokens to compute next, the position of the first of them, and the
    times of its answer's tokens."""

    def __init__(self, peer, model, options, n_parallel):
        self.ll, self.np, self.model = peer.ll, peer.np, model
        self.n_batch = options.batch or 2048
        params = self.ll.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = options.engine.n_ctx, n_parallel, True
        params.n_batch, params.n_ubatch = self.n_batch, min(self.n_batch, 512)
        params.n_threads = params.n_threads_batch = len(os.sched_getaffinity(0))
        self.handle = self.ll.llama_init_from_model(model.handle, params)
        if not self.handle:
            sys.exit("llama.cpp makes no context")
        self.batch = self.ll.llama_batch_init(self.n_batch, 0, n_parallel)
        self.tokens = [[] for _ in range(n_parallel)]
        self.positions = [0] * n_parallel
        self.times = [[] for _ in range(n_parallel)]

    def submit(self, idx, prompt):
        self.tokens[idx] = list(prompt)

    def step(self):
        batch, ends = self.batch, {}
        batch.n_tokens = 0
        # A stable sort: decoding sequences, with one token to compute, come first.
        for idx in sorted(range(len(self.tokens)), key=lambda idx: not self.times[idx]):
            part = self.tokens[idx][:self.n_batch - batch.n_tokens]
            del self.tokens[idx][:len(part)]
            for token in part:
                row = batch.n_tokens
                batch.token[row], batch.pos[row], batch.logits[row] = token, self.positions[idx], 0
                batch.n_seq_id[row], batch.seq_id[row][0] = 1, idx
                batch.n_tokens += 1
                self.positions[idx] += 1
            if part and not self.tokens[idx]:
                ends[idx] = batch.n_tokens - 1
                batch.logits[ends[idx]] = 1
        if (status := self.ll.llama_decode(self.handle, batch)) != 0:
            sys.exit(f"llama_decode: {status}")
        for idx, row in ends.items():
            logits = self.np.ctypeslib.as_array(self.ll.llama_get_logits_ith(self.handle, row), (self.model.n_vocab,))
            self.tokens[idx] = [int(logits.argmax())]
            self.times[idx].append(time.monotonic())

    def close(self):
        self.ll.llama_batch_free(self.batch)
        self.ll.llama_free(self.handle)


def measure_llama_cpp(options, tokens):
    sys.path.insert(0, str(ROOT / "tools"))
    import llama_cpp_peer as peer
    model = peer.Model(options.model)

    def rate(n_users):
        server = LlamaCpp(peer, model, options, n_users)
        for idx in range(n_users):
            server.submit(idx, tokens[2 * idx:2 * idx + 2])
        for _ in range(N_DECODE):
            server.step()
        server.close()
        first, last = server.times[0][0], server.times[0][-1]
        return {"users": n_users, "tokens_per_s": n_users * (N_DECODE - 1) / (last - first)}

    def stall(n_others):
        server = LlamaCpp(peer, model, options, n_others + 1)
        for idx in range(n_others):
            server.submit(idx, tokens[idx + 1:idx + 33])
        begin = time.monotonic()
        while len(server.times[0]) < 40 or time.monotonic() < begin + 2:
            server.step()
        server.submit(n_others, tokens)
        start = min(one[-1] for one in server.times[:n_others])  # between two steps: the next gaps are during the prompt
        while not server.times[n_others]:
            server.step()
        server.close()
        return stall_of(server.times[:n_others], start, server.times[n_others][0], len(tokens))

    result = {"decoding": [rate(n) for n in options.users], "with_a_prompt": [stall(n) for n in options.others]}
    model.close()
    return result


def print_figures(name, figures):
    for one in figures["decoding"]:
        print(f"{name}: {one['users']} decoding: {one['tokens_per_s']:.1f} tokens/s together")
    for one in figures["with_a_prompt"]:
        print(f"{name}: {one['others']} decoding: {1000 * one['without_s']:.0f} ms a token; during a prompt of "
              f"{one['prompt_tokens']} tokens {1000 * one['with_s']:.0f} ms "
              f"({one['with_s'] / one['without_s']:.2f} times, worst {1000 * one['with_worst_s']:.0f} ms), which "
              f"takes {one['prompt_s']:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--library", default=str(ROOT / "build/release/libogas.so"))
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8], help="who decode at once")
    parser.add_argument("--others", type=int, nargs="+", default=[1, 4], help="who decode during the long prompt")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--llama-cpp", action="store_true", help="also with llama.cpp")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    library = ctypes.CDLL(options.library)
    library.ogas_last_error.restype = ctypes.c_char_p
    # The defaults are as if every field but the size were zero.
    options.engine = EngineOptions(size=ctypes.sizeof(EngineOptions), n_ctx=options.tokens + 4096, n_batch=options.batch)
    generator = random.Random(1)
    tokens = [generator.randrange(1000, 30000) for _ in range(options.tokens)]
    result = {"model": options.model.name, "prefix": measure_prefix(library, options, tokens),
              "decoding": [measure_rate(library, options, tokens, n) for n in options.users],
              "with_a_prompt": [measure_stall(library, options, tokens, n) for n in options.others]}
    if options.llama_cpp:
        result["llama.cpp"] = measure_llama_cpp(options, tokens)
    if options.json:
        return print(json.dumps(result, indent=2))
    prefix = result["prefix"]
    print(f"{result['model']}: first token of {prefix['tokens']} tokens {prefix['cold_s']:.2f} s; again "
          f"{prefix['memory_s']:.3f} s ({100 * prefix['memory_s'] / prefix['cold_s']:.1f}%); after a restart "
          f"{prefix['restart_s']:.3f} s ({100 * prefix['restart_s'] / prefix['cold_s']:.1f}%), from "
          f"{prefix['bytes_on_disk'] / 1e6:.0f} MB")
    print_figures("ogas", result)
    if options.llama_cpp:
        print_figures("llama.cpp", result["llama.cpp"])


if __name__ == "__main__":
    main()
