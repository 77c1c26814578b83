#include "kernels/generic.h"
#include "kernels/isa_neon.h"

namespace ogas {

const IsaOps kNeonI8mmOps = {.name = "neon-i8mm", .base = &kNeonDotprodOps, .set = set_integer_products<NeonI8mm>};

}  // namespace ogas
