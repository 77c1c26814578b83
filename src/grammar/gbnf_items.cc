#include "grammar/gbnf_items.h"

#include <algorithm>

#include "base/quote.h"
#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

using Kind = GbnfNode::Kind;
constexpr Tag kEndTag = 0;

void rules_in(const GbnfNode& node, std::vector<uint32_t>& rules) {
  if (node.kind == Kind::rule) rules.push_back(node.rule);
  for (const GbnfNode& child : node.children) rules_in(child, rules);
}

// Repeats `step` for all rules until none changes.
template <class Step>
void until_stable(size_t n_rules, const Step& step) {
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    for (size_t idx = 0; idx < n_rules; ++idx) has_changed |= step(idx);
  }
}

}  // namespace

GbnfItems::GbnfItems(Automaton& automaton, TextEncoding& encoding, std::vector<GbnfRule> rules)
    : automaton_(automaton), encoding_(encoding), rules_(std::move(rules)) {
  constexpr size_t kMaxRules = 5000;
  if (rules_.size() > kMaxRules) refuse("a grammar of more than {} rules is not supported", kMaxRules);
  root_ = static_cast<size_t>(std::ranges::find(rules_, "root", &GbnfRule::name) - rules_.begin());
  expressions_.resize(rules_.size());
  find_regular();
  find_nullable();
  refuse_left_recursion();
  find_productive();
  if (!is_productive_[root_]) refuse_broken("the rule 'root' matches no text that ends");
}

// A rule is regular where all rules in it are; those that lead back to themselves never become it.
void GbnfItems::find_regular() {
  is_regular_.assign(rules_.size(), false);
  std::vector<std::vector<uint32_t>> inner(rules_.size());
  for (size_t idx = 0; idx < rules_.size(); ++idx) rules_in(rules_[idx].body, inner[idx]);
  until_stable(rules_.size(), [&](size_t idx) {
    if (is_regular_[idx]) return false;
    is_regular_[idx] = std::ranges::all_of(inner[idx], [&](uint32_t rule) { return is_regular_[rule]; });
    return bool{is_regular_[idx]};
  });
}

void GbnfItems::find_nullable() {
  is_nullable_.assign(rules_.size(), false);
  until_stable(rules_.size(), [&](size_t idx) {
    if (is_nullable_[idx]) return false;
    is_nullable_[idx] = is_nullable(rules_[idx].body);
    return bool{is_nullable_[idx]};
  });
}

void GbnfItems::find_productive() {
  is_productive_.assign(rules_.size(), false);
  until_stable(rules_.size(), [&](size_t idx) {
    if (is_productive_[idx]) return false;
    is_productive_[idx] = is_productive(rules_[idx].body);
    return bool{is_productive_[idx]};
  });
}

bool GbnfItems::is_regular(const GbnfNode& node) const {
  if (node.kind == Kind::rule) return is_regular_[node.rule];
  return std::ranges::all_of(node.children, [&](const GbnfNode& child) { return is_regular(child); });
}

bool GbnfItems::is_nullable(const GbnfNode& node) const {
  const auto inner = [&](const GbnfNode& child) { return is_nullable(child); };
  switch (node.kind) {
    case Kind::text: return node.text.empty();
    case Kind::set: return false;
    case Kind::rule: return is_nullable_[node.rule];
    case Kind::sequence: return std::ranges::all_of(node.children, inner);
    case Kind::alternatives: return std::ranges::any_of(node.children, inner);
    case Kind::repeat: return node.min == 0 || inner(node.children[0]);
  }
  return false;
}

bool GbnfItems::is_productive(const GbnfNode& node) const {
  const auto inner = [&](const GbnfNode& child) { return is_productive(child); };
  switch (node.kind) {
    case Kind::text: return true;
    case Kind::set: return !node.set.empty();
    case Kind::rule: return is_productive_[node.rule];
    case Kind::sequence: return std::ranges::all_of(node.children, inner);
    case Kind::alternatives: return std::ranges::any_of(node.children, inner);
    case Kind::repeat: return node.min == 0 || inner(node.children[0]);
  }
  return false;
}

// Rules that a text of the node may begin with.
void GbnfItems::rules_first(const GbnfNode& node, std::vector<uint32_t>& rules) const {
  if (node.kind == Kind::rule) rules.push_back(node.rule);
  for (const GbnfNode& child : node.children) {
    rules_first(child, rules);
    if (node.kind == Kind::sequence && !is_nullable(child)) return;
  }
}

void GbnfItems::refuse_left_recursion() const {
  std::vector<std::vector<uint32_t>> first(rules_.size());
  for (size_t idx = 0; idx < rules_.size(); ++idx) rules_first(rules_[idx].body, first[idx]);
  // Rules whose beginnings are settled; what is left in the end begins with itself.
  std::vector<bool> is_settled(rules_.size());
  until_stable(rules_.size(), [&](size_t idx) {
    if (is_settled[idx]) return false;
    is_settled[idx] = std::ranges::all_of(first[idx], [&](uint32_t rule) { return is_settled[rule]; });
    return bool{is_settled[idx]};
  });
  const auto found = std::ranges::find(is_settled, false);
  if (found != is_settled.end())
    refuse("the rule {} can begin with itself (left recursion), which is not supported: write it as a repetition",
           in_quotes(rules_[static_cast<size_t>(found - is_settled.begin())].name));
}

NodeId GbnfItems::regular(const GbnfNode& node) {
  Regexes& regexes = automaton_.regexes();
  switch (node.kind) {
    case Kind::text: return encoding_.text(node.text);
    case Kind::set: return encoding_.characters(node.set);
    case Kind::rule: {
      if (!expressions_[node.rule]) expressions_[node.rule] = regular(rules_[node.rule].body);
      return *expressions_[node.rule];
    }
    case Kind::sequence: {
      NodeId result = kEmpty;
      for (size_t idx = node.children.size(); idx-- > 0;) result = regexes.concat(regular(node.children[idx]), result);
      return result;
    }
    case Kind::alternatives: {
      std::vector<NodeId> parts;
      for (const GbnfNode& child : node.children) parts.push_back(regular(child));
      return regexes.alternative(std::move(parts));
    }
    case Kind::repeat: return regexes.repeat(regular(node.children[0]), node.min, node.max);
  }
  return kNothing;
}

ItemId GbnfItems::item(const Part& part) {
  const auto [found, is_new] = known_.try_emplace(part, static_cast<ItemId>(parts_.size()));
  if (is_new) parts_.push_back(part);
  return found->second;
}

// Neighbours that are regular become one lexeme.
std::vector<ItemId> GbnfItems::sequence(const GbnfNode& node) {
  std::vector<ItemId> items;
  for (size_t idx = 0; idx < node.children.size();) {
    size_t end = idx;
    while (end < node.children.size() && is_regular(node.children[end])) ++end;
    if (end == idx) {
      items.push_back(item({.node = &node.children[idx++]}));
      continue;
    }
    NodeId lexeme = kEmpty;
    for (size_t at = end; at-- > idx;) lexeme = automaton_.regexes().concat(regular(node.children[at]), lexeme);
    items.push_back(item({.lexeme = lexeme}));
    idx = end;
  }
  return items;
}

ItemExpansion GbnfItems::expand_node(const GbnfNode& node) {
  if (!is_productive(node)) return {};
  if (is_regular(node))
    return {.lexemes = {automaton_.regexes().concat(regular(node), automaton_.regexes().accept(kEndTag))}};
  ItemExpansion result;
  switch (node.kind) {
    case Kind::rule: return {.sequences = {{item({.node = &rules_[node.rule].body})}}};
    case Kind::sequence: return {.sequences = {sequence(node)}};
    case Kind::alternatives:
      for (const GbnfNode& child : node.children)
        if (is_productive(child)) result.sequences.push_back({item({.node = &child})});
      return result;
    case Kind::repeat: return expand_repeat({.node = &node, .min = node.min, .max = node.max, .is_repeat = true});
    default: return result;
  }
}

ItemExpansion GbnfItems::expand_repeat(const Part& part) {
  ItemExpansion result;
  const GbnfNode& inner = part.node->children[0];
  if (part.min == 0) result.sequences.push_back({});
  if (part.max == 0 || !is_productive(inner)) return result;
  Part rest = part;
  rest.min = part.min == 0 ? 0 : part.min - 1;
  rest.max = part.max == kUnbounded ? kUnbounded : part.max - 1;
  result.sequences.push_back({item({.node = &inner}), item(rest)});
  return result;
}

ItemExpansion GbnfItems::expand(ItemId id) {
  const Part part = parts_[id];
  if (part.is_repeat) return expand_repeat(part);
  if (part.node) return expand_node(*part.node);
  return {.lexemes = {automaton_.regexes().concat(part.lexeme, automaton_.regexes().accept(kEndTag))}};
}

}  // namespace ogas::grammar
