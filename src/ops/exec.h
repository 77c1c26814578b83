// What a forward pass runs on: threads, and the operations of one instruction set.
#pragma once

#include "base/thread_pool.h"
#include "kernels/ops.h"

namespace ogas {

struct Exec {
  ThreadPool& pool;
  const Ops& ops;
};

}  // namespace ogas
