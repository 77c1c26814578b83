#include "kernels/generic.h"
#include "kernels/isa_avx512.h"

namespace ogas {

const IsaKernels kAvx512VnniKernels = {
    .name = "avx512vnni", .base = &kAvx512Kernels, .set = set_integer_products<Avx512Vnni>};

}  // namespace ogas
