#include "engine/setting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <span>

#include "base/ascii.h"
#include "engine/engine_settings.h"
#include "engine/request_settings.h"
#include "kernels/cpu_kernels.h"

namespace ogas {
namespace {

using ::testing::HasSubstr;

// Calls check(rows, a value of their options) for each of the tables.
void for_tables(const auto& check) {
  check(engine_settings(), EngineOptions{});
  check(scheduler_settings(), SchedulerOptions{});
  check(request_settings(), Request{});
}

TEST(Settings, RowsAreWhole) {
  for_tables([](auto settings, const auto& usual) {
    std::set<std::string_view> names;
    for (const auto& setting : settings) {
      EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
      EXPECT_LE(setting.help.size(), 84U) << setting.help;
      EXPECT_FALSE(setting.help.empty() || setting.help.ends_with(".")) << setting.help;
      EXPECT_EQ(setting.flags.empty() || setting.is_flag(), setting.type.empty()) << setting.name;
      EXPECT_TRUE(setting.flags.empty() || setting.flags.starts_with("-")) << setting.name;
      EXPECT_TRUE(setting.check(usual)) << "the default of " << setting.name;
    }
  });
}

TEST(Settings, AreFoundByName) {
  for (const EngineSetting& setting : engine_settings()) EXPECT_EQ(find_engine_setting(setting.name), &setting);
  for (const RequestSetting& setting : request_settings()) EXPECT_EQ(find_request_setting(setting.name), &setting);
  EXPECT_EQ(find_engine_setting("n_cxt"), nullptr);
  EXPECT_EQ(find_request_setting("max_token"), nullptr);
}

TEST(Settings, AreShownAsTheyAreWritten) {
  for_tables([](auto settings, const auto& usual) {
    for (const auto& setting : settings) {
      auto options = usual;
      std::vector<std::string> texts = setting.choices();
      if (texts.empty()) texts = {setting.is_flag() ? "true" : "7"};
      for (const std::string& text : texts) {
        ASSERT_TRUE(setting.set(options, text)) << setting.name;
        const std::string shown = setting.show(options);
        EXPECT_TRUE(shown.empty() || shown == text) << setting.name << " is shown as " << shown;
        if (shown.empty() && !setting.is_size()) continue;  // any text will do
        EXPECT_THAT(setting.set(options, "much").error().message, HasSubstr(setting.name));
        EXPECT_EQ(setting.show(options), shown) << "after an error";
      }
    }
  });
}

TEST(Settings, RangesHold) {
  for_tables([](auto settings, const auto& usual) {
    for (const auto& setting : settings) {
      if (!setting.is_whole()) continue;
      auto options = usual;
      const auto [min, max] = setting.range;
      for (const int64_t value : {min, max}) EXPECT_TRUE(setting.set(options, fmt::format("{}", value)));
      for (const int64_t value : {min - 1, max + 1}) {
        if (value == 0 && setting.minus_one == 0U) continue;
        EXPECT_THAT(setting.set(options, fmt::format("{}", value)).error().message, HasSubstr(setting.name));
      }
    }
  });
}

TEST(Settings, ValuesThatAreNoTextAreChecked) {
  EngineOptions options;
  options.n_threads = 1025;
  EXPECT_EQ(find_engine_setting("n_threads")->check(options).error().message,
            "n_threads is 1025; it must lie between 1 and 1024");
  EXPECT_TRUE(find_engine_setting("n_batch")->check(options)) << "0 is the default";
}

TEST(Settings, MinusOneIsNoLimit) {
  const RequestSetting& max_tokens = *find_request_setting("max_tokens");
  for (const char* none : {"-1", "-2", "0"}) {
    Request request{.max_tokens = 7};
    ASSERT_TRUE(max_tokens.set(request, none));
    EXPECT_EQ(request.max_tokens, 0U);
  }
  Request request;
  EXPECT_FALSE(max_tokens.set(request, "-3"));
}

// What the kernels can keep keys and values in, and no more.
TEST(EngineSettings, KvCacheHasTheFormatsOfTheKernels) {
  std::set<std::string> formats;
  for (const Format format : kKvFormats) formats.insert(lower_ascii(facts_of(format).name));
  const auto choices = find_engine_setting("kv_cache_type")->choices();
  EXPECT_EQ(std::set(choices.begin(), choices.end()), formats);
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

TEST(Settings, ListsGrow) {
  EngineOptions options;
  for (const char* folder : {"/a", "/b"}) ASSERT_TRUE(find_engine_setting("mirrors")->set(options, folder));
  EXPECT_THAT(options.mirrors, ::testing::ElementsAre("/a", "/b"));
  Request request;
  for (const char* text : {"\n", "User:"}) ASSERT_TRUE(find_request_setting("stop")->set(request, text));
  EXPECT_THAT(request.stop, ::testing::ElementsAre("\n", "User:"));
}

}  // namespace
}  // namespace ogas
