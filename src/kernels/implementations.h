// The kernel tables that dispatch.cc chooses from. Each is in its own object, compiled for its instruction set.
#pragma once

#include "kernels/cpu_kernels.h"

namespace ogas {

// What an instruction set adds to a smaller one, or all operations. A set that only adds a dot product takes the rest
// from the smaller set, so that it is compiled once.
struct IsaKernels {
  std::string_view name;
  const IsaKernels* base;  // null: there is none
  void (*set)(CpuKernels& kernels);
};

extern const IsaKernels kReferenceKernels;
#if defined(__x86_64__)
extern const IsaKernels kAmxKernels;
extern const IsaKernels kAvx512Bf16Kernels;
extern const IsaKernels kAvx512VnniKernels;
extern const IsaKernels kAvx512Kernels;
extern const IsaKernels kAvxVnniKernels;
extern const IsaKernels kAvx2Kernels;
#elif defined(__aarch64__)
extern const IsaKernels kNeonI8mmKernels;
extern const IsaKernels kNeonDotprodKernels;
extern const IsaKernels kNeonKernels;
#endif

// The whole table of a set.
CpuKernels make_kernels(const IsaKernels& isa);

}  // namespace ogas
