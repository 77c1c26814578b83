// Logits of all tokens of a text, for tests, comparisons and measurements.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"
#include "ops/row_kind.h"
#include "text/vocab.h"

namespace ogas {

class Engine;

// row(idx, logits [n_vocab]) for every position in order.
using TakeLogitsRow = std::function<void(size_t idx, std::span<const float> logits)>;

// Logits after each of the tokens, from an empty context. batch: how many are computed together (0: n_batch); the
// result does not depend on it. Errors: usage (no token, one out of range, more than the context), out_of_memory, io.
Result<> compute_logits(Engine& engine, std::span<const TokenId> tokens, uint32_t batch, const TakeLogitsRow& row,
                        RowKind kind = RowKind::prefill);
// The same of the MTP head, for all tokens but the last: row idx is what it says once token idx + 1 is known. Errors:
// the same, and usage where the model has none (facts().n_mtp) or fewer than two tokens are given.
Result<> compute_mtp_logits(Engine& engine, std::span<const TokenId> tokens, uint32_t batch, const TakeLogitsRow& row);

}  // namespace ogas
