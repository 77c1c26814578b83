// JSON by a schema, or by parts of one, as items of a parser that may read other things, too.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "grammar/json_items.h"
#include "grammar/schema_options.h"
#include "grammar/schema_reader.h"
#include "grammar/schema_solver.h"

namespace ogas::grammar {

class SchemaItems {
 public:
  // strings: how contents of strings are written, and with them what patterns mean. string_mark, writable: as in
  // JsonLayout. Throws Refusal.
  SchemaItems(Automaton& automaton, TextEncoding& strings, NumberLanguage& numbers, std::string_view schema,
              const SchemaOptions& options, NodeId string_mark = kNothing, NodeId writable = kAnything);

  // The values that a part of the schema allows, by its JSON pointer; none where there are none. has_strings: else no
  // strings. Throws Refusal.
  std::optional<ItemId> values_at(std::string_view pointer, bool has_strings = true);
  // The contents of the strings among them; kNothing where there are none.
  NodeId strings_at(std::string_view pointer);
  JsonItems& items() { return items_; }

 private:
  SchemaItems(Automaton& automaton, TextEncoding& strings, NumberLanguage& numbers, JsonValue document,
              const SchemaOptions& options, const JsonLayout& layout);
  std::vector<Literal> literals_at(std::string_view pointer);

  JsonValue document_;
  Formulas formulas_;
  SchemaReader reader_;
  SchemaSolver solver_;
  JsonItems items_;
};

}  // namespace ogas::grammar
