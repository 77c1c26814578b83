#include "grammar/gbnf_syntax.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/ascii.h"
#include "base/quote.h"
#include "grammar/refusal.h"
#include "grammar/regex.h"
#include "grammar/text_encoding.h"

namespace ogas::grammar {
namespace {

using Kind = GrammarNode::Kind;

bool is_name_character(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class GbnfParser {
 public:
  explicit GbnfParser(std::string_view text) : text_(decode_utf8(text)) {}

  std::vector<GrammarRule> run() {
    skip_space(true);
    while (at_ < text_.size()) rule();
    for (const GrammarRule& each : rules_)
      if (!each.is_defined) refuse_broken("the rule {} is not defined", in_quotes(each.name));
    if (!indices_.contains("root")) refuse_broken("it has no rule 'root'");
    return std::move(rules_);
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    const auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(std::min(at_, text_.size())), U'\n');
    refuse_broken("the grammar is broken in line {}: {}", line, what);
  }
  char32_t peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : U'\0'; }
  bool at_end() const { return at_ >= text_.size(); }
  bool take(char32_t c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // Spaces and comments; ends of lines where they mean nothing.
  void skip_space(bool with_lines) {
    while (!at_end()) {
      const char32_t c = peek();
      if (c == '#') {
        while (!at_end() && peek() != '\n' && peek() != '\r') ++at_;
      } else if (c == ' ' || c == '\t' || (with_lines && (c == '\n' || c == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string name() {
    std::string result;
    while (is_name_character(peek())) result += static_cast<char>(text_[at_++]);
    if (result.empty()) fail("the name of a rule is missing");
    return result;
  }

  uint32_t index_of(const std::string& name) {
    const auto [found, is_new] = indices_.try_emplace(name, static_cast<uint32_t>(rules_.size()));
    if (is_new) rules_.push_back({.name = name});
    return found->second;
  }

  void rule() {
    const std::string own = name();
    skip_space(false);
    if (!take(U':') || !take(U':') || !take(U'=')) fail("'::=' is missing after the name " + in_quotes(own));
    skip_space(true);
    const uint32_t index = index_of(own);
    GrammarNode body = alternatives(/*is_nested=*/false);
    if (rules_[index].is_defined) fail("the rule " + in_quotes(own) + " is defined twice");
    rules_[index].body = std::move(body);
    rules_[index].is_defined = true;
    if (!at_end() && peek() != '\n' && peek() != '\r') fail("this is not the end of a rule");
    skip_space(true);
  }

  GrammarNode alternatives(bool is_nested) {
    constexpr int kMaxDepth = 200;
    if (++depth_ > kMaxDepth) fail("it is nested too deeply");
    GrammarNode node{.kind = Kind::alternatives};
    node.children.push_back(sequence(is_nested));
    while (take(U'|')) {
      skip_space(true);
      node.children.push_back(sequence(is_nested));
    }
    --depth_;
    if (node.children.size() > 1) return node;
    GrammarNode only = std::move(node.children[0]);
    return only;
  }

  GrammarNode sequence(bool is_nested) {
    GrammarNode node{.kind = Kind::sequence};
    for (;;) {
      auto next = item();
      if (!next) return node;
      node.children.push_back(std::move(*next));
      skip_space(is_nested);
    }
  }

  std::optional<GrammarNode> item() {
    GrammarNode node;
    if (take(U'"')) {
      node = {.kind = Kind::text};
      while (!take(U'"')) node.text += character();
    } else if (take(U'[')) {
      node = {.kind = Kind::set, .set = bracket()};
    } else if (take(U'.')) {
      node = {.kind = Kind::set, .set = CodePoints::all()};
    } else if (take(U'(')) {
      skip_space(true);
      node = alternatives(/*is_nested=*/true);
      if (!take(U')')) fail("a '(' is never closed");
    } else if (is_name_character(peek())) {
      node = {.kind = Kind::rule, .index = index_of(name())};
    } else if (peek() == '<' || peek() == '!') {
      refuse("tokens in a grammar ('<...>') are not supported");
    } else {
      return std::nullopt;
    }
    return repeated(std::move(node));
  }

  GrammarNode repeated(GrammarNode node) {
    for (;;) {
      uint32_t min = 0, max = kUnbounded;
      if (take(U'+')) {
        min = 1;
      } else if (take(U'?')) {
        max = 1;
      } else if (take(U'{')) {
        counts(min, max);
      } else if (!take(U'*')) {
        return node;
      }
      GrammarNode outer{.kind = Kind::repeat, .min = min, .max = max};
      outer.children.push_back(std::move(node));
      node = std::move(outer);
      if (++n_repeats_ > 10'000) fail("it has too many repetitions");
    }
  }

  // {m}, {m,} or {m,n}; the brace is taken.
  void counts(uint32_t& min, uint32_t& max) {
    skip_space(false);
    min = number();
    max = min;
    skip_space(false);
    if (take(U',')) {
      skip_space(false);
      max = peek() == '}' ? kUnbounded : number();
      skip_space(false);
    }
    if (!take(U'}')) fail("a count is never closed");
    if (min > max) fail("counts are out of order");
  }

  uint32_t number() {
    if (peek() < '0' || peek() > '9') fail("a count is missing");
    uint64_t value = 0;
    while (peek() >= '0' && peek() <= '9')
      value = std::min<uint64_t>(value * 10 + (text_[at_++] - '0'), kUnbounded - 1);
    return static_cast<uint32_t>(value);
  }

  char32_t character() {
    if (at_end() || peek() == '\n') fail("a literal or a set is never closed");
    const char32_t c = text_[at_++];
    if (c != '\\') return c;
    if (at_end()) fail("it ends with a backslash");
    const char32_t escaped = text_[at_++];
    switch (escaped) {
      case 'x': return hex(2);
      case 'u': return hex(4);
      case 'U': return hex(8);
      case 't': return '\t';
      case 'r': return '\r';
      case 'n': return '\n';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
      case '/': return escaped;
      default: fail("an unknown escape");
    }
  }

  char32_t hex(int n_digits) {
    char32_t value = 0;
    for (int idx = 0; idx < n_digits; ++idx) {
      const char32_t c = peek();
      const int digit = c >= '0' && c <= '9'   ? static_cast<int>(c - '0')
                        : c >= 'a' && c <= 'f' ? static_cast<int>(c - 'a') + 10
                        : c >= 'A' && c <= 'F' ? static_cast<int>(c - 'A') + 10
                                               : -1;
      if (digit < 0) fail("an escape has too few hexadecimal digits");
      value = value * 16 + static_cast<char32_t>(digit);
      ++at_;
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) fail("an escape does not name a character");
    return value;
  }

  // The [ is taken.
  CodePoints bracket() {
    const bool is_negated = take(U'^');
    CodePoints set;
    while (!take(U']')) {
      const char32_t first = character();
      char32_t last = first;
      if (peek() == '-' && peek(1) != ']') {
        ++at_;
        last = character();
      }
      if (first > last) fail("a range of characters is out of order");
      set.add(first, last);
    }
    set.normalize();
    return is_negated ? set.complement() : set;
  }

  std::u32string text_;
  size_t at_ = 0;
  int depth_ = 0;
  size_t n_repeats_ = 0;
  std::vector<GrammarRule> rules_;
  std::unordered_map<std::string, uint32_t> indices_;
};

}  // namespace

std::vector<GrammarRule> parse_gbnf(std::string_view text) {
  constexpr size_t kMaxSize = 1u << 20;
  if (text.size() > kMaxSize) refuse("a grammar of more than {} bytes is not supported", kMaxSize);
  return GbnfParser(text).run();
}

}  // namespace ogas::grammar
