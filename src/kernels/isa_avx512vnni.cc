#include "kernels/isa_avx512.h"

#include "kernels/generic.h"

namespace ogas {

extern const Ops kAvx512VnniOps;
const Ops kAvx512VnniOps = make_ops<Avx512Vnni>("avx512vnni");

}  // namespace ogas
