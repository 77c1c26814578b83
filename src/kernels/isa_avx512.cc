#include "kernels/isa_avx512.h"
#include "kernels/generic.h"

namespace ogas {

const IsaOps kAvx512Ops = {.name = "avx512", .base = nullptr, .set = set_all_ops<Avx512>};

}  // namespace ogas
