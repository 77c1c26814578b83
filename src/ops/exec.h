// What a forward pass runs on: threads, the operations of one instruction set, and memory for intermediate results.
#pragma once

#include "base/thread_pool.h"
#include "kernels/cpu_kernels.h"
#include "ops/scratch.h"

namespace ogas {

struct Exec {
  ThreadPool& pool;
  const CpuKernels& kernels;
  Scratch& scratch;  // of as many threads as the pool
};

}  // namespace ogas
