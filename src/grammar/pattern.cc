#include "grammar/pattern.h"

#include <optional>

#include "base/quote.h"
#include "grammar/pattern_syntax.h"
#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

using Kind = PatternNode::Kind;

// What may follow a position, where it is the text's begin and where it is not.
struct Rest {
  NodeId at_begin, later;
  bool operator==(const Rest&) const = default;
};

// A tree is compiled from its end: given what follows, it says what a text may be from here on. So an assertion is an
// intersection with what follows.
class PatternCompiler {
 public:
  PatternCompiler(TextEncoding& encoding, std::string_view pattern)
      : encoding_(encoding), regexes_(encoding.regexes()), pattern_(pattern) {}

  Rest compile(const PatternNode& node, Rest rest) {
    if (!node.has_assertion) return before(simple(node), rest);
    switch (node.kind) {
      case Kind::begin: return {.at_begin = rest.at_begin, .later = kNothing};
      case Kind::end: return {.at_begin = end_of(rest.at_begin), .later = end_of(rest.later)};
      case Kind::look_ahead:
      case Kind::look_ahead_not: return look_ahead(node, rest);
      case Kind::sequence:
        for (size_t idx = node.children.size(); idx-- > 0;) rest = compile(node.children[idx], rest);
        return rest;
      case Kind::alternatives: {
        Rest result = {kNothing, kNothing};
        for (const PatternNode& child : node.children) result = either(result, compile(child, rest));
        return result;
      }
      case Kind::repeat: return repeat(node, rest);
      case Kind::set: break;
    }
    return before(simple(node), rest);
  }

 private:
  NodeId end_of(NodeId rest) const { return regexes_[rest].is_nullable ? kEmpty : kNothing; }
  Rest either(const Rest& left, const Rest& right) {
    return {.at_begin = regexes_.alternative(left.at_begin, right.at_begin),
            .later = regexes_.alternative(left.later, right.later)};
  }

  Rest look_ahead(const PatternNode& node, const Rest& rest) {
    const NodeId all = encoding_.universe();
    Rest ahead = compile(node.children[0], {all, all});
    if (node.kind == Kind::look_ahead_not)
      ahead = {.at_begin = encoding_.all_but(ahead.at_begin), .later = encoding_.all_but(ahead.later)};
    return {.at_begin = regexes_.intersection(ahead.at_begin, rest.at_begin),
            .later = regexes_.intersection(ahead.later, rest.later)};
  }

  Rest repeat(const PatternNode& node, const Rest& rest) {
    constexpr uint32_t kMaxCount = 16;
    const uint32_t n_optional = node.max == kUnbounded ? kMaxCount + 1 : node.max - node.min;
    if (node.min > kMaxCount || n_optional > kMaxCount)
      refuse("the pattern {} repeats an assertion, which is not supported", in_quotes(pattern_));
    Rest result = rest;
    for (uint32_t idx = 0; idx < n_optional; ++idx) result = either(rest, compile(node.children[0], result));
    for (uint32_t idx = 0; idx < node.min; ++idx) result = compile(node.children[0], result);
    return result;
  }

  Rest before(NodeId node, const Rest& rest) {
    const NodeId later = regexes_.concat(node, rest.later);
    if (rest.at_begin == rest.later) return {later, later};
    if (!regexes_[node].is_nullable) return {later, later};
    // After the empty text it is still the begin.
    const NodeId not_empty = regexes_.intersection(node, regexes_.complement(kEmpty));
    return {.at_begin = regexes_.alternative(rest.at_begin, regexes_.concat(not_empty, rest.later)), .later = later};
  }

  NodeId simple(const PatternNode& node) {
    switch (node.kind) {
      case Kind::set: return encoding_.characters(node.set);
      case Kind::sequence: {
        NodeId result = kEmpty;
        for (size_t idx = node.children.size(); idx-- > 0;)
          result = regexes_.concat(simple(node.children[idx]), result);
        return result;
      }
      case Kind::alternatives: {
        std::vector<NodeId> nodes;
        for (const PatternNode& child : node.children) nodes.push_back(simple(child));
        return regexes_.alternative(std::move(nodes));
      }
      case Kind::repeat: return regexes_.repeat(simple(node.children[0]), node.min, node.max);
      default: return kNothing;
    }
  }

  TextEncoding& encoding_;
  Regexes& regexes_;
  std::string_view pattern_;
};

}  // namespace

NodeId texts_with_match(TextEncoding& encoding, std::string_view pattern) {
  const NodeId all = encoding.universe();
  Regexes& regexes = encoding.regexes();
  const Rest found = PatternCompiler(encoding, pattern).compile(parse_pattern(pattern), {all, all});
  if (found.at_begin == found.later) return regexes.concat(all, found.later);
  return regexes.alternative(found.at_begin, regexes.concat({encoding.any_character(), all, found.later}));
}

NodeId texts_matched(TextEncoding& encoding, std::string_view pattern) {
  return PatternCompiler(encoding, pattern).compile(parse_pattern(pattern), {kEmpty, kEmpty}).at_begin;
}

}  // namespace ogas::grammar
