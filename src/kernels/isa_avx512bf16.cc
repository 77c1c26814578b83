#include "kernels/generic.h"
#include "kernels/isa_avx512.h"

namespace ogas {
namespace {

void set_all(CpuKernels& kernels) {
  set_bf16_products<Avx512Bf16>(kernels);
  set_tile_products<Avx512Bf16>(kernels);
}

}  // namespace

const IsaKernels kAvx512Bf16Kernels = {.name = "avx512bf16", .base = &kAvx512VnniKernels, .set = set_all};

}  // namespace ogas
