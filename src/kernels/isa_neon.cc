#include "kernels/isa_neon.h"
#include "kernels/generic.h"

namespace ogas {

const IsaKernels kNeonKernels = {.name = "neon", .base = nullptr, .set = set_all_kernels<Neon>};

}  // namespace ogas
