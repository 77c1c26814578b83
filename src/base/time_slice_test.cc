#include "base/time_slice.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>

namespace ogas {
namespace {

bool kernel_is_at_least(int major, int minor) {
  utsname name;
  int has_major = 0, has_minor = 0;
  return ::uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &has_major, &has_minor) == 2 &&
         (has_major > major || (has_major == major && has_minor >= minor));
}

// Of the calling thread.
uint64_t slice_ns() {
  std::array<char, 48> attr{};
  EXPECT_EQ(::syscall(SYS_sched_getattr, 0, attr.data(), attr.size(), 0), 0);
  uint64_t runtime;
  std::memcpy(&runtime, attr.data() + 24, sizeof runtime);
  return runtime;
}

// On a separate thread, since a thread may not be able to undo it.
template <class Function>
void on_a_thread(Function function) {
  std::thread(function).join();
}

TEST(TimeSlice, AppliesToThisThreadAndThoseItStarts) {
  if (!kernel_is_at_least(6, 12)) GTEST_SKIP() << "slices of threads need Linux 6.12";
  on_a_thread([] {
    if (!request_short_time_slices()) GTEST_SKIP() << "sched_setattr is not allowed here";
    EXPECT_EQ(slice_ns(), 100'000U);
    on_a_thread([] { EXPECT_EQ(slice_ns(), 100'000U); });
  });
}

TEST(TimeSlice, ChangesNothingElse) {
  on_a_thread([] {
    const sched_param none{};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &none), 0);
    ASSERT_EQ(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 5), 0);
    request_short_time_slices();
    EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
    EXPECT_EQ(::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())), 5);
  });
}

}  // namespace
}  // namespace ogas
