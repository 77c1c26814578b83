"""llama.cpp as a peer: logits of a GGUF file through the C API, for the scripts here that make goldens.

Not a program and not a wrapper for general use: CPU only, one sequence, no sampling. bench/peers.py times it.
Needs: llama-cpp-python numpy
"""
import ctypes
import time

import llama_cpp as ll
import numpy as np

KV_TYPES = {"f32": 0, "f16": 1}  # ggml_type

_errors = []


@ll.llama_log_callback
def _keep_errors(level, text, _user_data):
    if level >= 4:  # GGML_LOG_LEVEL_ERROR
        _errors.append(text.decode(errors="replace"))


ll.llama_log_set(_keep_errors, ctypes.c_void_p(0))
ll.llama_backend_init()


class Model:
    """repacks: whether it may copy weights into other layouts."""

    def __init__(self, path, repacks=True):
        params = ll.llama_model_default_params()
        params.use_extra_bufts = repacks
        params.n_gpu_layers = 0
        self.handle = ll.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            raise RuntimeError(f"llama.cpp does not load {path}: {''.join(_errors[-3:])}")
        self.vocab = ll.llama_model_get_vocab(self.handle)
        self.n_vocab = ll.llama_vocab_n_tokens(self.vocab)
        self.add_bos = bool(ll.llama_vocab_get_add_bos(self.vocab))
        self.bos = ll.llama_vocab_bos(self.vocab)

    def tokenize(self, text, parse_special=False):
        """Token ids, with BOS where the file asks for it."""
        raw = text.encode()
        ids = (ll.llama_token * (len(raw) + 2))()
        n = ll.llama_tokenize(self.vocab, raw, len(raw), ids, len(ids), True, parse_special)
        if n < 0:
            raise RuntimeError(f"llama_tokenize: {n}")
        return list(ids[:n])

    def close(self):
        ll.llama_model_free(self.handle)


class Context:
    """One sequence that grows with every eval(). flash_attn: True, False, or -1, which leaves it to llama.cpp."""

    def __init__(self, model, n_ctx=2048, n_batch=512, n_threads=2, flash_attn=False, kv="f16"):
        params = ll.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = n_ctx, n_batch, n_batch, 1
        params.n_threads = params.n_threads_batch = n_threads
        params.flash_attn_type = int(flash_attn)
        params.type_k = params.type_v = KV_TYPES[kv]
        self.model, self.n_batch, self.n_past = model, n_batch, 0
        self.handle = ll.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise RuntimeError(f"llama.cpp makes no context: {''.join(_errors[-3:])}")
        self.batch = ll.llama_batch_init(n_batch, 0, 1)

    def clear(self):
        ll.llama_memory_clear(ll.llama_get_memory(self.handle), True)
        self.n_past = 0

    def eval(self, tokens, batch=None, last_only=False):
        """Logits [n, n_vocab] after each token ([1, n_vocab] if last_only), computed `batch` tokens at a time."""
        rows = []
        step = min(batch or self.n_batch, self.n_batch)
        for begin in range(0, len(tokens), step):
            rows.append(self._decode(tokens[begin:begin + step], last_only))
        return rows[-1] if last_only else np.concatenate(rows)

    def time_decode(self, tokens, last_only=False):
        """Seconds that llama_decode takes for these tokens, at most n_batch; their logits stay where they are."""
        self._fill(tokens, last_only)
        start = time.perf_counter()
        self._run()
        ll.llama_synchronize(self.handle)
        return time.perf_counter() - start

    def _fill(self, part, last_only):
        b = self.batch
        b.n_tokens = len(part)
        for i, token in enumerate(part):
            b.token[i], b.pos[i], b.n_seq_id[i], b.seq_id[i][0] = token, self.n_past + i, 1, 0
            b.logits[i] = i == len(part) - 1 or not last_only

    def _run(self):
        rc = ll.llama_decode(self.handle, self.batch)
        if rc != 0:
            raise RuntimeError(f"llama_decode: {rc}: {''.join(_errors[-3:])}")
        self.n_past += self.batch.n_tokens

    def _decode(self, part, last_only):
        self._fill(part, last_only)
        self._run()
        n_rows = 1 if last_only else len(part)
        flat = np.ctypeslib.as_array(ll.llama_get_logits(self.handle), (n_rows * self.model.n_vocab,))
        return flat.reshape(n_rows, -1).copy()

    def close(self):
        ll.llama_batch_free(self.batch)
        ll.llama_free(self.handle)
