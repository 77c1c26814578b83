#include "sampling/sampling_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace ogas {
namespace {

using ::testing::HasSubstr;

TEST(SamplingSettings, RowsAreWhole) {
  std::set<std::string_view> names;
  for (const SamplingSetting& setting : sampling_settings()) {
    EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
    EXPECT_TRUE(setting.flags.starts_with("-")) << setting.name;
    EXPECT_LE(setting.help.size(), 84U) << setting.help;
    EXPECT_FALSE(setting.help.ends_with(".")) << setting.help;
    EXPECT_EQ(find_sampling_setting(setting.name), &setting);
    EXPECT_TRUE(setting.check({})) << "the default of " << setting.name;
    EXPECT_EQ(setting.hf_key.empty(), setting.gguf_key.empty()) << setting.name;
  }
  EXPECT_EQ(find_sampling_setting("top_q"), nullptr);
}

TEST(SamplingSettings, AreShownAsTheyAreWritten) {
  SamplingOptions options;
  for (const SamplingSetting& setting : sampling_settings()) {
    if (setting.is_list()) continue;
    const std::string value = setting.choices.empty() ? "1" : "2";
    ASSERT_TRUE(setting.set(options, value)) << setting.name;
    EXPECT_EQ(setting.show(options), value) << setting.name;
    EXPECT_THAT(setting.set(options, "much").error().message, HasSubstr(setting.name));
    EXPECT_EQ(setting.show(options), value) << "after an error";
    if (!setting.minus_one) continue;
    ASSERT_TRUE(setting.set(options, "-1")) << setting.name;
    EXPECT_EQ(setting.show(options), *setting.minus_one == 0 ? "0" : "-1") << setting.name;
  }
  EXPECT_EQ(options.top_k, 0U);
  EXPECT_EQ(options.repeat_last_n, SamplingOptions::kWholeSequence);
  EXPECT_EQ(options.seed, SamplingOptions::kRandomSeed);
  options.draw_seed();
  EXPECT_LE(options.seed, UINT32_MAX);
}

TEST(SamplingSettings, RangesHold) {
  SamplingOptions options;
  for (const SamplingSetting& setting : sampling_settings()) {
    const auto* member = std::get_if<float SamplingOptions::*>(&setting.member);
    if (!member) continue;
    for (const float wrong : {std::nextafter(static_cast<float>(setting.range.max), INFINITY),
                              std::nextafter(static_cast<float>(setting.range.min), -INFINITY), NAN}) {
      options.*(*member) = wrong;
      EXPECT_THAT(options.validate().error().message, HasSubstr(setting.name)) << wrong;
    }
    options = {};
  }
}

}  // namespace
}  // namespace ogas
