#include "kernels/isa_neon.h"

#include "kernels/generic.h"

namespace ogas {

extern const Ops kNeonI8mmOps;
const Ops kNeonI8mmOps = make_ops<NeonI8mm>("neon-i8mm");

}  // namespace ogas
