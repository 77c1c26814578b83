// Rules of a GBNF grammar as items of a parser. Rules that do not lead back to themselves are expressions, each read as
// one lexeme; the others are items of their own.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "grammar/gbnf_syntax.h"
#include "grammar/pushdown.h"
#include "grammar/text_encoding.h"

namespace ogas::grammar {

class GbnfItems final : public ItemSource {
 public:
  // Throws Refusal: a rule that begins with itself, or a root that matches no text.
  GbnfItems(Automaton& automaton, TextEncoding& encoding, std::vector<GbnfRule> rules);

  ItemId root() { return item({.node = &rules_[root_].body}); }
  ItemExpansion expand(ItemId item) override;
  std::vector<ItemId> follow(Tag, ItemId, std::optional<std::string_view>) override { return {}; }
  bool looks_back(Tag) const override { return false; }

 private:
  // A part of a rule: a node; or what is left of a repetition; or a part of a sequence that is one lexeme.
  struct Part {
    const GbnfNode* node = nullptr;
    NodeId lexeme = kNothing;
    uint32_t min = 0, max = 0;
    bool is_repeat = false;
    auto operator<=>(const Part&) const = default;
  };

  ItemId item(const Part& part);
  bool is_regular(const GbnfNode& node) const;
  bool is_nullable(const GbnfNode& node) const;
  bool is_productive(const GbnfNode& node) const;
  NodeId regular(const GbnfNode& node);
  ItemExpansion expand_node(const GbnfNode& node);
  ItemExpansion expand_repeat(const Part& part);
  std::vector<ItemId> sequence(const GbnfNode& node);
  void find_regular();
  void find_nullable();
  void find_productive();
  void refuse_left_recursion() const;
  void rules_first(const GbnfNode& node, std::vector<uint32_t>& rules) const;

  Automaton& automaton_;
  TextEncoding& encoding_;
  std::vector<GbnfRule> rules_;
  size_t root_ = 0;
  std::vector<bool> is_regular_, is_nullable_, is_productive_;  // by rule
  std::vector<std::optional<NodeId>> expressions_;              // of regular rules
  std::vector<Part> parts_;                                     // by item
  std::map<Part, ItemId> known_;
};

}  // namespace ogas::grammar
