// Limits are read as cgroup v2 and v1 write them, and only those lowered since the start count.
#include "base/memory_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/file.h"

namespace ogas {
namespace {

namespace fs = std::filesystem;

class MemoryWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const fs::path& folder : {v1_, v2_}) fs::create_directories(folder);
    write(v2_ / "memory.current", "5000\n");
    write(v2_ / "memory.stat", "anon 3000\ninactive_file 2000\n");
    write(v2_ / "memory.high", "max\n");
    write(v2_ / "memory.max", "10000\n");
    write(v1_ / "memory.usage_in_bytes", "7000\n");
    write(v1_ / "memory.stat", "inactive_file 1\ntotal_inactive_file 3000\n");
    write(v1_ / "memory.soft_limit_in_bytes", "1000\n");
    write(v1_ / "memory.limit_in_bytes", "9223372036854771712\n");
  }
  void TearDown() override { fs::remove_all(folder_); }
  static void write(const fs::path& file, const std::string& text) { ASSERT_TRUE(write_file_atomically(file, text)); }

  const fs::path folder_ = fs::temp_directory_path() / ("ogas_memory_watch_" + std::to_string(::getpid()));
  const fs::path v1_ = folder_ / "v1", v2_ = folder_ / "v2";
};

TEST_F(MemoryWatchTest, OnlyLoweredLimitsCount) {
  const std::array folders = {v2_, v1_, folder_ / "none"};
  const MemoryWatch watch(folders);
  EXPECT_FALSE(watch.look()) << "a soft limit below what is used says nothing, as long as it stays";

  write(v2_ / "memory.high", "6000\n");
  auto allowance = watch.look();
  ASSERT_TRUE(allowance);
  EXPECT_EQ(allowance->limit, 6000U);
  EXPECT_EQ(allowance->n_bytes, 3000U) << "3000 were used at the start";
  write(v2_ / "memory.current", "9000\n");
  EXPECT_EQ(watch.look()->n_bytes, 3000U) << "memory allocated since the start counts against it";

  write(v1_ / "memory.limit_in_bytes", "6500\n");
  allowance = watch.look();
  EXPECT_EQ(allowance->limit, 6500U) << "it leaves less, since more was used there";
  EXPECT_EQ(allowance->n_bytes, 2500U);
  write(v1_ / "memory.soft_limit_in_bytes", "999\n");
  EXPECT_EQ(watch.look()->n_bytes, 0U);

  for (const char* text : {"1000", "2000", "max\n", "", "-1\n"}) {
    write(v1_ / "memory.soft_limit_in_bytes", text);
    EXPECT_EQ(watch.look()->n_bytes, 2500U) << text;
  }
  fs::remove_all(v1_);
  EXPECT_EQ(watch.look()->n_bytes, 3000U) << "a group that is gone has no limit";
  write(v2_ / "memory.high", "max\n");
  EXPECT_FALSE(watch.look());
}

TEST(MemoryWatch, LooksAtTheProcessItself) {
  EXPECT_FALSE(MemoryWatch().look()) << "no limit is lowered during the test";
}

}  // namespace
}  // namespace ogas
