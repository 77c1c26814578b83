#include "kernels/isa_amx.h"

#include "kernels/generic.h"

namespace ogas {

extern const Ops kAmxOps;
const Ops kAmxOps = make_ops<Amx>("amx");

}  // namespace ogas
