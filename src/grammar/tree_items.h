// The rules of a grammar tree as items of a parser. Rules that do not lead back to themselves, and hold no JSON, are
// expressions, each read as one lexeme; the others are items of their own.
#pragma once

#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/grammar_tree.h"
#include "grammar/pushdown.h"
#include "grammar/tree_schemas.h"

namespace ogas::grammar {

class TreeItems final : public ItemSource {
 public:
  // Throws Refusal: a rule that begins with itself, a root that matches no text, or a schema that is refused.
  TreeItems(Automaton& automaton, TextEncoding& encoding, GrammarTree tree);

  ItemId root() { return item({.node = &rules_[root_].body}); }
  ItemExpansion expand(ItemId item) override;
  std::vector<ItemId> follow(Tag tag, ItemId item, std::optional<std::string_view> written) override;

 private:
  // A part of a rule: a node; or what is left of a repetition or of members; or a part of a sequence that is one
  // lexeme; or an item of a schema.
  struct Part {
    enum class Kind : uint8_t { node, repeat, members, lexeme, json };
    Kind kind = Kind::node;
    const GrammarNode* node = nullptr;
    NodeId lexeme = kNothing;
    uint32_t min = 0, max = 0;
    std::vector<bool> seen = {};  // of members
    SchemaReading reading = {};
    ItemId inner = 0;  // of the reading's items
    auto operator<=>(const Part&) const = default;
  };

  ItemId item(const Part& part);
  ItemId json_item(SchemaReading reading, ItemId inner);
  std::vector<ItemId> json_items(SchemaReading reading, std::vector<ItemId> inner);
  void read_schemas(const GrammarNode& node);
  void read_schema(const GrammarNode& node, Enforcement enforcement);
  bool is_regular(const GrammarNode& node) const;
  bool is_nullable(const GrammarNode& node) const;
  bool is_productive(const GrammarNode& node) const;
  NodeId regular(const GrammarNode& node);
  ItemExpansion expand_node(const GrammarNode& node);
  ItemExpansion expand_repeat(const Part& part);
  ItemExpansion expand_members(const Part& part);
  ItemExpansion expand_json(const Part& part);
  NodeId without_marks(NodeId texts, const std::vector<std::u32string>& marks);
  std::vector<ItemId> sequence(const GrammarNode& node);
  void find_regular();
  void find_nullable();
  void find_productive();
  void refuse_left_recursion() const;
  void rules_first(const GrammarNode& node, std::vector<uint32_t>& rules) const;

  Automaton& automaton_;
  TextEncoding& encoding_;
  TreeSchemas schemas_;
  std::vector<GrammarRule> rules_;
  size_t root_ = 0;
  std::vector<bool> is_regular_, is_nullable_, is_productive_;  // by rule
  std::vector<std::optional<NodeId>> expressions_;              // of regular rules
  std::vector<Part> parts_;                                     // by item
  std::map<Part, ItemId> known_;                                // but those of schemas
  std::map<std::pair<SchemaReading, ItemId>, ItemId> known_json_;
  std::unordered_map<const GrammarNode*, ItemId> json_roots_;  // where any value may come
  std::unordered_map<const GrammarNode*, NodeId> raw_strings_;
};

}  // namespace ogas::grammar
