#include "cli/options/grammar_options.h"

#include <utility>

#include "base/file.h"
#include "cli/options/options.h"

namespace ogas::cli {
namespace {

constexpr const char* kGroup = "Form of the answer";

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
  using grammar::GrammarSource;
  GrammarSource source;
  const std::string& file = schema_file.empty() ? grammar_file : schema_file;  // that the text comes from
  std::string text;
  if (!file.empty()) text = OGAS_TRY(read_file(file, kMaxGrammarFile));
  if (!schema_file.empty())
    source = GrammarSource::json_schema(std::move(text));
  else if (json_object)
    source = GrammarSource::any_object();
  else if (!regex.empty())
    source = GrammarSource::regex(regex);
  else if (!grammar_file.empty())
    source = GrammarSource::gbnf(std::move(text));
  else if (!choices.empty())
    source = GrammarSource::choice(choices);
  else
    return std::nullopt;
  source.json.has_spaces = !is_compact;
  source.json.is_lenient = is_lenient;
  const auto compiled = grammar::compile(source);
  if (compiled) return source;
  return fail(ErrorCode::usage, "{}{}", file.empty() ? "" : file + ": ", compiled.error().message);
}

}  // namespace ogas::cli
