// Reads JSON Schema (drafts 4, 6, 7, 2019-09 and 2020-12) as formulas.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/formula.h"
#include "grammar/refusal.h"
#include "grammar/schema_options.h"
#include "grammar/schema_references.h"
#include "grammar/text_encoding.h"

namespace ogas::grammar {

class SchemaReader {
 public:
  // Where order is kept, properties that may be anything are atoms, too, so that their order is known.
  SchemaReader(Formulas& formulas, TextEncoding& strings, NumberLanguage& numbers, const JsonValue& root,
               const SchemaOptions& options);

  // Reads the part of the document that a JSON pointer names ("": all of it), and everything that can be reached from
  // there. Throws Refusal with the JSON pointer of what is refused.
  FormulaId read(std::string_view pointer = {});
  // What references refer to, by their index, once read() is done.
  std::vector<FormulaId> targets() const;
  // Where each `uniqueItems` is, by its atom's number.
  const std::vector<std::string>& unique_pointers() const { return unique_pointers_; }

 private:
  using Keyword = FormulaId (SchemaReader::*)(const JsonValue& schema, const JsonValue& value);
  struct Target {
    SchemaReferences::Target where;
    FormulaId formula = kNever;
  };
  class Location;

  static const std::unordered_map<std::string_view, Keyword>& keywords();
  FormulaId schema(const JsonValue& value, std::string_view token);
  FormulaId read_object(const JsonValue& schema);
  FormulaId read_keyword(const JsonValue& schema, const std::string& key, const JsonValue& value);
  FormulaId constant(const JsonValue& value);
  FormulaId refer(const SchemaReferences::Target& target);
  NodeId pattern(const std::string& text);
  std::vector<FormulaId> list_of(const JsonValue& value);
  uint32_t count(const JsonValue& value);
  Decimal number(const JsonValue& value);
  FormulaId bound(const JsonValue& schema, const JsonValue& value, bool is_minimum, bool is_exclusive);
  FormulaId text_atom(NodeId node);
  // Which keys of an object a schema looks at, in place and through allOf and $ref.
  bool evaluated_keys(const JsonValue& schema, KeySet& keys, bool& has_all, int depth);
  bool evaluated_items(const JsonValue& schema, uint32_t& n_items, int depth);

  FormulaId type(const JsonValue& schema, const JsonValue& value);
  FormulaId enumeration(const JsonValue& schema, const JsonValue& value);
  FormulaId const_value(const JsonValue& schema, const JsonValue& value);
  FormulaId all_of(const JsonValue& schema, const JsonValue& value);
  FormulaId any_of(const JsonValue& schema, const JsonValue& value);
  FormulaId one_of(const JsonValue& schema, const JsonValue& value);
  FormulaId not_schema(const JsonValue& schema, const JsonValue& value);
  FormulaId if_schema(const JsonValue& schema, const JsonValue& value);
  FormulaId ref(const JsonValue& schema, const JsonValue& value);
  FormulaId dynamic_ref(const JsonValue& schema, const JsonValue& value);
  FormulaId recursive_ref(const JsonValue& schema, const JsonValue& value);
  FormulaId properties(const JsonValue& schema, const JsonValue& value);
  FormulaId pattern_properties(const JsonValue& schema, const JsonValue& value);
  FormulaId additional_properties(const JsonValue& schema, const JsonValue& value);
  FormulaId unevaluated_properties(const JsonValue& schema, const JsonValue& value);
  FormulaId property_names(const JsonValue& schema, const JsonValue& value);
  FormulaId required(const JsonValue& schema, const JsonValue& value);
  FormulaId min_properties(const JsonValue& schema, const JsonValue& value);
  FormulaId max_properties(const JsonValue& schema, const JsonValue& value);
  FormulaId dependent(const JsonValue& schema, const JsonValue& value);
  FormulaId items(const JsonValue& schema, const JsonValue& value);
  FormulaId prefix_items(const JsonValue& schema, const JsonValue& value);
  FormulaId additional_items(const JsonValue& schema, const JsonValue& value);
  FormulaId unevaluated_items(const JsonValue& schema, const JsonValue& value);
  FormulaId contains(const JsonValue& schema, const JsonValue& value);
  std::optional<std::vector<const JsonValue*>> finite_values(const JsonValue& schema, int& n_schemas) const;
  FormulaId unique_items(const JsonValue& schema, const JsonValue& value);
  FormulaId min_items(const JsonValue& schema, const JsonValue& value);
  FormulaId max_items(const JsonValue& schema, const JsonValue& value);
  FormulaId min_length(const JsonValue& schema, const JsonValue& value);
  FormulaId max_length(const JsonValue& schema, const JsonValue& value);
  FormulaId string_pattern(const JsonValue& schema, const JsonValue& value);
  FormulaId format(const JsonValue& schema, const JsonValue& value);
  FormulaId minimum(const JsonValue& schema, const JsonValue& value);
  FormulaId maximum(const JsonValue& schema, const JsonValue& value);
  FormulaId exclusive_minimum(const JsonValue& schema, const JsonValue& value);
  FormulaId exclusive_maximum(const JsonValue& schema, const JsonValue& value);
  FormulaId multiple_of(const JsonValue& schema, const JsonValue& value);

  Formulas& formulas_;
  TextEncoding& strings_;
  NumberLanguage& numbers_;
  bool ref_has_no_siblings_;  // drafts up to 7: what is next to a $ref does not count
  SchemaReferences references_;
  bool is_lenient_, keeps_names_;
  bool integers_have_no_point_ = false;  // draft 4: 1.0 is not an integer
  std::string pointer_;                  // of what is read
  std::unordered_map<const JsonValue*, FormulaId> known_;
  std::unordered_map<std::string, NodeId> patterns_;
  std::unordered_map<const JsonValue*, uint32_t> target_index_;
  std::vector<Target> targets_;
  size_t n_targets_read_ = 0;
  std::vector<std::string> unique_pointers_;
};

}  // namespace ogas::grammar
