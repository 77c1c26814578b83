// What a forward pass runs on: a device, memory for intermediate results, and the other ranks.
#pragma once

#include "base/thread_pool.h"
#include "kernels/cpu_kernels.h"
#include "ops/comm.h"
#include "ops/device.h"
#include "ops/scratch.h"

namespace ogas {

struct Exec {
  Device& device;
  Scratch& scratch;  // the device's
  Comm& comm;
  // For blocks that are no compositions of the device's operations yet.
  ThreadPool& pool;
  const CpuKernels& kernels;
};

// The device's operations, for blocks that call them so.
inline void multiply(Exec& exec, const Activations& x, size_t n_rows, std::initializer_list<Product> products) {
  exec.device.multiply(x, n_rows, products);
}
inline void multiply_in_f32(Exec& exec, const Linear& linear, const Activations& x, size_t n_rows, size_t n_together,
                            const Matrix& y) {
  exec.device.multiply_in_f32(linear, x, n_rows, n_together, y);
}
inline void rms_norm(Exec& exec, const Matrix& x, std::span<const RowKind> kinds, std::span<const float> weight,
                     float eps, const Activations& y) {
  exec.device.rms_norm(x, kinds, weight, eps, y);
}

}  // namespace ogas
