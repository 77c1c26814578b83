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

// What people may rely on: other values are refused on every face, and requests over HTTP may have narrower ranges.
TEST(SamplingSettings, RangesAreThosePublished) {
  using Range = SamplingSetting::Range;
  struct Row {
    std::string_view name;
    Range range, json_range;
  };
  for (const auto& [name, range, json_range] :
       std::initializer_list<Row>{{"temperature", {0, 100}, {0, 2}},
                                  {"top_p", {0, 1}, {0, 1}},
                                  {"min_p", {0, 1}, {0, 1}},
                                  {"typical_p", {0, 1}, {0, 1}},
                                  {"repetition_penalty", {0.01, 100}, {0.01, 100}},
                                  {"frequency_penalty", {-100, 100}, {-2, 2}},
                                  {"presence_penalty", {-100, 100}, {-2, 2}},
                                  {"xtc_probability", {0, 1}, {0, 1}},
                                  {"xtc_threshold", {0, 1}, {0, 1}},
                                  {"dry_multiplier", {0, 100}, {0, 100}},
                                  {"dry_base", {1, 100}, {1, 100}},
                                  {"dry_penalty_last_n", {-1, INT32_MAX}, {-1, INT32_MAX}},
                                  {"mirostat_tau", {0, 100}, {0, 100}},
                                  {"mirostat_eta", {0, 1}, {0, 1}}}) {
    const SamplingSetting* setting = find_sampling_setting(name);
    ASSERT_NE(setting, nullptr) << name;
    EXPECT_EQ(setting->range.min, range.min) << name;
    EXPECT_EQ(setting->range.max, range.max) << name;
    EXPECT_EQ(setting->json_range.min, json_range.min) << name;
    EXPECT_EQ(setting->json_range.max, json_range.max) << name;
  }
}

// Names that requests and callers of the C API have used.
TEST(SamplingSettings, KeepTheirFormerNames) {
  for (const auto& [name, alias] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"repetition_penalty", "repeat_penalty"}, {"repeat_last_n", "penalty_window"}})
    EXPECT_EQ(find_sampling_setting(name)->json_alias, alias);
  for (const auto& [name, alias] :
       std::initializer_list<std::pair<std::string_view, std::string_view>>{{"repeat_last_n", "penalty_window"},
                                                                            {"dry_penalty_last_n", "dry_window"},
                                                                            {"dry_sequence_breakers", "dry_breakers"}})
    EXPECT_EQ(find_sampling_setting(name)->c_alias, alias);
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
