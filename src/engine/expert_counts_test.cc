#include "engine/expert_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace ogas {
namespace {

class ExpertCountsTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path path() const { return folder_ / "deeper" / "counts.json"; }

  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / fmt::format("ogas_counts_{}", ::getpid());
  const ExpertCounts counts_ = {{0, 1.5F, 1234.25F}, {3, 0, 0.125F}};
};

TEST_F(ExpertCountsTest, ComeBackAsTheyWereWritten) {
  ASSERT_TRUE(write_expert_counts(path(), counts_));
  const auto read = read_expert_counts(path(), counts_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, counts_);
}

TEST_F(ExpertCountsTest, NoFileIsNoCounts) {
  const auto read = read_expert_counts(path(), counts_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->empty());
}

TEST_F(ExpertCountsTest, WhatIsNoCountsOfThisModelIsRefused) {
  std::filesystem::create_directories(path().parent_path());
  for (const char* text : {"", "{}", "[]", "[[1,2,3]]", "[[1,2],[1,2]]", "[[1,2,3],[1,2,-3]]", "[[1,2,3],[1,2,1e300]]",
                           "[[1,2,3],[1,2,\"3\"]]", "[[1,2,3],[1,2,3]", "[[1,2,3],[1,2,null]]", "[[1,2,3],3]"}) {
    std::ofstream(path()) << text;
    const auto read = read_expert_counts(path(), counts_);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::bad_file);
    EXPECT_THAT(read.error().message, ::testing::HasSubstr("counts.json"));
  }
}

}  // namespace
}  // namespace ogas
