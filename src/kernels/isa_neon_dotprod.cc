#include "kernels/generic.h"
#include "kernels/isa_neon.h"

namespace ogas {

const IsaOps kNeonDotprodOps = {.name = "neon-dotprod", .base = &kNeonOps, .set = set_integer_products<NeonDotprod>};

}  // namespace ogas
