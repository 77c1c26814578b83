#include "cli/chat/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ogas::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string message_of(std::string_view json) {
  const auto result = Conversation::from_json(json, {});
  EXPECT_FALSE(result) << json;
  return result ? "" : result.error().message;
}

TEST(Conversation, SurvivesBeingSaved) {
  Conversation saved;
  saved.system = "Be brief.";
  saved.messages.push_back({{"role", "user"}, {"content", "Grüße\n\"您好\""}});
  saved.messages.push_back({{"role", "assistant"}, {"content", "Hello"}});
  ASSERT_TRUE(change_setting(saved.settings, "top_p", "0.5"));
  ASSERT_TRUE(change_setting(saved.settings, "seed", "42"));
  const auto loaded = Conversation::from_json(saved.to_json("m").dump(), {});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->system, saved.system);
  EXPECT_EQ(loaded->messages, saved.messages);
  EXPECT_EQ(loaded->settings.request.sampling.top_p, 0.5F);
  EXPECT_EQ(loaded->settings.request.sampling.seed, 42U);
  EXPECT_EQ(loaded->to_json("m"), saved.to_json("m"));
}

TEST(Conversation, SettingsAreChecked) {
  AnswerOptions options;
  EXPECT_THAT(change_setting(options, "top_q", "1").error().message, HasSubstr("did you mean top_"));
  EXPECT_THAT(change_setting(options, "top_p", "much").error().message, HasSubstr("'much' is not a number"));
  EXPECT_THAT(change_setting(options, "top_p", "1.5").error().message, HasSubstr("between 0 and 1"));
  EXPECT_THAT(change_setting(options, "top_k", "-3").error().message, HasSubstr("whole number"));
  EXPECT_EQ(options.request.sampling.top_p, SamplingOptions{}.top_p);
  EXPECT_THAT(change_setting(options, "mirostat", "1").error().message, HasSubstr("must be 0 or 2"));
  ASSERT_TRUE(change_setting(options, "dry_penalty_last_n", "-1"));
  EXPECT_THAT(change_setting(options, "dry_penalty_last_n", "-2").error().message, HasSubstr("-1 or more"));
  ASSERT_TRUE(change_setting(options, "typical_p", "0.9"));
  EXPECT_EQ(show_setting(options, "typical_p"), "0.9");
  options.greedy = true;
  EXPECT_EQ(show_setting(options, "temperature"), "0");
  ASSERT_TRUE(change_setting(options, "temperature", "0.5"));
  EXPECT_FALSE(options.greedy);
  EXPECT_EQ(show_setting(options, "temperature"), "0.5");
}

TEST(Conversation, KnowsWhichSettingsWereGiven) {
  Conversation conversation;
  conversation.server = "http://x";
  ASSERT_TRUE(change_setting(conversation.settings, "top_k", "40"));  // as it was
  EXPECT_FALSE(change_setting(conversation.settings, "top_p", "7"));
  EXPECT_THAT(conversation.settings.given, ElementsAre("top_k"));
  auto json = conversation.to_json("m");
  EXPECT_EQ(json["settings"].dump(), R"({"top_k":40})");
  EXPECT_THAT(Conversation::from_json(json.dump(), {})->settings.given, ElementsAre("top_k"));
  // Of a model in a process: all settings are there, and the usual ones say nothing.
  conversation.server.clear();
  ASSERT_TRUE(change_setting(conversation.settings, "min_p", "0.5"));
  json = conversation.to_json("m");
  EXPECT_EQ(json["settings"].size(), all_settings().size());
  EXPECT_THAT(Conversation::from_json(json.dump(), {})->settings.given, ElementsAre("min_p"));
  AnswerOptions defaults;
  ASSERT_TRUE(change_setting(defaults, "top_k", "7"));
  EXPECT_THAT(Conversation::from_json(json.dump(), defaults)->settings.given, ElementsAre("min_p", "top_k"));
}

TEST(Conversation, DamagedFilesAreRefusedByName) {
  EXPECT_THAT(message_of(""), HasSubstr("not a saved conversation"));
  EXPECT_THAT(message_of("[]"), HasSubstr("not a saved conversation"));
  EXPECT_THAT(message_of(R"({"messages": {}})"), HasSubstr("not a saved conversation"));
  EXPECT_THAT(message_of(R"({"messages": [{"role": "user"}]})"), HasSubstr("messages[0]"));
  EXPECT_THAT(message_of(R"({"messages": [3]})"), HasSubstr("messages[0]"));
  EXPECT_THAT(message_of(R"({"messages": [{"role": "robot", "content": ""}]})"), HasSubstr("'robot'"));
  EXPECT_THAT(message_of(R"({"messages": [{"role": "user", "content": ""}, {"role": "system", "content": ""}]})"),
              HasSubstr("messages[1]"));
  EXPECT_THAT(message_of(R"({"messages": [], "settings": {"top_p": "x"}})"), HasSubstr("settings: top_p"));
  EXPECT_THAT(message_of(R"({"messages": [], "settings": 1})"), HasSubstr("'settings'"));
}

}  // namespace
}  // namespace ogas::cli
