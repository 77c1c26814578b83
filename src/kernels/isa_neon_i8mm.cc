#include "kernels/generic.h"
#include "kernels/isa_neon.h"

namespace ogas {

const IsaKernels kNeonI8mmKernels = {
    .name = "neon-i8mm", .base = &kNeonDotprodKernels, .set = set_integer_products<NeonI8mm>};

}  // namespace ogas
