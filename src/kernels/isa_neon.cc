#include "kernels/isa_neon.h"
#include "kernels/generic.h"

namespace ogas {

const IsaOps kNeonOps = {.name = "neon", .base = nullptr, .set = set_all_ops<Neon>};

}  // namespace ogas
