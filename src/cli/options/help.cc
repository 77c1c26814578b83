#include "cli/options/help.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/quote.h"
#include "cli/options/did_you_mean.h"
#include "cli/options/setting_flags.h"

namespace ogas::cli {
namespace {

constexpr size_t kTextColumn = 36, kWidth = 120;

// With new lines for spaces, so that none has more than n bytes where that can be.
std::string wrapped(std::string text, size_t n) {
  size_t begin = 0;
  while (text.size() - begin > n) {
    const size_t space = text.rfind(' ', begin + n);
    if (space == std::string::npos || space <= begin) break;
    text[space] = '\n';
    begin = space + 1;
  }
  return text;
}

std::vector<const CLI::App*> subcommands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kTextColumn); }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string text = "\nUsage: " + name;
    if (!subcommands_of(*app).empty()) text += " COMMAND";
    for (const CLI::Option* option : app->get_options()) {
      if (!option->get_positional()) continue;
      std::istringstream words(option->get_name(true));  // "MODEL PROMPT" of run is one option
      for (std::string word; words >> word;) text += option->get_required() ? " " + word : fmt::format(" [{}]", word);
    }
    return text + " [OPTIONS]\n";
  }
  // "-c,--ctx,--ctx-size", without names that are only accepted.
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    if (is_positional) return option->get_name(true, false);
    std::istringstream names(option->get_name(false, true));
    std::string shown;
    for (std::string name; std::getline(names, name, ',');)
      if (!is_hidden_flag(name)) shown += (shown.empty() ? "" : ",") + name;
    return shown;
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_positional() || option->get_type_size() == 0) return "";
    return " " + option->get_type_name() + (option->get_required() ? " (required)" : "");
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    const std::string text = option->get_description();
    const std::string& usual = option->get_default_str();
    return wrapped(usual.empty() ? text : fmt::format("{} (default: {})", text, usual), kWidth - kTextColumn);
  }
};

// "; did you mean '--top-k'?", or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
  const auto near = closest(word, names);
  return near ? fmt::format("; did you mean '{}'?", *near) : "";
}

// What was on the command line and fits nowhere.
std::string explain_extra(const CLI::App& app, const CLI::App& command, const std::vector<std::string>& extra) {
  const auto is_option = [](const std::string& text) { return text.size() > 1 && text.starts_with('-'); };
  const auto option = std::ranges::find_if(extra, is_option);
  std::vector<std::string> names;
  if (option != extra.end()) {
    const std::string name = option->substr(0, option->find('='));
    for (const CLI::Option* known : command.get_options())
      for (const std::string& long_name : known->get_lnames())
        if (!is_hidden_flag("--" + long_name)) names.push_back("--" + long_name);
    return fmt::format("there is no option {}{}", in_quotes(name), did_you_mean(name, names));
  }
  const std::string word = extra.empty() ? "" : extra.front();
  if (&command != &app) return fmt::format("the argument {} is one too many", in_quotes(word));
  for (const CLI::App* known : subcommands_of(app)) names.push_back(known->get_name());
  return fmt::format("there is no command {}{}", in_quotes(word), did_you_mean(word, names));
}

}  // namespace

std::shared_ptr<CLI::FormatterBase> make_help_formatter() { return std::make_shared<HelpFormatter>(); }

CLI::Validator whole_number(int64_t min, int64_t max) {
  const auto check = [min, max](const std::string& text) -> std::string {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value >= min && value <= max) return "";
    const bool open = max >= std::numeric_limits<uint32_t>::max();
    return open ? fmt::format("{} is not a whole number of at least {}", in_quotes(text), min)
                : fmt::format("{} is not a whole number between {} and {}", in_quotes(text), min, max);
  };
  return {check, ""};
}

CLI::Validator whole_number_or_unbounded(int64_t min, int64_t max, uint64_t unbounded) {
  const auto check = [inside = whole_number(min, max), unbounded](std::string& text) -> std::string {
    if (text != "-1" && text != "-2") return inside(text);
    text = std::to_string(unbounded);
    return "";
  };
  return {check, ""};
}

CLI::Validator any_number() {
  const auto check = [](const std::string& text) -> std::string {
    float value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? "" : in_quotes(text) + " is not a number";
  };
  return {check, ""};
}

CLI::Validator one_of(std::vector<std::string> names) {
  const auto check = [names = std::move(names)](const std::string& text) -> std::string {
    if (std::ranges::find(names, text) != names.end()) return "";
    return fmt::format("{} is none of {}", in_quotes(text), fmt::join(names, ", "));
  };
  return {check, ""};
}

std::vector<std::string> choices_of(const CLI::Option& option) {
  std::vector<std::string> choices;
  std::istringstream list(option.get_type_name());
  for (std::string name; std::getline(list, name, '|');) choices.push_back(name);
  return choices.size() > 1 ? choices : std::vector<std::string>();
}

std::string explain_usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error))
    message = explain_extra(app, command, app.remaining(/*recurse=*/true));
  else if (dynamic_cast<const CLI::ArgumentMismatch*>(&error))  // "--seed: 1 required INT missing"
    message = message.substr(0, message.find(':')) + " needs a value";
  else if (dynamic_cast<const CLI::ExcludesError*>(&error))  // "--server excludes --ctx"
    message = message.replace(message.find(" excludes "), std::string_view(" excludes ").size(), " and ") +
              " do not go together";
  else if (dynamic_cast<const CLI::RequiredError*>(&error))  // "--out is required"
    message = message.substr(0, message.find(' ')) + " is missing";
  const std::string help = &command == &app ? "ogas --help" : fmt::format("ogas {} --help", command.get_name());
  return fmt::format("{}; see {}", message, help);
}

}  // namespace ogas::cli
