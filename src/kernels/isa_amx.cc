#include "kernels/isa_amx.h"
#include "kernels/generic.h"

namespace ogas {
namespace {

void set_all(CpuKernels& kernels) {
  set_tile_products<Amx>(kernels);
  set_tile_attention<Amx>(kernels);
}

}  // namespace

const IsaKernels kAmxKernels = {.name = "amx", .base = &kAvx512Bf16Kernels, .set = set_all};

}  // namespace ogas
