#include "kernels/isa_avx2.h"

#include "kernels/generic.h"

namespace ogas {

extern const Ops kAvx2Ops;
const Ops kAvx2Ops = make_ops<Avx2>("avx2");

}  // namespace ogas
