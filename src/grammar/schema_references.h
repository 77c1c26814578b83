// What `$ref` and its relatives point to within one schema document.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "grammar/json_document.h"

namespace ogas::grammar {

class SchemaReferences {
 public:
  // Finds the identifiers and anchors of the document, which must outlive this.
  // ref_has_no_siblings: an identifier next to a $ref does not count.
  SchemaReferences(const JsonValue& root, bool ref_has_no_siblings);

  struct Target {
    const JsonValue* schema;
    std::string pointer;  // for messages
  };
  // What a JSON pointer from the document's root names. Throws Refusal: nothing.
  Target at(std::string_view pointer) const;
  // What a reference that is written in `from` points to. Throws Refusal: nothing, or another document.
  Target find(const JsonValue& from, std::string_view reference) const;
  // $dynamicRef and $recursiveRef, where no dynamic scope can change what they point to. Throws Refusal if one can.
  Target find_dynamic(const JsonValue& from, std::string_view reference) const;
  Target find_recursive(const JsonValue& from, std::string_view reference) const;

 private:
  void collect(const JsonValue& value, const std::string& pointer, const std::string& base);
  void collect_children(const JsonValue& value, const std::string& pointer, const std::string& base);
  Target follow(const Target& start, std::string_view pointer) const;

  const JsonValue& root_;
  bool ref_has_no_siblings_;
  std::unordered_map<const JsonValue*, std::string> bases_;  // of each object, its base URI
  std::map<std::string, Target, std::less<>> resources_;     // by URI without fragment
  std::map<std::string, Target, std::less<>> anchors_;       // by URI + '#' + name
  std::map<std::string, int, std::less<>> n_dynamic_;        // dynamic anchors of a name
  bool has_recursive_anchor_ = false;
};

}  // namespace ogas::grammar
