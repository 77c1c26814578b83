#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/request_settings.h"
#include "server/endpoints/endpoints.h"

namespace ogas::server {
namespace {

// The fields of the requests whose answers are sampled.
std::vector<Json> described_fields() {
  const Json description = Json::parse(api_description());
  std::vector<Json> fields;
  for (const char* name : {"ChatRequest", "CompletionRequest", "ResponseRequest", "AnthropicMessageRequest"})
    fields.push_back(description["components"]["schemas"][name]["properties"]);
  return fields;
}

TEST(ApiDescription, HasAllSettingsOfSampling) {
  for (const Json& fields : described_fields())
    for (const SamplingSetting& setting : sampling_settings()) {
      // Tokens are banned by -100 in logit_bias; none can be required.
      if (setting.name == "banned_tokens" || setting.name == "required_tokens") continue;
      ASSERT_TRUE(fields.contains(setting.name)) << setting.name;
      if (setting.is_list()) continue;
      EXPECT_EQ(fields[std::string(setting.name)]["description"], setting.help);
    }
  EXPECT_THAT(api_description(), ::testing::Not(::testing::HasSubstr("x-settings")));
}

TEST(ApiDescription, HasAllSettingsOfRequests) {
  for (const Json& fields : described_fields())
    for (const RequestSetting& setting : request_settings()) {
      if (!setting.is_in_json || setting.name == "max_tokens") continue;
      EXPECT_EQ(fields.at(std::string(setting.name))["description"], setting.help);
    }
  const Json chat = described_fields().front();
  EXPECT_EQ(chat["ignore_eos"]["type"].dump(), R"(["boolean","null"])");
  EXPECT_EQ(chat["stop"]["anyOf"][1]["maxItems"], 16);
  EXPECT_EQ(chat["stop"]["anyOf"][2].dump(), R"({"type":"null"})");
}

// Described by hand, for each endpoint.
TEST(ApiDescription, MaxTokensHasTheRangeOfItsRow) {
  const auto range = find_request_setting("max_tokens")->json_range;
  size_t n = 0;
  for (const Json& fields : described_fields())
    for (const char* name : {"max_tokens", "max_completion_tokens", "max_output_tokens"}) {
      if (!fields.contains(name)) continue;
      ++n;
      EXPECT_EQ(fields[name]["minimum"], range.min) << name;
      EXPECT_EQ(fields[name]["maximum"], range.max) << name;
    }
  EXPECT_EQ(n, 5U);
}

TEST(ApiDescription, RangesAreThoseThatAreRead) {
  const Json fields = described_fields().front();
  const auto range = [&](const char* name) { return std::pair(fields[name]["minimum"], fields[name]["maximum"]); };
  EXPECT_EQ(range("temperature"), std::pair(Json(0.0), Json(2.0)));
  EXPECT_EQ(range("top_k"), std::pair(Json(-1), Json(UINT32_MAX)));
  EXPECT_EQ(range("dry_allowed_length"), std::pair(Json(0), Json(UINT32_MAX)));
  EXPECT_EQ(range("priority"), std::pair(Json(-100), Json(0)));
  EXPECT_EQ(range("seed"), std::pair(Json(INT64_MIN), Json(INT64_MAX)));
  EXPECT_EQ(fields["mirostat"]["enum"].dump(), "[0,2,null]");
  EXPECT_EQ(fields["top_p"]["type"].dump(), R"(["number","null"])");
}

}  // namespace
}  // namespace ogas::server
