// The operations of AVX-VNNI, whose only instruction beside AVX2's is taken from AVX-512 VNNI: for processors that have
// the latter only, so that tests can run all else.
#include "kernels/generic.h"
#include "kernels/isa_avx2.h"

namespace ogas {

extern const Ops kAvxVnniInAvx512Ops;
const Ops kAvxVnniInAvx512Ops = make_ops<AvxVnni>("avxvnni_in_avx512");

}  // namespace ogas
