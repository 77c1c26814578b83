// The operations of AVX-VNNI, with its one additional instruction taken from AVX-512 VNNI. So processors that have only
// the latter can test everything else.
#include "kernels/generic.h"
#include "kernels/isa_avx2.h"

namespace ogas {

extern const IsaKernels kAvxVnniInAvx512Kernels;
const IsaKernels kAvxVnniInAvx512Kernels = {
    .name = "avxvnni_in_avx512", .base = &kAvx2Kernels, .set = set_integer_products<AvxVnni>};

}  // namespace ogas
