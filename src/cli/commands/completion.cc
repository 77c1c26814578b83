// ogas completion: scripts that let shells complete commands, options, choices and models. Made from the application
// itself, so that they know what it knows.
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>

#include "cli/commands/commands.h"
#include "cli/options/help.h"
#include "cli/options/model_path.h"
#include "cli/options/setting_flags.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"

namespace ogas::cli {
namespace {

// One way to write an option, and what may follow it.
struct Flag {
  std::string name;  // "--top-p", "-s"
  std::string help;
  bool takes_value = false, takes_url = false;
  std::vector<std::string> choices = {};
};

struct CommandFacts {
  std::string name, help;
  std::vector<Flag> flags;
  std::vector<std::string> arguments;  // what an argument chooses from; empty where it is free
  bool takes_model = false;
  bool takes_url = false;  // and no file
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

bool takes_a_url(const CLI::Option& option) { return option.get_type_name() == "URL"; }

std::vector<Flag> flags_of(const CLI::App& app) {
  std::vector<Flag> flags;
  for (const CLI::Option* option : app.get_options()) {
    const auto add = [&](const std::string& name) {
      if (is_hidden_flag(name)) return;
      flags.push_back({name, first_line(option->get_description()), option->get_type_size() > 0, takes_a_url(*option),
                       choices_of(*option)});
    };
    for (const std::string& name : option->get_lnames()) add("--" + name);
    for (const std::string& name : option->get_snames()) add("-" + name);
  }
  return flags;
}

bool takes_model(const CLI::App& app) {
  return std::ranges::any_of(app.get_options(), [](const CLI::Option* option) {
    return option->get_positional() && option->get_name(true).find("MODEL") != std::string::npos;
  });
}

bool takes_url_first(const CLI::App& app) {
  return std::ranges::any_of(
      app.get_options(), [](const CLI::Option* option) { return option->get_positional() && takes_a_url(*option); });
}

std::vector<std::string> arguments_of(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional()) return choices_of(*option);
  return {};
}

std::vector<CommandFacts> commands_of(const CLI::App& app) {
  std::vector<CommandFacts> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    commands.push_back({command->get_name(), first_line(command->get_description()), flags_of(*command),
                        arguments_of(*command), takes_model(*command), takes_url_first(*command)});
  return commands;
}

std::string join_names(auto&& range) {
  std::string names;
  for (const auto& element : range) names += (names.empty() ? "" : " ") + element.name;
  return names;
}

// A script with each @NAME@ replaced by its text.
std::string fill(std::string script, std::initializer_list<std::pair<std::string_view, std::string>> texts) {
  for (const auto& [name, text] : texts)
    for (size_t at = 0; (at = script.find(name, at)) != std::string::npos; at += text.size())
      script.replace(at, name.size(), text);
  return script;
}

std::string bash_script(const CLI::App& app) {
  std::string cases, choices;
  for (const CommandFacts& command : commands_of(app)) {
    cases += fmt::format("    {}) flags=\"{}\"; models={}; files={} ;;\n", command.name, join_names(command.flags),
                         command.takes_model ? "yes" : "no", command.takes_url ? "no" : "yes");
    for (const Flag& flag : command.flags) {
      if (flag.takes_url) choices += fmt::format("    '{} {}') models=no files=no ;;\n", command.name, flag.name);
      if (!flag.choices.empty())
        choices += fmt::format("    '{} {}') choices='{}' ;;\n", command.name, flag.name, fmt::join(flag.choices, " "));
    }
    if (!command.arguments.empty())
      choices += fmt::format("    '{} '*) choices='{}' ;;\n", command.name, fmt::join(command.arguments, " "));
  }
  return fill(
      R"sh(# Completion of ogas for bash. In ~/.bashrc:  source <(ogas completion bash)
_ogas() {
  local word=${COMP_WORDS[COMP_CWORD]} flags= choices= models=no files=yes IFS=$'\n'
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(IFS=' ' compgen -W "@COMMANDS@ @FLAGS@" -- "$word"))
    return
  fi
  case ${COMP_WORDS[1]} in
@CASES@  esac
  case "${COMP_WORDS[1]} ${COMP_WORDS[COMP_CWORD - 1]}" in
@CHOICES@  esac
  if [[ $choices ]]; then
    COMPREPLY=($(IFS=' ' compgen -W "$choices" -- "$word"))
    return
  fi
  if [[ $word == -* ]]; then
    COMPREPLY=($(IFS=' ' compgen -W "$flags" -- "$word"))
    return
  fi
  COMPREPLY=()
  if [[ $files == yes ]]; then
    COMPREPLY=($(compgen -f -- "$word"))
  fi
  if [[ $models == yes && $word != */* ]]; then
    COMPREPLY+=($(compgen -W "$(ogas completion models 2>/dev/null)" -- "$word"))
  fi
}
complete -o filenames -F _ogas ogas
)sh",
      {{"@COMMANDS@", join_names(commands_of(app))},
       {"@FLAGS@", join_names(flags_of(app))},
       {"@CASES@", cases},
       {"@CHOICES@", choices}});
}

// Within single quotes of zsh's _arguments: no quotes, brackets or colons.
std::string zsh_text(std::string text) {
  std::erase_if(text, [](char c) { return std::string_view("'[]\\`\"").find(c) != std::string_view::npos; });
  std::ranges::replace(text, ':', ';');
  return text;
}

std::string zsh_value(const Flag& flag) {
  if (!flag.choices.empty()) return fmt::format(":value:({})", fmt::join(flag.choices, " "));
  if (flag.takes_url) return ":value:_urls";
  return flag.takes_value ? ":value:_files" : "";
}

std::string zsh_script(const CLI::App& app) {
  std::string commands, cases;
  for (const CommandFacts& command : commands_of(app)) {
    commands += fmt::format("    '{}:{}'\n", command.name, zsh_text(command.help));
    std::string arguments;
    for (const Flag& flag : command.flags)
      arguments += fmt::format("        '{}[{}]{}' \\\n", flag.name, zsh_text(flag.help), zsh_value(flag));
    const std::string rest = !command.arguments.empty() ? fmt::format("({})", fmt::join(command.arguments, " "))
                             : command.takes_model      ? "_ogas_models"
                             : command.takes_url        ? "_urls"
                                                        : "_files";
    cases += fmt::format("    {})\n      _arguments -s \\\n{}        '*:argument:{}'\n      ;;\n", command.name,
                         arguments, rest);
  }
  return fill(R"sh(#compdef ogas
# Completion of ogas for zsh. In ~/.zshrc, after compinit:  source <(ogas completion zsh)
_ogas_models() {
  local -a models
  models=(${(f)"$(ogas completion models 2>/dev/null)"})
  _alternative "models:model:($models)" 'files:file:_files'
}
_ogas() {
  local -a commands
  commands=(
@COMMANDS@  )
  if ((CURRENT == 2)); then
    _describe 'command' commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
@CASES@  esac
}
compdef _ogas ogas
)sh",
              {{"@COMMANDS@", commands}, {"@CASES@", cases}});
}

std::string fish_text(std::string text) {
  std::erase_if(text, [](char c) { return c == '\'' || c == '\\'; });
  return text;
}

std::string fish_flag(const Flag& flag, std::string_view condition) {
  const bool is_long = flag.name.starts_with("--");
  const std::string value = !flag.choices.empty() ? fmt::format(" -x -a '{}'", fmt::join(flag.choices, " "))
                            : flag.takes_url      ? " -x"
                            : flag.takes_value    ? " -r"
                                                  : "";
  return fmt::format("complete -c ogas -n '{}' {} {} -d '{}'{}\n", condition, is_long ? "-l" : "-s",
                     flag.name.substr(is_long ? 2 : 1), fish_text(flag.help), value);
}

std::string fish_script(const CLI::App& app) {
  std::string script = "# Completion of ogas for fish:  ogas completion fish > ~/.config/fish/completions/ogas.fish\n";
  for (const Flag& flag : flags_of(app)) script += fish_flag(flag, "__fish_use_subcommand");
  for (const CommandFacts& command : commands_of(app)) {
    script += fmt::format("complete -c ogas -n __fish_use_subcommand -f -a {} -d '{}'\n", command.name,
                          fish_text(command.help));
    const std::string condition = "__fish_seen_subcommand_from " + command.name;
    if (command.takes_url) script += fmt::format("complete -c ogas -n '{}' -f\n", condition);
    if (command.takes_model)
      script += fmt::format("complete -c ogas -n '{}' -a '(ogas completion models)'\n", condition);
    if (!command.arguments.empty())
      script += fmt::format("complete -c ogas -n '{}' -f -a '{}'\n", condition, fmt::join(command.arguments, " "));
    for (const Flag& flag : command.flags) script += fish_flag(flag, condition);
  }
  return script;
}

std::string model_names() {
  std::string names;
  for (const auto& model : all_models()) names += name_of_model(model) + "\n";
  return names;
}

std::string completion(const CLI::App& app, std::string_view shell) {
  if (shell == "bash") return bash_script(app);
  if (shell == "zsh") return zsh_script(app);
  if (shell == "fish") return fish_script(app);
  return model_names();
}

}  // namespace

void add_completion(CLI::App& app, Command& chosen) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion_app = app.add_subcommand("completion", "Print a completion script for a shell");
  completion_app->add_option("SHELL", *shell, "bash, zsh or fish; or models, for the names of models that lie here")
      ->required()
      ->type_name("bash|zsh|fish|models")
      ->check(one_of({"bash", "zsh", "fish", "models"}));
  completion_app->footer(
      "Examples:\n"
      "  source <(ogas completion bash)\n"
      "  ogas completion fish > ~/.config/fish/completions/ogas.fish");
  completion_app->callback([&app, shell, &chosen] {
    chosen = [&app, shell] {
      write_stdout(completion(app, *shell));
      return kSuccess;
    };
  });
}

}  // namespace ogas::cli
