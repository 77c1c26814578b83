#include "grammar/pattern_syntax.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/quote.h"
#include "grammar/character_classes.h"
#include "grammar/refusal.h"
#include "grammar/regex.h"
#include "grammar/text_encoding.h"

namespace ogas::grammar {
namespace {

using Kind = PatternNode::Kind;

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
int hex_value(char32_t c) {
  if (is_digit(c)) return static_cast<int>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<int>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<int>(c - 'A') + 10;
  return -1;
}

class PatternParser {
 public:
  explicit PatternParser(std::string_view pattern) : pattern_(pattern), text_(decode_utf8(pattern)) {}

  PatternNode run() {
    PatternNode node = alternatives();
    if (at_ < text_.size()) fail("a ')' closes nothing");
    return node;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    refuse_broken("the pattern {} is broken at character {}: {}", in_quotes(pattern_), at_, what);
  }
  [[noreturn]] void unsupported(std::string_view what) const {
    refuse("the pattern {} uses {}, which is not supported", in_quotes(pattern_), what);
  }
  bool at_end() const { return at_ >= text_.size(); }
  char32_t peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : U'\0'; }
  bool take(char32_t c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::u32string_view what) {
    if (std::u32string_view(text_).substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }

  static PatternNode make_set(CodePoints set) { return {.kind = Kind::set, .set = std::move(set)}; }
  static PatternNode make_list(Kind kind, std::vector<PatternNode> children) {
    if (children.size() == 1) return std::move(children[0]);
    PatternNode node{.kind = kind};
    for (const auto& child : children) node.has_assertion |= child.has_assertion;
    node.children = std::move(children);
    return node;
  }

  PatternNode alternatives() {
    constexpr int kMaxDepth = 200;
    if (++depth_ > kMaxDepth) fail("it is nested too deeply");
    std::vector<PatternNode> nodes;
    do {
      nodes.push_back(sequence());
    } while (take(U'|'));
    --depth_;
    return make_list(Kind::alternatives, std::move(nodes));
  }

  PatternNode sequence() {
    std::vector<PatternNode> nodes;
    while (!at_end() && peek() != '|' && peek() != ')') nodes.push_back(quantified(term()));
    return make_list(Kind::sequence, std::move(nodes));
  }

  PatternNode term() {
    if (take(U'^')) return {.kind = Kind::begin, .has_assertion = true};
    if (take(U'$')) return {.kind = Kind::end, .has_assertion = true};
    if (take(U'(')) return group();
    if (take(U'[')) return make_set(bracket());
    if (take(U'.')) return make_set(any_but_line_ends());
    if (take(U'\\')) return escape();
    if (peek() == '*' || peek() == '+' || peek() == '?') fail("a quantifier has nothing before it");
    const char32_t c = text_[at_++];
    return make_set({{c, c}});
  }

  PatternNode group() {
    PatternNode node;
    if (take(U"?=") || take(U"?!")) {
      node.kind = text_[at_ - 1] == '=' ? Kind::look_ahead : Kind::look_ahead_not;
      node.has_assertion = true;
      node.children.push_back(alternatives());
    } else if (take(U"?<=") || take(U"?<!")) {
      unsupported("lookbehind");
    } else {
      if (take(U"?<")) {
        while (!at_end() && peek() != '>') ++at_;
        if (!take(U'>')) fail("the name of a group does not end");
      } else if (!take(U"?:") && peek() == '?') {
        unsupported("a group with flags");
      }
      node = alternatives();
    }
    if (!take(U')')) fail("a group is never closed");
    return node;
  }

  // {n}, {n,} or {n,m}; anything else is a literal brace.
  std::optional<std::pair<uint32_t, uint32_t>> braces() {
    size_t at = at_ + 1;
    const auto number = [&]() -> std::optional<uint32_t> {
      const size_t begin = at;
      uint64_t value = 0;
      for (; at < text_.size() && is_digit(text_[at]); ++at)
        value = std::min<uint64_t>(value * 10 + (text_[at] - '0'), kUnbounded - 1);
      return at == begin ? std::nullopt : std::optional(static_cast<uint32_t>(value));
    };
    const auto min = number();
    if (!min) return std::nullopt;
    auto max = min;
    if (at < text_.size() && text_[at] == ',') {
      ++at;
      max = number();
      if (!max) max = kUnbounded;
    }
    if (at >= text_.size() || text_[at] != '}') return std::nullopt;
    at_ = at + 1;
    return std::pair(*min, *max);
  }

  PatternNode quantified(PatternNode node) {
    std::pair<uint32_t, uint32_t> counts;
    if (take(U'*')) {
      counts = {0, kUnbounded};
    } else if (take(U'+')) {
      counts = {1, kUnbounded};
    } else if (take(U'?')) {
      counts = {0, 1};
    } else {
      const auto found = peek() == '{' ? braces() : std::nullopt;
      if (!found) return node;
      counts = *found;
    }
    take(U'?');  // which match is found first does not matter
    if (counts.first > counts.second) fail("a quantifier's counts are out of order");
    if (peek() == '*' || peek() == '+' || peek() == '?') fail("a quantifier follows another");
    PatternNode repeat{.kind = Kind::repeat, .min = counts.first, .max = counts.second};
    repeat.has_assertion = node.has_assertion;
    repeat.children.push_back(std::move(node));
    return repeat;
  }

  PatternNode escape() {
    if (at_end()) fail("it ends with a backslash");
    const char32_t c = peek();
    if (c == 'b' || c == 'B') unsupported("a word boundary");
    if ((c >= '1' && c <= '9') || c == 'k') unsupported("a back reference");
    return make_set(class_escape());
  }

  // The backslash is taken.
  CodePoints class_escape() {
    const char32_t c = text_[at_++];
    if (c < 0x80) {
      if (const auto set = named_class(static_cast<char>(c))) return *set;
    }
    if (c == 'p' || c == 'P') return property(c == 'P');
    const char32_t result = character_escape(c);
    return {{result, result}};
  }

  CodePoints property(bool is_negated) {
    if (!take(U'{')) fail("\\p without a name in braces");
    std::string name;
    while (!at_end() && peek() != '}') name += static_cast<char>(std::min<char32_t>(text_[at_++], 127));
    if (!take(U'}')) fail("the name after \\p does not end");
    const auto set = category_class(name);
    if (!set) unsupported("the Unicode property " + in_quotes(name));
    return is_negated ? set->complement() : *set;
  }

  char32_t hex(size_t n_digits) {
    char32_t value = 0;
    for (size_t idx = 0; idx < n_digits; ++idx, ++at_) {
      const int digit = at_end() ? -1 : hex_value(peek());
      if (digit < 0) fail("an escape has too few hexadecimal digits");
      value = value * 16 + static_cast<char32_t>(digit);
    }
    return value;
  }

  char32_t unicode_escape() {
    if (take(U'{')) {
      char32_t value = 0;
      while (!at_end() && peek() != '}') {
        const int digit = hex_value(text_[at_++]);
        if (digit < 0 || value > 0x10FFFF) fail("\\u{...} does not name a character");
        value = value * 16 + static_cast<char32_t>(digit);
      }
      if (!take(U'}') || value > 0x10FFFF) fail("\\u{...} does not name a character");
      return value;
    }
    const char32_t first = hex(4);
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || !take(U"\\u")) unsupported("half a surrogate pair");
    const char32_t second = hex(4);
    if (second < 0xDC00 || second > 0xDFFF) unsupported("half a surrogate pair");
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  char32_t character_escape(char32_t c) {
    switch (c) {
      case 't': return '\t';
      case 'n': return '\n';
      case 'v': return '\v';
      case 'f': return '\f';
      case 'r': return '\r';
      case 'x': return hex(2);
      case 'u': return unicode_escape();
      case '0':
        if (is_digit(peek())) unsupported("an octal escape");
        return 0;
      case 'c':
        if (!is_letter(peek())) fail("\\c without a letter");
        return text_[at_++] % 32;
      default: break;
    }
    if (is_letter(c) || is_digit(c)) unsupported("the escape \\" + std::string(1, static_cast<char>(c)));
    return c;
  }

  // The [ is taken.
  CodePoints bracket() {
    const bool is_negated = take(U'^');
    CodePoints set;
    while (!take(U']')) {
      if (at_end()) fail("a [ is never closed");
      const CodePoints first = bracket_item();
      if (peek() != '-' || peek(1) == ']' || at_ + 1 >= text_.size() || !is_single(first)) {
        set.add(first);
        continue;
      }
      ++at_;
      const CodePoints last = bracket_item();
      if (!is_single(last)) {  // [a-\d]: three items
        set.add(first);
        set.add('-', '-');
        set.add(last);
        continue;
      }
      if (first.ranges()[0].first > last.ranges()[0].first) fail("a range of characters is out of order");
      set.add(first.ranges()[0].first, last.ranges()[0].first);
    }
    set.normalize();
    return is_negated ? set.complement() : set;
  }

  static bool is_single(const CodePoints& set) {
    return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
  }

  CodePoints bracket_item() {
    if (at_end()) fail("a [ is never closed");
    if (!take(U'\\')) {
      const char32_t c = text_[at_++];
      return {{c, c}};
    }
    if (at_end()) fail("it ends with a backslash");
    if (take(U'b')) return {{'\b', '\b'}};
    if (peek() >= '1' && peek() <= '9') unsupported("an octal escape");
    return class_escape();
  }

  std::string_view pattern_;
  std::u32string text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

PatternNode parse_pattern(std::string_view pattern) {
  constexpr size_t kMaxSize = 50'000;
  if (pattern.size() > kMaxSize) refuse("a pattern of more than {} bytes is not supported", kMaxSize);
  return PatternParser(pattern).run();
}

}  // namespace ogas::grammar
