#include "kernels/isa_avx512.h"
#include "kernels/generic.h"

namespace ogas {

const IsaKernels kAvx512Kernels = {.name = "avx512", .base = nullptr, .set = set_all_kernels<Avx512>};

}  // namespace ogas
