#include "server/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/ascii.h"
#include "server/endpoints/endpoints.h"

namespace ogas::server {
namespace {

// "GET /v1/models/" of what the description calls /v1/models/{name}.
std::set<std::string> described_routes() {
  std::set<std::string> described;
  const Json description = Json::parse(api_description());
  for (const auto& [path, methods] : description["paths"].items())
    for (const auto& [method, operation] : methods.items()) {
      std::string name = method;
      std::ranges::transform(name, name.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
      described.insert(name + " " + path.substr(0, path.find('{')));
    }
  return described;
}

TEST(Routes, AreThoseOfTheApiDescription) {
  std::set<std::string> served;
  for (const Route& route : routes()) served.insert(std::string(route.method) + " " + std::string(route.path));
  EXPECT_EQ(served, described_routes());
}

// 401 where a key is needed, and 413 where a body is read.
TEST(Routes, DescriptionSaysWhichNeedAKey) {
  const Json description = Json::parse(api_description());
  for (const auto& [path, methods] : description["paths"].items())
    for (const auto& [method, operation] : methods.items()) {
      const auto route = std::ranges::find(routes(), path.substr(0, path.find('{')), &Route::path);
      ASSERT_NE(route, routes().end()) << path;
      EXPECT_EQ(operation["responses"].contains("401"), route->needs_key) << path;
      EXPECT_EQ(operation["responses"].contains("413"), route->method == "POST") << path;
    }
}

TEST(Routes, FindsWhatIsServedAndSaysWhatIsNot) {
  const auto chat = find_route("POST", "/v1/chat/completions");
  ASSERT_TRUE(chat.has_value());
  EXPECT_TRUE((*chat)->computes);
  const auto model = find_route("HEAD", "/v1/models/some/name");
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ((*model)->path, "/v1/models/");
  const auto wrong_method = find_route("GET", "/v1/embeddings");
  ASSERT_FALSE(wrong_method.has_value());
  EXPECT_EQ(wrong_method.error().status, 405);
  EXPECT_THAT(wrong_method.error().headers, ::testing::Contains(::testing::Pair("Allow", "POST")));
  for (const char* path : {"/nothing", "", "/v1/chat/completions/"}) {
    const auto none = find_route("GET", path);
    ASSERT_FALSE(none.has_value()) << path;
    EXPECT_EQ(none.error().status, 404) << path;
  }
}

}  // namespace
}  // namespace ogas::server
