#include "kernels/generic.h"
#include "kernels/isa_avx2.h"

namespace ogas {

const IsaOps kAvxVnniOps = {.name = "avxvnni", .base = &kAvx2Ops, .set = set_integer_products<AvxVnni>};

}  // namespace ogas
