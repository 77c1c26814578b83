#include "cli/options/grammar_options.h"

#include "base/file.h"
#include "cli/options/options.h"

namespace ogas::cli {
namespace {

constexpr const char* kGroup = "Form of the answer";
constexpr size_t kMaxFile = size_t{16} << 20;

}  // namespace

void GrammarOptions::add_to(CLI::App& app) {
  CLI::Option* schema = app.add_option("--schema,--json-schema-file", schema_file,
                                       "The answer is JSON that satisfies the JSON Schema in this file");
  schema->type_name("FILE")->check(some_text());
  CLI::Option* object = app.add_flag("--json-object", json_object, "The answer is a JSON object");
  CLI::Option* pattern = app.add_option("--regex", regex, "The answer matches this regular expression (ECMA 262)");
  pattern->type_name("PATTERN")->check(some_text());
  CLI::Option* gbnf =
      app.add_option("--grammar,--grammar-file", grammar_file, "The answer matches the GBNF grammar in this file");
  gbnf->type_name("FILE")->check(some_text());
  CLI::Option* choice = app.add_option("--choice", choices, "The answer is this text, or that of another --choice");
  choice->type_name("TEXT")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)
      ->check(some_text());
  const auto all = {schema, object, pattern, gbnf, choice};
  for (CLI::Option* one : all) {
    one->group(kGroup);
    for (CLI::Option* other : all)
      if (one != other) one->excludes(other);
  }
  app.add_flag("--compact-json", is_compact, "JSON without spaces and new lines between its parts")->group(kGroup);
  app.add_flag("--lenient-schema", is_lenient, "Leave out what of the schema cannot be enforced, instead of an error")
      ->group(kGroup)
      ->needs(schema);
}

Result<std::optional<grammar::GrammarSource>> GrammarOptions::source() const {
  using Kind = grammar::GrammarSource::Kind;
  grammar::GrammarSource source;
  source.json = {.has_spaces = !is_compact, .keeps_order = true, .is_lenient = is_lenient};
  std::string file;  // that the text came from
  if (!schema_file.empty()) {
    file = schema_file;
  } else if (json_object) {
    source.text = R"({"type": "object"})";
  } else if (!regex.empty()) {
    source.kind = Kind::regex;
    source.text = regex;
  } else if (!grammar_file.empty()) {
    source.kind = Kind::gbnf;
    file = grammar_file;
  } else if (!choices.empty()) {
    source.kind = Kind::choice;
    source.choices = choices;
  } else {
    return std::nullopt;
  }
  if (!file.empty()) source.text = OGAS_TRY(read_file(file, kMaxFile));
  const auto compiled = grammar::compile(source);
  if (compiled) return source;
  return fail(ErrorCode::usage, "{}{}", file.empty() ? "" : file + ": ", compiled.error().message);
}

}  // namespace ogas::cli
