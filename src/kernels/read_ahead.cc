#include "kernels/read_ahead.h"

namespace ogas {
namespace {

ReadAhead choose_read_ahead() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_is("intel")) return {.to_l1 = 1024, .to_l2 = 3584, .of_several = 3584};
#endif
  return {.to_l1 = 256, .to_l2 = 256, .of_several = 2048};
}

}  // namespace

const ReadAhead kReadAhead = choose_read_ahead();

}  // namespace ogas
