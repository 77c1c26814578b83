#include "grammar/schema_items.h"

#include <utility>

#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

SchemaOptions options_of(const JsonValue& document, SchemaOptions options) {
  const JsonValue* asked = document.find("x-ogas-lenient");
  options.is_lenient |= asked && asked->boolean;
  return options;
}

JsonLayout layout_of(const SchemaOptions& options, NodeId string_mark, NodeId writable) {
  JsonLayout layout{.has_spaces = options.has_spaces,
                    .keeps_order = options.keeps_order,
                    .string_mark = string_mark,
                    .strings = writable};
  if (options.words == SchemaOptions::Words::python) {
    layout.true_word = "True";
    layout.false_word = "False";
  }
  if (options.words != SchemaOptions::Words::json) layout.null_word = "None";
  return layout;
}

}  // namespace

SchemaItems::SchemaItems(Automaton& automaton, TextEncoding& strings, NumberLanguage& numbers, std::string_view schema,
                         const SchemaOptions& options, NodeId string_mark, NodeId writable)
    : SchemaItems(automaton, strings, numbers, parse_json(schema), options, layout_of(options, string_mark, writable)) {
}

SchemaItems::SchemaItems(Automaton& automaton, TextEncoding& strings, NumberLanguage& numbers, JsonValue document,
                         const SchemaOptions& options, const JsonLayout& layout)
    : document_(std::move(document)),
      reader_(formulas_, strings, numbers, document_, options_of(document_, options)),
      solver_(automaton, formulas_, strings, numbers),
      items_(solver_, layout) {}

std::vector<Literal> SchemaItems::literals_at(std::string_view pointer) {
  const FormulaId formula = reader_.read(pointer);
  solver_.set_references(reader_.targets(), reader_.unique_pointers());
  return {literal(formula)};
}

std::optional<ItemId> SchemaItems::values_at(std::string_view pointer, bool has_strings) {
  std::vector<Literal> literals = literals_at(pointer);
  if (!has_strings) literals.push_back(literal(formulas_.types(kAllTypes & ~kStringType)));
  const ValueId value = solver_.value(std::move(literals));
  if (!solver_.is_satisfiable(value)) return std::nullopt;
  items_.explore(value);
  return items_.root(value);
}

NodeId SchemaItems::strings_at(std::string_view pointer) {
  return solver_.strings(solver_.value(literals_at(pointer)));
}

}  // namespace ogas::grammar
