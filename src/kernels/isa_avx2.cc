#include "kernels/isa_avx2.h"
#include "kernels/generic.h"

namespace ogas {

const IsaOps kAvx2Ops = {.name = "avx2", .base = nullptr, .set = set_all_ops<Avx2>};

}  // namespace ogas
