#include "grammar/grammar_tree.h"

#include <utility>

#include "grammar/text_encoding.h"

namespace ogas::grammar::tree {
namespace {

std::vector<std::u32string> decode_all(const std::vector<std::string>& texts) {
  std::vector<std::u32string> result;
  for (const std::string& text : texts) result.push_back(decode_utf8(text));
  return result;
}

}  // namespace

GrammarNode literal(std::string_view text) { return {.kind = GrammarNode::Kind::text, .text = decode_utf8(text)}; }

GrammarNode sequence(std::vector<GrammarNode> children) {
  return {.kind = GrammarNode::Kind::sequence, .children = std::move(children)};
}

GrammarNode alternatives(std::vector<GrammarNode> children) {
  return {.kind = GrammarNode::Kind::alternatives, .children = std::move(children)};
}

GrammarNode repeat(GrammarNode child, uint32_t min, uint32_t max) {
  GrammarNode node{.kind = GrammarNode::Kind::repeat, .min = min, .max = max};
  node.children.push_back(std::move(child));
  return node;
}

GrammarNode optional(GrammarNode child) { return repeat(std::move(child), 0, 1); }

GrammarNode rule(uint32_t index) { return {.kind = GrammarNode::Kind::rule, .index = index}; }

GrammarNode control(uint32_t index) { return {.kind = GrammarNode::Kind::control, .index = index}; }

GrammarNode free_text(const std::vector<std::string>& marks) {
  return {.kind = GrammarNode::Kind::free_text, .marks = decode_all(marks)};
}

GrammarNode json(uint32_t schema, std::string pointer) {
  return {.kind = GrammarNode::Kind::json, .index = schema, .pointer = std::move(pointer)};
}

GrammarNode raw_string(uint32_t schema, std::string pointer, const std::vector<std::string>& marks) {
  return {.kind = GrammarNode::Kind::raw_string,
          .index = schema,
          .marks = decode_all(marks),
          .pointer = std::move(pointer)};
}

}  // namespace ogas::grammar::tree
