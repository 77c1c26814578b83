#include "kernels/generic.h"
#include "kernels/isa_avx512.h"

namespace ogas {

const IsaOps kAvx512VnniOps = {.name = "avx512vnni", .base = &kAvx512Ops, .set = set_integer_products<Avx512Vnni>};

}  // namespace ogas
