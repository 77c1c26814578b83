// Forward passes of a loaded model over sessions.
#pragma once

#include <span>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "engine/loaded_model.h"
#include "engine/session.h"

namespace ogas {

class ModelRunner {
 public:
  // The model must outlive this.
  explicit ModelRunner(LoadedModel& model) : model_(model) {}

  // Computes items of different sessions, which hold their tokens afterwards. There must be free pages for them. The
  // pass gives logits of the rows that want them. Errors: io, where weights are read from disk; the sessions are then
  // as they were.
  Result<Pass> compute(std::span<const BatchItem> items);
  // The same with sequences of pages alone. Errors: io; the sequences are then to be given up.
  Result<Pass> forward(Batch batch);
  Result<Pass> forward(const BatchPart& part) { return forward(Batch(&part, 1)); }
  // Calls take(idx, logits [n_vocab]) for each of these rows of a pass, from any thread, one row by one thread. No more
  // of these logits exist at a time than a small batch's.
  using TakeLogits = FunctionRef<void(size_t idx, std::span<const float> logits)>;
  void for_logits_of(const Pass& pass, std::span<const uint32_t> rows, TakeLogits take);
  // Where experts are on disk, as MemoryLimit::follow(). Passes do so themselves.
  void follow_memory_limit();

 private:
  LoadedModel& model_;
  std::vector<BatchPart> batch_;  // of compute(), kept for its capacity
};

}  // namespace ogas
