// ogas grammar check: whether a schema or a grammar can be enforced, and whether texts are what it asks for.
#include <algorithm>

#include "base/quote.h"
#include "cli/commands/commands.h"
#include "cli/options/help.h"
#include "cli/options/input_text.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "engine/answer_grammars.h"

namespace ogas::cli {
namespace {

using grammar::GrammarSource;

struct CheckOptions {
  std::string action, file;
  std::vector<std::string> instances;
  bool is_gbnf = false, is_regex = false, is_lenient = false, explains = false, json = false;
};

struct Instance {
  std::string file = {};
  bool is_valid = false;
  size_t byte = 0, line = 0, column = 0;  // of what breaks it; line and column from 1
  std::string found = {};                 // there
  std::vector<std::string> expected = {};
};

// "a" to "z" for stretches of bytes, "\xE2" for those that are not a character.
std::vector<std::string> stretches_of(const std::vector<uint8_t>& bytes) {
  const auto shown = [](uint8_t byte) {
    return byte >= 0x20 && byte < 0x7f ? in_quotes(std::string(1, static_cast<char>(byte)))
                                       : fmt::format("\\x{:02X}", byte);
  };
  std::vector<std::string> stretches;
  for (size_t begin = 0, end = 0; begin < bytes.size(); begin = end) {
    for (end = begin + 1; end < bytes.size() && bytes[end] == bytes[end - 1] + 1;) ++end;
    const bool is_long = end - begin > 2;
    if (is_long) stretches.push_back(shown(bytes[begin]) + " to " + shown(bytes[end - 1]));
    if (!is_long)
      for (size_t idx = begin; idx < end; ++idx) stretches.push_back(shown(bytes[idx]));
  }
  return stretches;
}

Result<Instance> check_instance(const std::string& file, const std::shared_ptr<const grammar::Grammar>& grammar,
                                bool is_json) {
  std::string text = OGAS_TRY(read_text(file));
  if (!is_json && text.ends_with('\n')) text.pop_back();
  grammar::CompactJson compact = grammar::without_spaces(text);
  const std::string& checked = is_json ? compact.text : text;
  const auto check = OGAS_TRY(grammar::check_text(grammar, checked));
  Instance instance{.file = file, .is_valid = check.takes(checked)};
  if (instance.is_valid) return instance;
  instance.byte = is_json ? compact.offsets[check.n_taken] : check.n_taken;
  const std::string_view before = std::string_view(text).substr(0, instance.byte);
  instance.line = static_cast<size_t>(std::ranges::count(before, '\n')) + 1;
  instance.column = instance.byte - (before.rfind('\n') + 1) + 1;
  constexpr size_t kShown = 20;
  instance.found = text.substr(instance.byte, kShown);
  instance.expected = stretches_of(check.next);
  if (check.is_complete) instance.expected.emplace_back("the end");
  return instance;
}

std::string describe(const Instance& instance, bool explains) {
  if (instance.is_valid) return instance.file + ": valid\n";
  const std::string found = instance.found.empty() ? "the end" : in_quotes(instance.found);
  std::string text =
      fmt::format("{}:{}:{}: invalid: {} may not come here\n", instance.file, instance.line, instance.column, found);
  if (explains) text += fmt::format("  expected: {}\n", fmt::join(instance.expected, ", "));
  return text;
}

Result<int> check(const CheckOptions& options) {
  GrammarSource source{.text = OGAS_TRY(read_text(options.file)), .json = {.is_lenient = options.is_lenient}};
  if (options.is_regex) {
    source.kind = GrammarSource::Kind::regex;
    if (source.text.ends_with('\n')) source.text.pop_back();
  } else if (options.is_gbnf || options.file.ends_with(".gbnf")) {
    source.kind = GrammarSource::Kind::gbnf;
  }
  const bool is_json = source.kind == GrammarSource::Kind::json_schema;
  const auto compiled = grammar::compile(source);
  nlohmann::ordered_json json = {{"file", options.file}, {"can_be_enforced", compiled.has_value()}};
  if (!compiled) {
    json["reason"] = compiled.error().message;
    if (options.json)
      write_json(json);
    else
      write_foreign(fmt::format("{}: cannot be enforced: {}\n", options.file, compiled.error().message));
    return kFailure;
  }
  bool all_valid = true;
  if (!options.json && options.instances.empty()) write_stdout(options.file + ": can be enforced\n");
  for (const std::string& file : options.instances) {
    const Instance instance = OGAS_TRY(check_instance(file, *compiled, is_json));
    all_valid = all_valid && instance.is_valid;
    if (!options.json) write_foreign(describe(instance, options.explains));
    nlohmann::ordered_json one = {{"file", file}, {"valid", instance.is_valid}};
    if (!instance.is_valid)
      one.update({{"byte", instance.byte},
                  {"line", instance.line},
                  {"column", instance.column},
                  {"expected", instance.expected}});
    json["instances"].push_back(std::move(one));
  }
  if (options.json) write_json(json);
  return all_valid ? kSuccess : kFailure;
}

}  // namespace

void add_grammar(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* check_app = app.add_subcommand("grammar", "Check a JSON Schema, a GBNF grammar or a pattern");
  check_app->add_option("ACTION", options->action, "check: say whether it can be enforced, and what breaks it")
      ->required()
      ->check(one_of({"check"}));
  check_app->add_option("FILE", options->file, "A JSON Schema, or a GBNF grammar (.gbnf); - for stdin")->required();
  check_app
      ->add_option("--instance", options->instances, "Check whether the text in this file satisfies it; several times")
      ->type_name("FILE")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  check_app->add_flag("--explain", options->explains, "Of what is invalid: which characters could come there");
  CLI::Option* gbnf = check_app->add_flag("--gbnf", options->is_gbnf, "FILE is a GBNF grammar, whatever its name");
  CLI::Option* regex =
      check_app->add_flag("--regex", options->is_regex, "FILE is a regular expression (ECMA 262) for the whole text");
  gbnf->excludes(regex);
  check_app->add_flag("--lenient-schema", options->is_lenient, "Leave out what of the schema cannot be enforced")
      ->excludes(gbnf)
      ->excludes(regex);
  check_app->add_flag("--json", options->json, "One JSON object");
  check_app->footer(
      "No model is needed. Exit code: 0 all is well, 1 it cannot be enforced or an instance is invalid.\n"
      "Examples:\n"
      "  ogas grammar check person.schema.json\n"
      "  ogas grammar check person.schema.json --instance goethe.json --instance schiller.json --explain\n"
      "  echo '\\d{4}-\\d{2}' | ogas grammar check - --regex");
  when_asked(check_app, chosen, options, check);
}

}  // namespace ogas::cli
