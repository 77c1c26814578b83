// An Exec of this process alone, on its own cores, with what it refers to.
#pragma once

#include "ops/cpu/cpu_device.h"
#include "ops/exec.h"

namespace ogas {

struct LocalParts {
  CpuDevice own_device;
  SingleRank own_comm;
};

class LocalExec : private LocalParts, public Exec {
 public:
  // What it is given must outlive it. scratch: of as many threads as the pool.
  LocalExec(ThreadPool& pool, const CpuKernels& kernels, Scratch& scratch_of_device)
      : LocalParts{{pool, kernels, scratch_of_device}, {}}, Exec{own_device, scratch_of_device, own_comm} {}
  LocalExec(const LocalExec&) = delete;
  LocalExec& operator=(const LocalExec&) = delete;
};

}  // namespace ogas
