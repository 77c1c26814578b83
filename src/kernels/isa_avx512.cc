#include "kernels/isa_avx512.h"

#include "kernels/generic.h"

namespace ogas {

extern const Ops kAvx512Ops;
const Ops kAvx512Ops = make_ops<Avx512>("avx512");

}  // namespace ogas
