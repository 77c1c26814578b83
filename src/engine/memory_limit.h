// Experts that are read from disk give memory back when the process's limit is lowered while it runs, and take it again
// when it is raised.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/memory_watch.h"
#include "engine/memory_plan.h"
#include "nn/expert_store.h"

namespace ogas {

class MemoryLimit {
 public:
  // The plan that the store was made by. watch: the limits as they were then.
  explicit MemoryLimit(const MemoryPlan& plan, MemoryWatch watch = {});

  // Between two passes: looks whether limits have changed, at most once a second, and logs what it does about it.
  void follow(ExpertStore& experts);
  // Looks now.
  void follow_now(ExpertStore& experts);

 private:
  MemoryWatch watch_;
  uint64_t expert_bytes_, other_bytes_;  // of the plan: for experts, and for all else
  uint64_t budget_;                      // for experts, as it is now
  std::chrono::steady_clock::time_point looked_ = std::chrono::steady_clock::now();
};

}  // namespace ogas
