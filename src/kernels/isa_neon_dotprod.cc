#include "kernels/generic.h"
#include "kernels/isa_neon.h"

namespace ogas {

const IsaKernels kNeonDotprodKernels = {
    .name = "neon-dotprod", .base = &kNeonKernels, .set = set_integer_products<NeonDotprod>};

}  // namespace ogas
