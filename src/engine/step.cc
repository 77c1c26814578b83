#include "engine/step.h"

#include <chrono>

namespace ogas {

Result<StepCost> StepRunner::run(std::span<Sequence* const> sequences) {
  items_.clear();
  StepCost cost;
  for (const Sequence* sequence : sequences) {
    items_.push_back(sequence->planned());
    cost.n_rows += sequence->planned().tokens.size();
  }
  const auto start = std::chrono::steady_clock::now();
  const Pass pass = OGAS_TRY(runner_.compute(items_));
  cost.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  size_t row = 0;
  for (size_t idx = 0; idx < sequences.size(); ++idx) {
    const size_t n = items_[idx].tokens.size();
    sequences[idx]->add_cost(cost.share_of(n));
    if (sequences[idx]->wants_prompt_logprobs()) sequences[idx]->take_prompt_rows(pass, row, n);
    row += n;
  }
  for (size_t idx = 0; idx < sequences.size(); ++idx) sequences[idx]->take(pass.logits(idx));
  return cost;
}

}  // namespace ogas
