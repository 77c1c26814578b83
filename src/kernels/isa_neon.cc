#include "kernels/isa_neon.h"

#include "kernels/generic.h"

namespace ogas {

extern const Ops kNeonOps;
const Ops kNeonOps = make_ops<Neon>("neon");

}  // namespace ogas
