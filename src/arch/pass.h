// The result of a forward pass: logits of the rows that asked for them, and more of any row while the pass lives.
//
//   const Pass pass = OGAS_TRY(model.forward(exec, parts));
//   sample(pass.logits(0));
//   const auto drafts = OGAS_TRY(pass.draft({.part_idx = 0, .tokens = {&sampled, 1}}));
//
// A Pass is a view of the model's buffers, so that a decode step does not allocate. It lives until the model's next
// forward(); using it later is a broken invariant and ends the program. The Exec and the sequences of the batch must
// outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "nn/kv_cache.h"
#include "ops/exec.h"
#include "ops/row_kind.h"
#include "text/vocab.h"

namespace ogas {

// Consecutive tokens of one sequence.
struct BatchPart {
  std::span<const TokenId> tokens;  // [n]
  KvSequence* kv = nullptr;         // holds the positions before them, and receives theirs
  RowKind kind = RowKind::prefill;
  uint32_t n_logits = 1;  // of how many of its last tokens logits are wanted: 0 to n
};

// Tokens computed together: parts of different sequences. Their rows are numbered in this order.
using Batch = std::span<const BatchPart>;

// Input of the MTP head for the first n rows of a part.
struct DraftPart {
  size_t part_idx = 0;              // in the batch of the pass
  std::span<const TokenId> tokens;  // [n]: the token that follows each of these rows
  uint32_t n_logits = 1;            // of how many of the last ones logits are wanted: 0 to n
};

// What a model offers about its last pass. All spans are valid until the next call of the same function.
class PassSource {
 public:
  virtual std::span<const float> hidden_of(Exec& exec, std::span<const uint32_t> rows) = 0;
  virtual std::span<const float> logits_of(Exec& exec, std::span<const uint32_t> rows) = 0;
  virtual Result<std::span<const float>> draft(Exec& exec, std::span<const DraftPart> parts) = 0;

  uint64_t pass_number() const { return pass_number_; }

 protected:
  ~PassSource() = default;
  uint64_t pass_number_ = 0;  // forward() counts it up
};

class Pass {
 public:
  // logits: [logits_ends.back(), n_vocab]; logits_ends: [parts] where the rows of each part end in them.
  Pass(PassSource& source, Exec& exec, size_t n_rows, std::span<const float> logits,
       std::span<const uint32_t> logits_ends);

  size_t n_rows() const { return n_rows_; }
  size_t n_parts() const { return logits_ends_.size(); }
  // [n, n_vocab] of all rows that asked for them, in the order of the batch; and those of one part.
  std::span<const float> logits() const;
  std::span<const float> logits(size_t part_idx) const;
  // Of any rows, in any order: hidden states after the final norm [n, n_embd], or logits [n, n_vocab]. Valid until the
  // next call of the same function.
  std::span<const float> hidden_of(std::span<const uint32_t> rows) const;
  std::span<const float> logits_of(std::span<const uint32_t> rows) const;
  // What the MTP head says of the token after `tokens`: logits [n, n_vocab] of the rows that ask for them, in order.
  // Writes the head's own KV cache at the rows' positions. The model must have a head (ModelFacts::n_mtp), and parts
  // must differ. Valid until the next call. Errors: io.
  Result<std::span<const float>> draft(std::span<const DraftPart> parts) const;
  Result<std::span<const float>> draft(const DraftPart& part) const { return draft({&part, 1}); }

 private:
  void check_current() const;

  PassSource* source_;
  Exec* exec_;
  uint64_t number_;
  size_t n_rows_;
  std::span<const float> logits_;
  std::span<const uint32_t> logits_ends_;
};

}  // namespace ogas
