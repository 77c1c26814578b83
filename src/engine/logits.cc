#include "engine/logits.h"

#include <algorithm>

#include "engine/engine.h"
#include "engine/engine_core.h"

namespace ogas {
namespace {

// The logits [n, n_vocab] of tokens begin..begin + n, whose part of the KV cache goes into the sequence.
using ComputeRows = FunctionRef<Result<std::span<const float>>(size_t begin, size_t n, KvSequence& kv)>;

// n_rows rows of logits from an empty context, `batch` at a time (0: n_batch).
Result<> compute_rows(EngineCore& core, size_t n_rows, uint32_t batch, ComputeRows compute_some,
                      const TakeLogitsRow& row) {
  const size_t n_vocab = core.facts().n_vocab;
  const size_t n_batch = batch > 0 ? batch : core.options().n_batch;
  KvSequence kv(core.kv.cache());
  for (size_t begin = 0; begin < n_rows; begin += n_batch) {
    const size_t n = std::min(n_batch, n_rows - begin);
    OGAS_TRY(core.kv.reserve_positions(kv, n));
    const auto logits = OGAS_TRY(compute_some(begin, n, kv));
    for (size_t idx = 0; idx < n; ++idx) row(begin + idx, logits.subspan(idx * n_vocab, n_vocab));
  }
  return {};
}

}  // namespace

Result<> compute_logits(Engine& engine, std::span<const TokenId> tokens, uint32_t batch, const TakeLogitsRow& row,
                        RowKind kind) {
  EngineCore& core = engine.core();
  OGAS_TRY(core.model.check_tokens(tokens));
  const auto compute = [&](size_t begin, size_t n, KvSequence& kv) -> Result<std::span<const float>> {
    const BatchPart part{
        .tokens = tokens.subspan(begin, n), .kv = &kv, .kind = kind, .n_logits = static_cast<uint32_t>(n)};
    return OGAS_TRY(core.runner.forward(part)).logits();
  };
  return compute_rows(core, tokens.size(), batch, compute, row);
}

Result<> compute_mtp_logits(Engine& engine, std::span<const TokenId> tokens, uint32_t batch, const TakeLogitsRow& row) {
  EngineCore& core = engine.core();
  OGAS_TRY(core.model.check_tokens(tokens));
  if (core.facts().n_mtp == 0) return fail(ErrorCode::usage, "the model has no MTP head");
  if (tokens.size() < 2) return fail(ErrorCode::usage, "the MTP head needs two tokens or more");
  const auto compute = [&](size_t begin, size_t n, KvSequence& kv) -> Result<std::span<const float>> {
    const Pass pass =
        OGAS_TRY(core.runner.forward(BatchPart{.tokens = tokens.subspan(begin, n), .kv = &kv, .n_logits = 0}));
    return pass.draft({.tokens = tokens.subspan(begin + 1, n), .n_logits = static_cast<uint32_t>(n)});
  };
  return compute_rows(core, tokens.size() - 1, batch, compute, row);
}

}  // namespace ogas
