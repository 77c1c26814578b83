#include "base/first_error.h"

#include <gtest/gtest.h>

#include "base/thread_pool.h"

namespace ogas {
namespace {

TEST(FirstError, IsNoneWhereAllSucceed) {
  FirstError error;
  error.add({});
  EXPECT_TRUE(std::move(error).result());
}

TEST(FirstError, IsTheOneThatCameFirst) {
  FirstError error;
  error.add({});
  error.add(fail(ErrorCode::io, "one"));
  error.add(fail(ErrorCode::usage, "two"));
  const Result<> result = std::move(error).result();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::io);
  EXPECT_EQ(result.error().message, "one");
}

TEST(FirstError, IsOneOfThoseThatThreadsAdd) {
  ThreadPool pool(3);
  FirstError error;
  pool.parallel_for(100, [&](size_t idx, unsigned) {
    if (idx % 7 == 3) error.add(fail(ErrorCode::io, "chunk {}", idx));
  });
  const Result<> result = std::move(error).result();
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().message.starts_with("chunk "));
}

}  // namespace
}  // namespace ogas
