#include "grammar/tree_schemas.h"

#include <utility>

namespace ogas::grammar {
namespace {

constexpr std::string_view kNothingEnforced = R"({"$defs": {"object": {"type": "object"}}})";

}  // namespace

TreeSchemas::TreeSchemas(Automaton& automaton, TextEncoding& texts, std::vector<GrammarTree::Schema> schemas)
    : automaton_(automaton), texts_(texts), schemas_(std::move(schemas)) {
  if (schemas_.empty()) return;
  json_strings_.emplace(automaton.regexes(), TextEncoding::Kind::json_string);
  numbers_.emplace(automaton.regexes());
}

SchemaItems& TreeSchemas::of_json(SchemaReading reading) {
  return find(of_json_, reading.has_marks ? texts_ : *json_strings_, reading);
}

SchemaItems& TreeSchemas::of_texts(SchemaReading reading) { return find(of_texts_, texts_, reading); }

SchemaItems& TreeSchemas::find(Readings& readings, TextEncoding& strings, SchemaReading reading) {
  auto& items = readings[reading];
  if (items) return *items;
  const GrammarTree::Schema& schema = schemas_[reading.schema];
  SchemaOptions options = schema.options;
  options.is_lenient |= reading.enforcement != Enforcement::all;
  const std::string_view text =
      reading.enforcement == Enforcement::nothing ? kNothingEnforced : std::string_view(schema.text);
  items = std::make_unique<SchemaItems>(automaton_, strings, *numbers_, text, options,
                                        reading.has_marks ? string_mark_ : kNothing,
                                        reading.has_marks ? writable_ : kAnything);
  return *items;
}

}  // namespace ogas::grammar
