// The operations of AVX-VNNI, whose only instruction beside AVX2's is taken from AVX-512 VNNI: for processors that have
// the latter only, so that tests can run all else.
#include "kernels/generic.h"
#include "kernels/isa_avx2.h"

namespace ogas {

extern const IsaKernels kAvxVnniInAvx512Kernels;
const IsaKernels kAvxVnniInAvx512Kernels = {
    .name = "avxvnni_in_avx512", .base = &kAvx2Kernels, .set = set_integer_products<AvxVnni>};

}  // namespace ogas
