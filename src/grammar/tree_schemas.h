// The schemas of a grammar tree, each read when it is first needed.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "grammar/grammar_tree.h"
#include "grammar/schema_items.h"

namespace ogas::grammar {

// How much of a schema is enforced. Each level is tried where the one before is refused, and the schema may loosen.
enum class Enforcement : uint8_t { all, what_can_be, nothing };
inline constexpr Enforcement kEnforcements[] = {Enforcement::all, Enforcement::what_can_be, Enforcement::nothing};

// A schema as it is read.
struct SchemaReading {
  uint32_t schema = 0;
  Enforcement enforcement = Enforcement::all;
  bool has_marks = false;  // strings are between marks of the tree's own (TreeSchemas::set_string_mark)
  auto operator<=>(const SchemaReading&) const = default;
};

class TreeSchemas {
 public:
  // Where nothing is enforced: the pointer to any object, as "" is to any value.
  static constexpr std::string_view kAnyObject = "/$defs/object";

  // texts: UTF-8.
  TreeSchemas(Automaton& automaton, TextEncoding& texts, std::vector<GrammarTree::Schema> schemas);

  const GrammarTree::Schema& schema(uint32_t index) const { return schemas_[index]; }
  // What it says of JSON. Throws Refusal.
  SchemaItems& of_json(SchemaReading reading);
  // Of readings that have marks: what is around strings, and those that can be written.
  void set_string_mark(NodeId mark, NodeId writable) {
    string_mark_ = mark;
    writable_ = writable;
  }
  // What it says of strings that are written as they are.
  SchemaItems& of_texts(SchemaReading reading);

 private:
  using Readings = std::map<SchemaReading, std::unique_ptr<SchemaItems>>;
  SchemaItems& find(Readings& readings, TextEncoding& strings, SchemaReading reading);

  Automaton& automaton_;
  TextEncoding& texts_;
  std::vector<GrammarTree::Schema> schemas_;
  std::optional<TextEncoding> json_strings_;
  std::optional<NumberLanguage> numbers_;
  Readings of_json_, of_texts_;
  NodeId string_mark_ = kNothing, writable_ = kAnything;
};

}  // namespace ogas::grammar
