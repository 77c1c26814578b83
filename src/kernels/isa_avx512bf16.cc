#include "kernels/isa_avx512.h"

#include "kernels/generic.h"

namespace ogas {

extern const Ops kAvx512Bf16Ops;
const Ops kAvx512Bf16Ops = make_ops<Avx512Bf16>("avx512bf16");

}  // namespace ogas
