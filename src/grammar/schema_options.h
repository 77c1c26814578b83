// How JSON by a schema is written, and how strictly the schema is read.
#pragma once

namespace ogas::grammar {

struct SchemaOptions {
  // Between the parts of JSON a space, or a line's end with at most 32 spaces or tabs, may be written; else nothing.
  bool has_spaces = true;
  // Members with a name of their own come in the order of the schema, and before all others. Else in any order.
  bool keeps_order = false;
  // Integers have no decimal point. Else 20.00 is one, as the specification says.
  bool plain_integers = false;
  // How true, false and null are written: so, as True, False and None, or with None alone.
  enum class Words { json, python, json_with_none } words = Words::json;
  // What cannot be enforced is left out instead of refused, as with "x-ogas-lenient": true in the schema.
  bool is_lenient = false;

  bool operator==(const SchemaOptions&) const = default;
};

// Of what models write, in the order that their prompts show it.
constexpr SchemaOptions answer_options() { return {.keeps_order = true, .plain_integers = true}; }

}  // namespace ogas::grammar
