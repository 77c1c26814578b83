#include "engine/engine_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace ogas {
namespace {

using ::testing::HasSubstr;

TEST(EngineSettings, RowsAreWhole) {
  std::set<std::string_view> names;
  for (const EngineSetting& setting : engine_settings()) {
    EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
    EXPECT_LE(setting.help.size(), 84U) << setting.help;
    EXPECT_FALSE(setting.help.empty() || setting.help.ends_with(".")) << setting.help;
    EXPECT_EQ(setting.flags.empty(), setting.type.empty()) << setting.name;
    EXPECT_TRUE(setting.flags.empty() || setting.flags.starts_with("-")) << setting.name;
    EXPECT_EQ(find_engine_setting(setting.name), &setting);
    EXPECT_TRUE(setting.check({})) << "the default of " << setting.name;
  }
  EXPECT_EQ(find_engine_setting("n_cxt"), nullptr);
}

TEST(EngineSettings, AreShownAsTheyAreWritten) {
  for (const EngineSetting& setting : engine_settings()) {
    EngineOptions options;
    const auto choices = setting.choices();
    for (const std::string& text : choices.empty() ? std::vector<std::string>{"7"} : choices) {
      ASSERT_TRUE(setting.set(options, text)) << setting.name;
      const std::string shown = setting.show(options);
      EXPECT_TRUE(shown.empty() || shown == text) << setting.name << " is shown as " << shown;
      if (setting.type.empty() || setting.is_list()) continue;
      EXPECT_THAT(setting.set(options, "much").error().message, HasSubstr(setting.name));
      EXPECT_EQ(setting.show(options), shown) << "after an error";
    }
  }
}

TEST(EngineSettings, RangesHold) {
  for (const EngineSetting& setting : engine_settings()) {
    const auto* member = std::get_if<uint32_t EngineOptions::*>(&setting.member);
    if (!member) continue;
    EngineOptions options;
    EXPECT_THAT(setting.set(options, "0").error().message, HasSubstr(setting.name)) << "0 is not a number of anything";
    EXPECT_TRUE(setting.set(options, fmt::format("{}", setting.range.max))) << setting.name;
    if (setting.range.max == UINT32_MAX) continue;
    options.*(*member) = setting.range.max + 1;
    EXPECT_THAT(setting.check(options).error().message, HasSubstr(setting.name));
    EXPECT_FALSE(setting.set(options, fmt::format("{}", setting.range.max + 1))) << setting.name;
  }
}

TEST(EngineSettings, SizesHaveUnits) {
  EngineOptions options;
  const EngineSetting& ram = *find_engine_setting("ram");
  for (const auto& [text, bytes] : std::initializer_list<std::pair<const char*, uint64_t>>{
           {"12", 12}, {"800M", 800'000'000}, {"4gb", 4'000'000'000}, {"1.5GiB", 3 * (uint64_t{1} << 29)}, {"0", 0}}) {
    ASSERT_TRUE(ram.set(options, text)) << text;
    EXPECT_EQ(options.ram, bytes) << text;
  }
  for (const char* wrong : {"", "G", "-1", "4 G", "4X", "1e30", "nan"}) EXPECT_FALSE(ram.set(options, wrong)) << wrong;
}

TEST(EngineSettings, ListsGrow) {
  EngineOptions options;
  for (const char* folder : {"/a", "/b"}) ASSERT_TRUE(find_engine_setting("mirrors")->set(options, folder));
  EXPECT_THAT(options.mirrors, ::testing::ElementsAre("/a", "/b"));
}

}  // namespace
}  // namespace ogas
