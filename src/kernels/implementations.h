// The kernel tables that dispatch.cc chooses from. Each is in its own object, compiled for its instruction set.
#pragma once

#include "kernels/ops.h"

namespace ogas {

// What an instruction set adds to a smaller one, or all operations. A set that only adds a dot product takes the rest
// from the smaller set, so that it is compiled once.
struct IsaOps {
  std::string_view name;
  const IsaOps* base;  // null: there is none
  void (*set)(Ops& ops);
};

extern const IsaOps kReferenceOps;
#if defined(__x86_64__)
extern const IsaOps kAmxOps;
extern const IsaOps kAvx512Bf16Ops;
extern const IsaOps kAvx512VnniOps;
extern const IsaOps kAvx512Ops;
extern const IsaOps kAvxVnniOps;
extern const IsaOps kAvx2Ops;
#elif defined(__aarch64__)
extern const IsaOps kNeonI8mmOps;
extern const IsaOps kNeonDotprodOps;
extern const IsaOps kNeonOps;
#endif

// The whole table of a set.
Ops make_ops(const IsaOps& isa);

}  // namespace ogas
