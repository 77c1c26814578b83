// The operation tables that dispatch.cc chooses from. Each lives in its own object, compiled for its instruction set.
#pragma once

#include "kernels/ops.h"

namespace ogas {

extern const Ops kReferenceOps;
#if defined(__x86_64__)
extern const Ops kAmxOps;
extern const Ops kAvx512Bf16Ops;
extern const Ops kAvx512VnniOps;
extern const Ops kAvx512Ops;
extern const Ops kAvxVnniOps;
extern const Ops kAvx2Ops;
#elif defined(__aarch64__)
extern const Ops kNeonI8mmOps;
extern const Ops kNeonDotprodOps;
extern const Ops kNeonOps;
#endif

}  // namespace ogas
