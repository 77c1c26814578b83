#include "kernels/isa_amx.h"
#include "kernels/generic.h"

namespace ogas {
namespace {

void set_all(Ops& ops) {
  set_tile_products<Amx>(ops);
  set_tile_attention<Amx>(ops);
}

}  // namespace

const IsaOps kAmxOps = {.name = "amx", .base = &kAvx512Bf16Ops, .set = set_all};

}  // namespace ogas
