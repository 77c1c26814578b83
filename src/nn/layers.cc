#include "nn/layers.h"

#include <cmath>

#include "base/check.h"

namespace ogas {

void rms_norm(Exec& exec, const Matrix& x, size_t n_tokens, std::span<const float> weight, float eps,
              const Activations& y) {
  OGAS_CHECK(weight.size() == x.n_cols() && y.values().n_cols() == x.n_cols(), "{} weights for {} columns",
             weight.size(), x.n_cols());
  exec.pool.parallel_for(n_tokens, [&](size_t t, unsigned) {
    exec.ops.rms_norm(x.row(t), weight.data(), eps, x.n_cols(), y.row(t));
    y.quantize_row(exec.ops, t);
  });
}

void swiglu(Exec& exec, const Activations& gate, const Matrix& up, size_t n_tokens) {
  exec.pool.parallel_for(n_tokens, [&](size_t t, unsigned) {
    exec.ops.swiglu(gate.row(t), up.row(t), up.n_cols());
    gate.quantize_row(exec.ops, t);
  });
}

void add(Exec& exec, const Matrix& y, const Matrix& x, size_t n_tokens) {
  exec.pool.parallel_for(n_tokens, [&](size_t t, unsigned) { exec.ops.add(y.row(t), x.row(t), x.n_cols()); });
}

namespace {

// Rotates one token's queries and keys and puts its keys and values into the cache.
void rotate_and_store(const Ops& ops, const AttentionArgs& args, size_t t) {
  const KvShape& shape = args.kv.shape();
  args.rope.rotate(ops, args.q.row(t), args.n_head, shape.head_dim, args.cos_sin.row(t));
  args.rope.rotate(ops, args.k.row(t), shape.n_head_kv, shape.head_dim, args.cos_sin.row(t));
  for (size_t h = 0; h < shape.n_head_kv; ++h) {
    ops.store(args.k.row(t) + h * shape.head_dim, shape.head_dim, shape.format,
              args.kv.k(args.layer_idx, h, args.position + t));
    ops.store(args.v.row(t) + h * shape.head_dim, shape.head_dim, shape.format,
              args.kv.v(args.layer_idx, h, args.position + t));
  }
}

}  // namespace

void attend(Exec& exec, const AttentionArgs& args) {
  const KvShape& shape = args.kv.shape();
  const size_t group = args.n_head / shape.n_head_kv;
  OGAS_CHECK(args.kv.n_positions() >= args.position + args.n_tokens, "{} positions, {} needed", args.kv.n_positions(),
             args.position + args.n_tokens);
  exec.pool.parallel_for(args.n_tokens, [&](size_t t, unsigned) { rotate_and_store(exec.ops, args, t); });

  // Longest rows first, so that the last chunks to be handed out are the short ones.
  const size_t n_chunks = args.n_tokens * shape.n_head_kv;
  exec.pool.parallel_for(n_chunks, [&](size_t chunk_idx, unsigned) {
    // Declared where each thread passes: only then does it free its own at its end.
    thread_local std::vector<float> scores;
    const size_t t = args.n_tokens - 1 - chunk_idx / shape.n_head_kv;
    const size_t h = chunk_idx % shape.n_head_kv;
    scores.resize(group * KvShape::kPagePositions);
    exec.ops.attend({.q = args.q.row(t) + h * group * shape.head_dim,
                     .n_heads = group,
                     .head_dim = shape.head_dim,
                     .n_positions = args.position + t + 1,
                     .pages = args.kv.pages().data(),
                     .page_size = KvShape::kPagePositions,
                     .k_offset = shape.k_offset(args.layer_idx, h),
                     .v_offset = shape.v_offset(args.layer_idx, h),
                     .kv_format = shape.format,
                     .scale = 1 / std::sqrt(static_cast<float>(shape.head_dim)),
                     .out = args.out.row(t) + h * group * shape.head_dim,
                     .scores = scores.data()});
  });
  exec.pool.parallel_for(args.n_tokens, [&](size_t t, unsigned) { args.out.quantize_row(exec.ops, t); });
}

}  // namespace ogas
