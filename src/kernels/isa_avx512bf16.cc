#include "kernels/generic.h"
#include "kernels/isa_avx512.h"

namespace ogas {
namespace {

void set_all(Ops& ops) {
  set_bf16_products<Avx512Bf16>(ops);
  set_tile_products<Avx512Bf16>(ops);
}

}  // namespace

const IsaOps kAvx512Bf16Ops = {.name = "avx512bf16", .base = &kAvx512VnniOps, .set = set_all};

}  // namespace ogas
