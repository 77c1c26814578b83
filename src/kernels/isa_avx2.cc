#include "kernels/isa_avx2.h"
#include "kernels/generic.h"

namespace ogas {

const IsaKernels kAvx2Kernels = {.name = "avx2", .base = nullptr, .set = set_all_kernels<Avx2>};

}  // namespace ogas
