#include "kernels/generic.h"
#include "kernels/isa_avx2.h"

namespace ogas {

extern const Ops kAvxVnniOps;
const Ops kAvxVnniOps = make_ops<AvxVnni>("avxvnni");

}  // namespace ogas
