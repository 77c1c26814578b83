#include "cli/options/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ranges>

#include "cli/options/add_setting.h"
#include "cli/options/help.h"
#include "cli/options/setting_flags.h"

namespace ogas::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What engine options a command line has.
EngineOptions parse(std::vector<std::string> arguments) {
  CLI::App app;
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // as program.cc
  ModelOptions model;
  model.add_to(app);
  model.add_prefix_cache_to(app);
  std::ranges::reverse(arguments);  // as CLI11 wants them
  app.parse(arguments);
  return model.settings;
}

std::vector<std::string> names_of(std::string_view flags) {
  std::vector<std::string> names;
  for (const auto one : std::views::split(flags, ',')) names.emplace_back(std::string_view(one));
  return names;
}

// By all of its names, also by that which every face has.
TEST(ModelOptions, TakeEveryEngineSetting) {
  for (const EngineSetting& setting : engine_settings()) {
    if (setting.flags.empty()) continue;
    const std::string value = setting.choices().empty() ? "3" : setting.choices().back();
    std::string own = "--" + std::string(setting.name);
    std::ranges::replace(own, '_', '-');
    const auto names = names_of(all_flags(setting.flags, setting.aliases, setting.name));
    EXPECT_THAT(names, ::testing::Contains(own));
    EngineOptions expected;
    ASSERT_TRUE(setting.set(expected, value));
    for (const std::string& name : names)
      std::visit([&](auto member) { EXPECT_EQ(parse({name, value}).*member, expected.*member) << name; },
                 setting.member);
    EXPECT_THROW(parse({names.front()}), CLI::ParseError) << "without a value";
    if (setting.type != "FOLDER") {
      EXPECT_THROW(parse({names.front(), "much"}), CLI::ValidationError);
    }
  }
  EXPECT_EQ(parse({"--ctx", "8", "-c", "9"}).n_ctx, 9U) << "the last one counts";
  EXPECT_EQ(parse({"--mirror", "/a", "--mirror", "/b"}).mirrors.size(), 2U);
}

// What a command line makes of the rows of a table.
template <class Options>
Options parse_rows(std::span<const SettingOf<Options>> settings, std::vector<std::string> arguments) {
  CLI::App app;
  Options options;
  for (const auto& setting : settings)
    if (!setting.flags.empty()) add_setting(app, setting, options);
  std::ranges::reverse(arguments);
  app.parse(arguments);
  return options;
}

template <class Options>
void expect_all_names_taken(std::span<const SettingOf<Options>> settings) {
  for (const auto& setting : settings) {
    if (setting.flags.empty()) continue;
    const std::string value = setting.is_flag() ? "true" : "3";
    Options expected;
    ASSERT_TRUE(setting.set(expected, value));
    for (const std::string& name : names_of(all_flags(setting.flags, setting.aliases, setting.name))) {
      const Options made = parse_rows(settings, setting.is_flag() ? std::vector{name} : std::vector{name, value});
      std::visit([&](auto member) { EXPECT_EQ(made.*member, expected.*member) << name; }, setting.member);
    }
    if (setting.is_whole()) {
      EXPECT_THROW(parse_rows(settings, {names_of(setting.flags).front(), "much"}), CLI::ValidationError);
    }
  }
}

TEST(RowsAsOptions, AreTakenByAllNames) {
  expect_all_names_taken(scheduler_settings());
  expect_all_names_taken(request_settings());
}

TEST(RowsAsOptions, MinusOneIsNoLimit) {
  EXPECT_EQ(parse_rows(request_settings(), {"--n-predict", "-1"}).max_tokens, 0U);
  EXPECT_THROW(parse_rows(request_settings(), {"--n-predict", "0"}), CLI::ValidationError);
}

// Spellings that people and scripts use: a row may get more, and loses none.
TEST(RowsAsOptions, KeepTheirSpellings) {
  CLI::App app;
  ModelOptions model;
  AnswerOptions answer;
  SchedulerOptions scheduler;
  model.add_to(app);
  model.add_prefix_cache_to(app);
  answer.add_to(app);
  for (const SchedulerSetting& setting : scheduler_settings()) add_setting(app, setting, scheduler);
  for (const char* flags :
       {"-c,--ctx,--ctx-size,-t,--threads,-b,--batch,--batch-size,--kv-cache-type,--kv-type,--ram,--expert-cache",
        "--n-expert-used,--experts,--min-expert-weight,--min-weight,--mirror,--expert-prefetch,--look-ahead",
        "--kv-budget,--prefix-cache,-n,--max-tokens,--n-predict,--stop,--ignore-eos,--context-shift,--keep,--parallel",
        "--queue,--temp,--temperature,--top-k,--top-p,--min-p,--repeat-penalty,--repetition-penalty",
        "--frequency-penalty,--presence-penalty,--repeat-last-n,-s,--seed,--typical,--typical-p,--xtc-probability",
        "--xtc-threshold,--dry-multiplier,--dry-base,--dry-allowed-length,--dry-penalty-last-n",
        "--dry-sequence-breaker,--mirostat,--mirostat-ent,--mirostat-tau,--mirostat-lr,--mirostat-eta,--logit-bias",
        "--ban-token,--require-token,--greedy"})
    for (const std::string& flag : names_of(flags)) EXPECT_NO_THROW(app.get_option(flag)) << flag;
}

TEST(ModelOptions, HelpShowsOneSpelling) {
  CLI::App app;
  ModelOptions model;
  AnswerOptions answer;
  app.formatter(make_help_formatter());
  model.add_to(app);
  answer.add_to(app);
  const std::string help = app.help();
  for (const char* shown : {"-c,--ctx,--ctx-size N ", "--kv-cache-type f16|bf16|f32|q8_0|q4_0\n", "--expert-prefetch ",
                            "--temp,--temperature X ", "(default: f16)", "(default: free memory)"})
    EXPECT_THAT(help, HasSubstr(shown));
  for (const char* hidden : {"--n-ctx", "--kv-type", "--look-ahead", "--experts", "--mirrors", "--banned-tokens"}) {
    EXPECT_THAT(help, Not(HasSubstr(hidden)));
    EXPECT_TRUE(is_hidden_flag(hidden));
    EXPECT_NO_THROW(app.get_option(hidden));
  }
}

}  // namespace
}  // namespace ogas::cli
