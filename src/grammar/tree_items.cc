#include "grammar/tree_items.h"

#include <algorithm>
#include <functional>

#include <spdlog/spdlog.h>

#include "base/quote.h"
#include "grammar/refusal.h"
#include "grammar/token_trie.h"

namespace ogas::grammar {
namespace {

using Kind = GrammarNode::Kind;
constexpr Tag kEndTag = 0;

void rules_in(const GrammarNode& node, std::vector<uint32_t>& rules) {
  if (node.kind == Kind::rule) rules.push_back(node.index);
  for (const GrammarNode& child : node.children) rules_in(child, rules);
}

// Adds the rules that pass a test to those found, which the test depends on, until none is new.
template <class Test>
void find_rules(std::vector<bool>& found, const Test& passes) {
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    for (size_t idx = 0; idx < found.size(); ++idx) {
      if (found[idx] || !passes(idx)) continue;
      found[idx] = true;
      has_changed = true;
    }
  }
}

}  // namespace

TreeItems::TreeItems(Automaton& automaton, TextEncoding& encoding, GrammarTree tree)
    : automaton_(automaton),
      encoding_(encoding),
      schemas_(automaton, encoding, std::move(tree.schemas)),
      rules_(std::move(tree.rules)) {
  constexpr size_t kMaxRules = 5000;
  if (rules_.size() > kMaxRules) refuse("a grammar of more than {} rules is not supported", kMaxRules);
  root_ = static_cast<size_t>(std::ranges::find(rules_, "root", &GrammarRule::name) - rules_.begin());
  expressions_.resize(rules_.size());
  for (const GrammarRule& rule : rules_) read_schemas(rule.body);
  find_regular();
  find_nullable();
  refuse_left_recursion();
  find_productive();
  if (!is_productive_[root_]) refuse_broken("the rule 'root' matches no text that ends");
}

// What schemas refuse is refused now.
void TreeItems::read_schemas(const GrammarNode& node) {
  for (const GrammarNode& child : node.children) read_schemas(child);
  if (node.kind != Kind::json && node.kind != Kind::raw_string) return;
  const GrammarTree::Schema& schema = schemas_.schema(node.index);
  std::string reason;
  for (const Enforcement enforcement : kEnforcements) {
    try {
      read_schema(node, enforcement);
      if (!reason.empty()) spdlog::warn("a schema is enforced in part only: {}", reason);
      return;
    } catch (Refusal& refusal) {
      const std::string where = refusal.pointer ? fmt::format("at '#{}': ", *refusal.pointer) : "";
      refusal.reason = (schema.name.empty() ? "" : in_quotes(schema.name) + ": ") + where + refusal.reason;
      refusal.pointer.reset();
      if (!schema.may_loosen || enforcement == Enforcement::nothing) throw;
      if (reason.empty()) reason = refusal.reason;
    }
  }
}

void TreeItems::read_schema(const GrammarNode& node, Enforcement enforcement) {
  const bool has_marks = node.kind == Kind::json && !node.children.empty();
  const SchemaReading reading{.schema = node.index, .enforcement = enforcement, .has_marks = has_marks};
  if (has_marks) schemas_.set_string_mark(regular(node.children[0]), without_marks(encoding_.universe(), node.marks));
  const bool is_whole = node.kind == Kind::json && node.pointer.empty();
  const std::string_view loose = is_whole ? TreeSchemas::kAnyObject : std::string_view();
  const std::string_view pointer = enforcement == Enforcement::nothing ? loose : std::string_view(node.pointer);
  if (node.kind == Kind::raw_string) {
    raw_strings_[&node] = without_marks(schemas_.of_texts(reading).strings_at(pointer), node.marks);
    return;
  }
  const auto root = schemas_.of_json(reading).values_at(pointer, node.has_strings);
  if (!root && node.has_strings) refuse("no JSON value satisfies it");
  if (root) json_roots_[&node] = json_item(reading, *root);
}

// A rule is regular where all rules in it are; those that lead back to themselves never become it.
void TreeItems::find_regular() {
  std::vector<std::vector<uint32_t>> inner(rules_.size());
  for (size_t idx = 0; idx < rules_.size(); ++idx) rules_in(rules_[idx].body, inner[idx]);
  is_regular_.assign(rules_.size(), false);
  find_rules(is_regular_, [&](size_t idx) {
    return std::ranges::all_of(inner[idx], [&](uint32_t rule) { return is_regular_[rule]; }) &&
           is_regular(rules_[idx].body);
  });
}

void TreeItems::find_nullable() {
  is_nullable_.assign(rules_.size(), false);
  find_rules(is_nullable_, [&](size_t idx) { return is_nullable(rules_[idx].body); });
}

void TreeItems::find_productive() {
  is_productive_.assign(rules_.size(), false);
  find_rules(is_productive_, [&](size_t idx) { return is_productive(rules_[idx].body); });
}

bool TreeItems::is_regular(const GrammarNode& node) const {
  if (node.kind == Kind::rule) return is_regular_[node.index];
  if (node.kind == Kind::json || node.kind == Kind::members) return false;
  return std::ranges::all_of(node.children, [&](const GrammarNode& child) { return is_regular(child); });
}

bool TreeItems::is_nullable(const GrammarNode& node) const {
  const auto inner = [&](const GrammarNode& child) { return is_nullable(child); };
  switch (node.kind) {
    case Kind::text: return node.text.empty();
    case Kind::set: return false;
    case Kind::rule: return is_nullable_[node.index];
    case Kind::sequence: return std::ranges::all_of(node.children, inner);
    case Kind::alternatives: return std::ranges::any_of(node.children, inner);
    case Kind::repeat: return node.min == 0 || inner(node.children[0]);
    case Kind::members: return std::ranges::none_of(node.required, std::identity());
    case Kind::free_text: return true;
    case Kind::not_beginning: return !inner(node.children[0]);
    case Kind::raw_string: return automaton_.regexes()[raw_strings_.at(&node)].is_nullable;
    case Kind::control:
    case Kind::json: return false;
  }
  return false;
}

bool TreeItems::is_productive(const GrammarNode& node) const {
  const auto inner = [&](const GrammarNode& child) { return is_productive(child); };
  switch (node.kind) {
    case Kind::text: return true;
    case Kind::set: return !node.set.empty();
    case Kind::rule: return is_productive_[node.index];
    case Kind::sequence: return std::ranges::all_of(node.children, inner);
    case Kind::alternatives: return std::ranges::any_of(node.children, inner);
    case Kind::repeat: return node.min == 0 || inner(node.children[0]);
    case Kind::members:
      for (size_t idx = 0; idx < node.children.size(); ++idx)
        if (node.required[idx] && !inner(node.children[idx])) return false;
      return true;
    case Kind::raw_string: return automaton_.is_live(raw_strings_.at(&node));
    case Kind::json: return json_roots_.contains(&node);
    case Kind::not_beginning: return !is_nullable(node.children[0]);
    case Kind::free_text:
    case Kind::control: return true;
  }
  return false;
}

// Rules that a text of the node may begin with.
void TreeItems::rules_first(const GrammarNode& node, std::vector<uint32_t>& rules) const {
  if (node.kind == Kind::rule) rules.push_back(node.index);
  for (const GrammarNode& child : node.children) {
    rules_first(child, rules);
    if (node.kind == Kind::sequence && !is_nullable(child)) return;
  }
}

void TreeItems::refuse_left_recursion() const {
  std::vector<std::vector<uint32_t>> first(rules_.size());
  for (size_t idx = 0; idx < rules_.size(); ++idx) rules_first(rules_[idx].body, first[idx]);
  // Rules whose beginnings are settled; what is left in the end begins with itself.
  std::vector<bool> is_settled(rules_.size());
  find_rules(is_settled, [&](size_t idx) {
    return std::ranges::all_of(first[idx], [&](uint32_t rule) { return is_settled[rule]; });
  });
  const auto found = std::ranges::find(is_settled, false);
  if (found != is_settled.end())
    refuse("the rule {} can begin with itself (left recursion), which is not supported: write it as a repetition",
           in_quotes(rules_[static_cast<size_t>(found - is_settled.begin())].name));
}

NodeId TreeItems::regular(const GrammarNode& node) {
  Regexes& regexes = automaton_.regexes();
  switch (node.kind) {
    case Kind::text: return encoding_.text(node.text);
    case Kind::set: return encoding_.characters(node.set);
    case Kind::rule: {
      if (!expressions_[node.index]) expressions_[node.index] = regular(rules_[node.index].body);
      return *expressions_[node.index];
    }
    case Kind::sequence: {
      NodeId result = kEmpty;
      for (size_t idx = node.children.size(); idx-- > 0;) result = regexes.concat(regular(node.children[idx]), result);
      return result;
    }
    case Kind::alternatives: {
      std::vector<NodeId> parts;
      for (const GrammarNode& child : node.children) parts.push_back(regular(child));
      return regexes.alternative(std::move(parts));
    }
    case Kind::repeat: return regexes.repeat(regular(node.children[0]), node.min, node.max);
    case Kind::free_text: return without_marks(encoding_.universe(), node.marks);
    case Kind::not_beginning: return encoding_.all_but(regexes.concat(regular(node.children[0]), encoding_.universe()));
    case Kind::raw_string: return raw_strings_.at(&node);
    case Kind::control: return regexes.literal(TokenTrie::control_bytes(node.index));
    case Kind::json:
    case Kind::members: break;
  }
  return kNothing;
}

NodeId TreeItems::without_marks(NodeId texts, const std::vector<std::u32string>& marks) {
  Regexes& regexes = automaton_.regexes();
  std::vector<NodeId> with;
  for (const std::u32string& mark : marks)
    with.push_back(regexes.concat({encoding_.universe(), encoding_.text(mark), encoding_.universe()}));
  return with.empty() ? texts : regexes.intersection(texts, encoding_.all_but(regexes.alternative(std::move(with))));
}

ItemId TreeItems::json_item(SchemaReading reading, ItemId inner) {
  const auto [found, is_new] = known_json_.try_emplace({reading, inner}, static_cast<ItemId>(parts_.size()));
  if (is_new) parts_.push_back({.kind = Part::Kind::json, .reading = reading, .inner = inner});
  return found->second;
}

std::vector<ItemId> TreeItems::json_items(SchemaReading reading, std::vector<ItemId> inner) {
  for (ItemId& each : inner) each = json_item(reading, each);
  return inner;
}

ItemId TreeItems::item(const Part& part) {
  const auto [found, is_new] = known_.try_emplace(part, static_cast<ItemId>(parts_.size()));
  if (is_new) parts_.push_back(part);
  return found->second;
}

// Neighbours that are regular become one lexeme.
std::vector<ItemId> TreeItems::sequence(const GrammarNode& node) {
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
    items.push_back(item({.kind = Part::Kind::lexeme, .lexeme = lexeme}));
    idx = end;
  }
  return items;
}

ItemExpansion TreeItems::expand_node(const GrammarNode& node) {
  if (!is_productive(node)) return {};
  if (is_regular(node))
    return {.lexemes = {automaton_.regexes().concat(regular(node), automaton_.regexes().accept(kEndTag))}};
  ItemExpansion result;
  switch (node.kind) {
    case Kind::rule: return {.sequences = {{item({.node = &rules_[node.index].body})}}};
    case Kind::sequence: return {.sequences = {sequence(node)}};
    case Kind::alternatives:
      for (const GrammarNode& child : node.children)
        if (is_productive(child)) result.sequences.push_back({item({.node = &child})});
      return result;
    case Kind::repeat:
      return expand_repeat({.kind = Part::Kind::repeat, .node = &node, .min = node.min, .max = node.max});
    case Kind::members:
      return expand_members(
          {.kind = Part::Kind::members, .node = &node, .seen = std::vector<bool>(node.children.size())});
    case Kind::json: return {.sequences = {{json_roots_.at(&node)}}};
    default: return result;
  }
}

ItemExpansion TreeItems::expand_repeat(const Part& part) {
  ItemExpansion result;
  const GrammarNode& inner = part.node->children[0];
  if (part.min == 0) result.sequences.push_back({});
  if (part.max == 0 || !is_productive(inner)) return result;
  Part rest = part;
  rest.min = part.min == 0 ? 0 : part.min - 1;
  rest.max = part.max == kUnbounded ? kUnbounded : part.max - 1;
  result.sequences.push_back({item({.node = &inner}), item(rest)});
  return result;
}

ItemExpansion TreeItems::expand_members(const Part& part) {
  ItemExpansion result;
  const bool is_later = !part.node->text.empty() && std::ranges::find(part.seen, true) != part.seen.end();
  const ItemId separator =
      is_later ? item({.kind = Part::Kind::lexeme, .lexeme = encoding_.text(part.node->text)}) : ItemId{};
  bool may_end = true;
  for (size_t idx = 0; idx < part.seen.size(); ++idx) {
    if (part.seen[idx]) continue;
    if (part.node->required[idx]) may_end = false;
    if (!is_productive(part.node->children[idx])) continue;
    Part rest = part;
    rest.seen[idx] = true;
    std::vector<ItemId> sequence = {item({.node = &part.node->children[idx]}), item(rest)};
    if (is_later) sequence.insert(sequence.begin(), separator);
    result.sequences.push_back(std::move(sequence));
  }
  if (may_end) result.sequences.push_back({});
  return result;
}

ItemExpansion TreeItems::expand_json(const Part& part) {
  ItemExpansion result = schemas_.of_json(part.reading).items().expand(part.inner);
  for (auto& sequence : result.sequences) sequence = json_items(part.reading, std::move(sequence));
  return result;
}

ItemExpansion TreeItems::expand(ItemId id) {
  const Part part = parts_[id];
  switch (part.kind) {
    case Part::Kind::node: return expand_node(*part.node);
    case Part::Kind::repeat: return expand_repeat(part);
    case Part::Kind::members: return expand_members(part);
    case Part::Kind::json: return expand_json(part);
    case Part::Kind::lexeme: break;
  }
  return {.lexemes = {automaton_.regexes().concat(part.lexeme, automaton_.regexes().accept(kEndTag))}};
}

std::vector<ItemId> TreeItems::follow(Tag tag, ItemId id, std::optional<std::string_view> written) {
  const Part part = parts_[id];
  if (part.kind != Part::Kind::json) return {};
  return json_items(part.reading, schemas_.of_json(part.reading).items().follow(tag, part.inner, written));
}

}  // namespace ogas::grammar
