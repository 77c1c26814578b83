// One step of computing: the next tokens of some sequences in one pass, whose logits each of them takes. All answers
// are made of these, those of Engine::generate and those of the Scheduler.
#pragma once

#include <span>
#include <vector>

#include "engine/sequence.h"

namespace ogas {

class StepRunner {
 public:
  explicit StepRunner(ModelRunner& runner) : runner_(runner) {}

  // Computes what Sequence::plan() chose last for each of them, and has each take its logits and its share of the cost.
  // There must be free pages for them. Returns what the pass cost. Errors: those of the pass (io); no sequence has
  // taken anything then.
  Result<StepCost> run(std::span<Sequence* const> sequences);

 private:
  ModelRunner& runner_;
  std::vector<BatchItem> items_;  // kept for its capacity: steps do not allocate
};

}  // namespace ogas
