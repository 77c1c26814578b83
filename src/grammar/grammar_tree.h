// Grammars as trees of nodes: what GBNF is read into, and what other floors make grammars of where a text is more than
// one schema or one pattern, as an answer with calls of tools in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/code_points.h"
#include "grammar/schema_options.h"

namespace ogas::grammar {

struct GrammarNode {
  enum class Kind : uint8_t {
    text,
    set,            // one character of it
    rule,           // another rule, by `index`
    sequence,       // all children
    alternatives,   // one of the children
    repeat,         // the only child, min to max times
    members,        // each child at most once, in any order, `text` between them; those of `required` must come
    free_text,      // any text in which none of `marks` occurs
    not_beginning,  // any text that does not begin with a text of the only child, which holds no JSON
    control,        // the control token `index` (TokenTrie)
    // JSON by the schema `index`, or by a part of it. With a child, which is the same in the whole tree, strings are as
    // they are between two of it, without `marks`, and keys are words.
    json,
    raw_string,  // a string by the same, written without quotes and escapes; none of `marks` occurs in it
  };
  Kind kind = Kind::sequence;
  std::u32string text = {};
  CodePoints set = {};
  uint32_t index = 0;
  uint32_t min = 0, max = 0;
  std::vector<GrammarNode> children = {};
  std::vector<bool> required = {};         // by child
  std::vector<std::u32string> marks = {};  // none of them empty
  std::string pointer = {};                // JSON pointer to the part of the schema; "": all of it
  bool has_strings = true;                 // of json: else the value is not a string

  bool operator==(const GrammarNode&) const = default;
};

struct GrammarRule {
  std::string name;
  GrammarNode body = {};
  bool is_defined = false;
  bool operator==(const GrammarRule&) const = default;
};

struct GrammarTree {
  struct Schema {
    std::string text;
    SchemaOptions options = {};
    std::string name = {};  // for messages
    // Where it cannot be enforced, what can be of it is, or where nothing can, any value (as JSON, any object) may
    // come; the log says so.
    bool may_loosen = false;
    bool operator==(const Schema&) const = default;
  };
  std::vector<GrammarRule> rules = {};  // one of them is "root"
  std::vector<Schema> schemas = {};

  bool operator==(const GrammarTree&) const = default;
};

// Nodes in short.
namespace tree {
GrammarNode literal(std::string_view text);
GrammarNode sequence(std::vector<GrammarNode> children);
GrammarNode alternatives(std::vector<GrammarNode> children);
GrammarNode repeat(GrammarNode child, uint32_t min, uint32_t max);
GrammarNode optional(GrammarNode child);
GrammarNode rule(uint32_t index);
GrammarNode control(uint32_t index);
GrammarNode free_text(const std::vector<std::string>& marks);
GrammarNode json(uint32_t schema, std::string pointer = {});
GrammarNode raw_string(uint32_t schema, std::string pointer, const std::vector<std::string>& marks);
}  // namespace tree

}  // namespace ogas::grammar
