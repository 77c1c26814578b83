#include "engine/memory_limit.h"

#include <utility>

#include "base/log.h"
#include "base/memory.h"

namespace ogas {

MemoryLimit::MemoryLimit(const MemoryPlan& plan, MemoryWatch watch)
    : watch_(std::move(watch)),
      expert_bytes_(plan.expert_bytes),
      other_bytes_(plan.weight_bytes + plan.context_bytes + plan.batch_bytes + plan.other_bytes),
      budget_(plan.expert_bytes) {}

void MemoryLimit::follow(ExpertStore& experts) {
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < std::chrono::seconds(1)) return;
  looked_ = now;
  follow_now(experts);
}

// All but experts keeps what it was promised: pages of keys and values cannot be taken back, nor weights.
void MemoryLimit::follow_now(ExpertStore& experts) {
  const auto allowance = watch_.look();
  uint64_t budget = expert_bytes_;
  if (allowance && allowance->n_bytes < other_bytes_ + expert_bytes_)
    budget = allowance->n_bytes > other_bytes_ ? allowance->n_bytes - other_bytes_ : 0;
  if (budget == budget_) return;
  const bool fell = std::exchange(budget_, budget) > budget;
  const uint64_t n_slots = experts.n_slots();
  experts.set_budget(budget);
  const std::string change =
      fmt::format("{} of {} experts fit in memory, {} did", experts.n_slots(), experts.n_experts(), n_slots);
  if (!fell) return spdlog::info("the limit on memory was raised: {}", change);
  // Of the plan, which counts pages of keys and values and a batch that may not be there yet.
  const uint64_t needed = other_bytes_ + experts.n_bytes();
  if (allowance->n_bytes < needed)
    spdlog::warn("the limit on memory fell to {}, {} less than what is used besides experts: {}",
                 format_bytes(allowance->limit), format_bytes(needed - allowance->n_bytes), change);
  else
    spdlog::warn("the limit on memory fell to {}: {}; answers stay the same and take longer",
                 format_bytes(allowance->limit), change);
}

}  // namespace ogas
