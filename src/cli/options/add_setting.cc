#include "cli/options/add_setting.h"

#include <string>

#include "base/check.h"
#include "base/parse_size.h"
#include "base/quote.h"
#include "cli/options/help.h"
#include "cli/options/setting_flags.h"
#include "engine/options.h"
#include "engine/request.h"

namespace ogas::cli {
namespace {

// An option whose values are read as they come, by each().
CLI::Option* add_text(CLI::App& app, const std::string& names, const std::string& text) {
  return app.add_option(names, CLI::callback_t([](const CLI::results_t&) { return true; }), text);
}

CLI::Validator a_size() {
  return {[](const std::string& text) {
            return parse_size("", text) ? "" : in_quotes(text) + " is not a size such as 800M or 4G";
          },
          ""};
}

// As its type has it; the message does not name it.
template <class Options>
void add_check(CLI::Option& option, const SettingOf<Options>& setting) {
  if (const auto choices = setting.choices(); !choices.empty())
    option.check(one_of(choices));
  else if (setting.is_size())
    option.check(a_size());
  else if (setting.is_whole() && setting.minus_one)
    option.transform(whole_number_or_unbounded(setting.range.min, setting.range.max, *setting.minus_one));
  else if (setting.is_whole())
    option.check(whole_number(setting.range.min, setting.range.max));
  else if (setting.template holds<float>() || setting.template holds<double>())
    option.check(any_number());
}

// The value in help: what the row says, else a value that is not 0.
template <class Options>
std::string shown_default(const SettingOf<Options>& setting, const Options& options) {
  const std::string value = setting.show(options);
  return !setting.usual.empty() || value == "0" ? std::string(setting.usual) : value;
}

}  // namespace

template <class Options>
CLI::Option* add_setting(CLI::App& app, const SettingOf<Options>& setting, Options& options) {
  const std::string names = all_flags(setting.flags, setting.aliases, setting.name), help(setting.help);
  if (const auto* is_on = std::get_if<bool Options::*>(&setting.member))
    return app.add_flag(names, options.*(*is_on), help);
  CLI::Option* option = add_text(app, names, help)->type_name(std::string(setting.type));
  add_check(*option, setting);
  option->default_str(shown_default(setting, options));
  if (setting.is_list()) option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
  return option->each([&setting, &options](const std::string& text) {
    const auto set = setting.set(options, text);
    OGAS_CHECK(set, "a value that was checked: {}", set.error().message);
  });
}

template CLI::Option* add_setting(CLI::App&, const SettingOf<EngineOptions>&, EngineOptions&);
template CLI::Option* add_setting(CLI::App&, const SettingOf<SchedulerOptions>&, SchedulerOptions&);
template CLI::Option* add_setting(CLI::App&, const SettingOf<Request>&, Request&);

void add_size(CLI::App& app, const char* name, std::optional<uint64_t>& value, const char* text) {
  add_text(app, name, text)->type_name("SIZE")->check(a_size())->each([&value](const std::string& given) {
    value = *parse_size("", given);
  });
}

}  // namespace ogas::cli
