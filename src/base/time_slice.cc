#include "base/time_slice.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace ogas {
namespace {

// struct sched_attr of sched_setattr(2), which current C libraries do not declare.
struct SchedAttr {
  uint32_t size = sizeof(SchedAttr);
  uint32_t sched_policy = 0;
  uint64_t sched_flags = 0;
  int32_t sched_nice = 0;
  uint32_t sched_priority = 0;
  uint64_t sched_runtime = 0;  // nanoseconds; of ordinary threads a slice, since Linux 6.12
  uint64_t sched_deadline = 0, sched_period = 0;
};

constexpr uint64_t kShortest = 100'000;  // the kernel's minimum

}  // namespace

bool request_short_time_slices() {
#if defined(SYS_sched_getattr) && defined(SYS_sched_setattr)
  constexpr long kThisThread = 0, kNoFlags = 0;
  SchedAttr attr;
  if (::syscall(SYS_sched_getattr, kThisThread, &attr, sizeof attr, kNoFlags) != 0) return false;
  if (attr.sched_policy != SCHED_OTHER && attr.sched_policy != SCHED_BATCH) return false;
  attr.size = sizeof attr;
  attr.sched_runtime = kShortest;
  return ::syscall(SYS_sched_setattr, kThisThread, &attr, kNoFlags) == 0;
#else
  return false;
#endif
}

}  // namespace ogas
