#include "kernels/tuning.h"

namespace ogas {
namespace {

Tuning choose_tuning() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_is("intel"))
    return {.one_to_l1 = 1024, .one_to_l2 = 3584, .several_to_l2 = 3584, .max_directly = 6};
#endif
  return {.one_to_l1 = 256, .one_to_l2 = 256, .several_to_l2 = 2048, .max_directly = SIZE_MAX};
}

}  // namespace

const Tuning kTuning = choose_tuning();

}  // namespace ogas
