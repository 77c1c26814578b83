#include "kernels/generic.h"
#include "kernels/isa_avx2.h"

namespace ogas {

const IsaKernels kAvxVnniKernels = {.name = "avxvnni", .base = &kAvx2Kernels, .set = set_integer_products<AvxVnni>};

}  // namespace ogas
