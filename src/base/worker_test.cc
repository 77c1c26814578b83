#include "base/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace ogas {
namespace {

TEST(Worker, RunsTasksInTheirOrderAndAllOfThem) {
  std::vector<int> seen;
  std::atomic<std::thread::id> id;
  {
    Worker worker;
    for (int idx = 0; idx < 100; ++idx)
      worker.post([&, idx] {
        seen.push_back(idx);
        id = std::this_thread::get_id();
      });
  }
  ASSERT_EQ(seen.size(), 100u);
  for (int idx = 0; idx < 100; ++idx) EXPECT_EQ(seen[static_cast<size_t>(idx)], idx);
  EXPECT_NE(id.load(), std::this_thread::get_id());
}

TEST(Worker, MayHaveNothingToDo) { const Worker worker; }

}  // namespace
}  // namespace ogas
