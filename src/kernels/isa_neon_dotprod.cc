#include "kernels/isa_neon.h"

#include "kernels/generic.h"

namespace ogas {

extern const Ops kNeonDotprodOps;
const Ops kNeonDotprodOps = make_ops<NeonDotprod>("neon-dotprod");

}  // namespace ogas
