// Passes over given texts, as many tokens together as a batch holds, whatever text they belong to. The caller decides
// what becomes of the rows (scores, embeddings). Nothing is generated here.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/function_ref.h"
#include "engine/engine_core.h"

namespace ogas {

struct TextPass {
  std::span<const TokenId> tokens;
  KvSequence* kv = nullptr;           // they continue it; null: one of their own, which is dropped afterwards
  const KvSequence* after = nullptr;  // what comes before them then, shared and not changed; null: nothing
  size_t first_wanted = 0;            // rows of tokens before this one are not wanted
};

// A wanted row of a pass.
struct TextRow {
  size_t text_idx, token_idx;
  uint32_t row;
};

// Whether to stop between two passes.
using IsCancelled = FunctionRef<bool()>;

// Calls take(pass, rows) after each pass that has wanted rows; each is there once, in order. Errors: out_of_memory
// (pages for keys and values), cancelled, io.
using TakeTextRows = std::function<void(const Pass& pass, std::span<const TextRow> rows)>;
Result<> run_texts(EngineCore& core, std::span<const TextPass> texts, IsCancelled is_cancelled,
                   const TakeTextRows& take);

// The same with the logits [n_vocab] of each wanted row, called from any thread, one row by one thread. No more of them
// exist at a time than a small batch's.
using TakeTextLogits = std::function<void(size_t text_idx, size_t token_idx, std::span<const float> logits)>;
Result<> run_texts_to_logits(EngineCore& core, std::span<const TextPass> texts, IsCancelled is_cancelled,
                             const TakeTextLogits& take);

}  // namespace ogas
