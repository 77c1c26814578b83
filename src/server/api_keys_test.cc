#include "server/api_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace ogas::server {
namespace {

using testing::HasSubstr;

class ApiKeysTest : public testing::Test {
 protected:
  std::filesystem::path write(std::string_view text) {
    const auto path = std::filesystem::path(testing::TempDir()) /
                      (std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + ".keys");
    std::ofstream(path) << text;
    return path;
  }
  static std::string found(const ApiKeys& keys, std::string_view authorization, std::string_view other = {}) {
    const auto client = keys.find(authorization, other);
    return client ? client->name : fmt::format("{}", client.error().status);
  }
};

TEST_F(ApiKeysTest, NoneAreAskedForWhereThereAreNone) {
  const auto keys = ApiKeys::read({}, "").value();
  EXPECT_TRUE(keys->empty());
  EXPECT_EQ(found(*keys, ""), "");
  EXPECT_TRUE(keys->admit({}));
}

TEST_F(ApiKeysTest, ReadsLinesAndTheEnvironment) {
  const auto keys =
      ApiKeys::read(write("# comment\n\n  a name=x # after\nb\ttokens_per_minute=5 name=y"), "c,d").value();
  EXPECT_EQ(found(*keys, "Bearer a"), "x");
  EXPECT_EQ(found(*keys, "bearer b"), "y");
  EXPECT_EQ(found(*keys, "", "c"), "key 1");
  for (const char* wrong : {"", "a", "Bearer", "Bearer ", "Bearer  a", "Bearer A", "Bearer a ", "Basic a", "Bearer x"})
    EXPECT_EQ(found(*keys, wrong), "401") << wrong;
}

TEST_F(ApiKeysTest, NamesTheLineAndNeverTheKey) {
  for (const char* line : {"k nonsense", "k name=", "k requests_per_minute=0", "k tokens_per_minute=1x",
                           "k requests_per_minute=inf", "k requests_per_minute=-1"}) {
    const auto keys = ApiKeys::read(write(fmt::format("ok\n{}\n", line)), "");
    ASSERT_FALSE(keys) << line;
    EXPECT_THAT(keys.error().message, HasSubstr("line 2"));
    EXPECT_THAT(keys.error().message, testing::Not(HasSubstr(" k ")));
  }
  EXPECT_EQ(ApiKeys::read(write("# nothing\n"), "").error().code, ErrorCode::bad_file);
  EXPECT_FALSE(ApiKeys::read("/nowhere/keys", ""));
}

TEST_F(ApiKeysTest, CountsRequestsAndTokens) {
  const auto keys =
      ApiKeys::read(write("a name=few requests_per_minute=2\nb name=short tokens_per_minute=10\n"), "").value();
  EXPECT_TRUE(keys->admit({"few"}));
  EXPECT_TRUE(keys->admit({"few"}));
  const auto refused = keys->admit({"few"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 429U);
  EXPECT_THAT(refused.error().headers, testing::Contains(testing::Pair("Retry-After", "30")));
  EXPECT_TRUE(keys->admit({"short"}));
  keys->charge({"short"}, 29);  // more than it had: two minutes until there is one again
  const auto waits = keys->admit({"short"});
  ASSERT_FALSE(waits);
  EXPECT_THAT(waits.error().headers, testing::Contains(testing::Pair("Retry-After", "120")));
  EXPECT_TRUE(keys->admit({"unlimited"}));
}

TEST_F(ApiKeysTest, ReadingAgainKeepsWhatWasUsed) {
  const auto path = write("a name=x requests_per_minute=1\n");
  const auto keys = ApiKeys::read(path, "").value();
  EXPECT_TRUE(keys->admit({"x"}));
  write("new name=x requests_per_minute=1\nmore\n");
  EXPECT_TRUE(keys->reload());
  EXPECT_EQ(found(*keys, "Bearer a"), "401");
  EXPECT_EQ(found(*keys, "Bearer new"), "x");
  EXPECT_FALSE(keys->admit({"x"}));
  write("broken x\n");
  EXPECT_FALSE(keys->reload());
  EXPECT_EQ(found(*keys, "Bearer more"), "key 2");
}

}  // namespace
}  // namespace ogas::server
