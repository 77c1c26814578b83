#include "jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/unicode.h"
#include "jinja/budget.h"
#include "jinja/spaces.h"

namespace ogas::jinja {
namespace {

bool is_decimal_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Longest first.
constexpr std::array<std::string_view, 27> kOperators = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*",
                                                         "/",  "%",  "~",  "<",  ">",  "=",  "(", ")", "[",
                                                         "]",  "{",  "}",  ",",  ":",  ".",  "|", ";", "!"};

// Every kind of line end as \n, and the last one dropped.
std::string normalize_newlines(std::string_view source) {
  std::string result;
  result.reserve(source.size());
  for (size_t idx = 0; idx < source.size(); ++idx) {
    if (source[idx] == '\r' && idx + 1 < source.size() && source[idx + 1] == '\n') continue;
    result += source[idx] == '\r' ? '\n' : source[idx];
  }
  if (result.ends_with("\n")) result.pop_back();
  return result;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : text_(normalize_newlines(source)), source_(text_) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const size_t tag = find_tag();
      if (tag == std::string_view::npos) {
        add_text(source_.substr(at_));
        at_ = source_.size();
        break;
      }
      lex_tag(tag);
    }
    add(TokenType::end, "");
    return std::move(tokens_);
  }

 private:
  size_t find_tag() const {
    for (size_t brace = source_.find('{', at_); brace != std::string_view::npos; brace = source_.find('{', brace + 1))
      if (brace + 1 < source_.size() && std::string_view("{%#").find(source_[brace + 1]) != std::string_view::npos)
        return brace;
    return std::string_view::npos;
  }

  [[noreturn]] void fail(std::string message, size_t position) const {
    const auto [line, column] = position_of(position);
    throw Failure{fmt::format("line {}, column {}: {}", line, column, message), line};
  }
  std::pair<size_t, size_t> position_of(size_t position) const {
    const std::string_view before = source_.substr(0, position);
    const auto line = 1 + static_cast<size_t>(std::ranges::count(before, '\n'));
    const size_t newline = before.rfind('\n');
    return {line, newline == std::string_view::npos ? position + 1 : position - newline};
  }

  // Lines are counted as the text is passed, so that a long template costs one walk.
  void advance_line_to(size_t position) {
    for (; counted_ < position; ++counted_) {
      if (source_[counted_] != '\n') continue;
      ++line_;
      line_start_ = counted_ + 1;
    }
  }
  void add(TokenType type, std::string text) {
    constexpr size_t kMaxTokens = 50'000;  // published templates have up to 4,000
    if (tokens_.size() == kMaxTokens) fail("the template has too many tags", at_);
    advance_line_to(at_);
    tokens_.push_back({type, std::move(text), line_, at_ - line_start_ + 1});
  }
  void add_text(std::string_view text) {
    if (!text.empty()) add(TokenType::text, std::string(text));
  }

  // The text before a tag of this sign, without the white space the tag eats.
  std::string_view strip_before(std::string_view text, char sign, bool is_output) const {
    if (sign == '-') return text.substr(0, text.size() - trailing_space(text));
    if (is_output || sign == '+') return text;
    const size_t newline = text.rfind('\n');
    const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    const bool starts_line = line > 0 || at_ == 0 || source_[at_ - 1] == '\n';
    return starts_line && leading_space(text.substr(line)) == text.size() - line ? text.substr(0, line) : text;
  }

  // The text before a tag, then the tag. '-' eats all white space on its side, '+' keeps what would be eaten by
  // default.
  void lex_tag(size_t tag) {
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    std::string_view text = source_.substr(at_, tag - at_);
    add_text(strip_before(text, sign, kind == '{'));
    at_ = tag + 2 + (sign == '-' || sign == '+' ? 1 : 0);
    if (kind == '#') return lex_comment(tag);
    if (kind == '%' && lex_raw(tag)) return;
    add(kind == '{' ? TokenType::output_begin : TokenType::block_begin, "");
    lex_code(tag, kind == '{' ? "}}" : "%}");
    add(kind == '{' ? TokenType::output_end : TokenType::block_end, "");
    finish_tag(kind);
  }

  // at_ is at the optional sign before the closing characters. Moves past both, and past white space that they strip.
  void finish_tag(char kind) {
    const char sign = source_[at_];
    const bool signed_end = sign == '-' || sign == '+';
    at_ += signed_end ? 3 : 2;
    if (sign == '-') {
      skip_spaces();
    } else if (kind != '{' && sign != '+') {
      if (at_ < source_.size() && source_[at_] == '\n') ++at_;
    }
  }

  void skip_spaces() { at_ += leading_space(source_.substr(at_)); }

  void lex_comment(size_t tag) {
    const size_t end = source_.find("#}", at_);
    if (at_ == source_.size()) return;  // jinja2 takes a comment that opens at the very end
    if (end == std::string_view::npos) fail("a comment is never closed", tag);
    at_ = end > at_ && (source_[end - 1] == '-' || source_[end - 1] == '+') ? end - 1 : end;
    finish_tag('#');
  }

  // {% raw %} ... {% endraw %}: everything between is text. False if the tag is another.
  bool lex_raw(size_t tag) {
    size_t p = at_;
    // Matches the word, then an optional sign out of `signs`, then the closing characters.
    const auto match_tag = [&](std::string_view word, std::string_view signs) {
      p += leading_space(source_.substr(p));
      if (source_.substr(p, word.size()) != word) return false;
      p += word.size();
      p += leading_space(source_.substr(p));
      const size_t sign = p < source_.size() && signs.find(source_[p]) != std::string_view::npos ? 1 : 0;
      return source_.substr(p + sign, 2) == "%}";
    };
    if (!match_tag("raw", "-")) return false;
    at_ = p;
    finish_tag('{');                         // the newline after it stays
    if (at_ == source_.size()) return true;  // as with comments
    for (size_t open = source_.find("{%", at_); open != std::string_view::npos; open = source_.find("{%", open + 1)) {
      p = open + 2;
      const char sign = p < source_.size() ? source_[p] : '\0';
      if (sign == '-' || sign == '+') ++p;
      if (!match_tag("endraw", "-+")) continue;
      add_text(strip_before(source_.substr(at_, open - at_), sign, false));
      at_ = p;
      finish_tag('%');
      return true;
    }
    fail("a raw block is never closed", tag);
  }

  // Tokens up to the closing characters; leaves at_ on them (or on the sign before them).
  void lex_code(size_t tag, std::string_view close) {
    int depth = 0;  // of brackets: within them, nothing closes the tag
    while (true) {
      skip_spaces();
      if (at_ >= source_.size()) fail("a tag is never closed", tag);
      const std::string_view rest = source_.substr(at_);
      const bool is_signed = rest[0] == '-' || (rest[0] == '+' && close == "%}");
      if (depth == 0 && (rest.starts_with(close) || (is_signed && rest.substr(1).starts_with(close)))) return;
      if (std::string_view("([{").find(rest[0]) != std::string_view::npos) ++depth;
      if (std::string_view(")]}").find(rest[0]) != std::string_view::npos) --depth;
      lex_token(rest);
    }
  }

  void lex_token(std::string_view rest) {
    if (is_name_start(rest[0])) {
      size_t n = 1;
      while (n < rest.size() && (is_name_start(rest[n]) || is_decimal_digit(rest[n]))) ++n;
      // Names are compared each time a variable is read, at no step for their length.
      constexpr size_t kMaxName = 500;
      if (n > kMaxName) fail(fmt::format("a name has {} characters; at most {} are expected", n, kMaxName), at_);
      return take(TokenType::name, rest.substr(0, n));
    }
    if (is_decimal_digit(rest[0])) return lex_number(rest);
    if (rest[0] == '"' || rest[0] == '\'') return lex_string(rest);
    for (const auto op : kOperators)
      if (rest.starts_with(op)) return take(TokenType::op, op);
    fail(fmt::format("unexpected character '{}'", rest.substr(0, next_utf8(rest).length)), at_);
  }

  void take(TokenType type, std::string_view text) {
    add(type, std::string(text));
    at_ += text.size();
  }

  // At rest[n]: digits with single underscores between.
  static size_t skip_digits(std::string_view rest, size_t n) {
    while (n < rest.size() &&
           (is_decimal_digit(rest[n]) || (rest[n] == '_' && n + 1 < rest.size() && is_decimal_digit(rest[n + 1]))))
      ++n;
    return n;
  }

  void lex_number(std::string_view rest) {
    if (rest.size() > 2 && rest[0] == '0' && is_name_start(rest[1]) && rest[1] != 'e' && rest[1] != 'E')
      return lex_prefixed_number(rest);
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';  // x.0.1 has two indices, not a float
    size_t n = skip_digits(rest, 0);
    bool real = false;
    if (!after_dot && n + 1 < rest.size() && rest[n] == '.' && is_decimal_digit(rest[n + 1])) {
      real = true;
      n = skip_digits(rest, n + 1);
    }
    if (!after_dot && n < rest.size() && (rest[n] == 'e' || rest[n] == 'E')) {
      const size_t sign = n + 1 < rest.size() && (rest[n + 1] == '-' || rest[n + 1] == '+') ? 1 : 0;
      if (n + 1 + sign < rest.size() && is_decimal_digit(rest[n + 1 + sign])) {
        real = true;
        n = skip_digits(rest, n + 1 + sign);
      }
    }
    std::string text(rest.substr(0, n));
    std::erase(text, '_');
    if (!real && text[0] == '0' && text.find_first_not_of('0') != std::string::npos)
      fail(fmt::format("number {} starts with a zero", text.substr(0, 40)), at_);
    add(real ? TokenType::real : TokenType::integer, std::move(text));
    at_ += n;
  }

  // 0x1F, 0o17, 0b11
  void lex_prefixed_number(std::string_view rest) {
    const char letter = static_cast<char>(rest[1] | 0x20);
    const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    size_t n = 2;
    while (base > 0 && n < rest.size() && (is_name_start(rest[n]) || is_decimal_digit(rest[n]))) ++n;
    std::string digits(rest.substr(2, n - 2));
    std::erase(digits, '_');
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, std::max(base, 2));
    if (base == 0 || digits.empty() || error != std::errc() || end != digits.data() + digits.size())
      fail(fmt::format("'{}' is not a number", rest.substr(0, std::min<size_t>(n, 40))), at_);
    add(TokenType::integer, fmt::format("{}", value));
    at_ += n;
  }

  void lex_string(std::string_view rest) {
    std::string value;
    size_t n = 1;
    for (; n < rest.size() && rest[n] != rest[0]; ++n) {
      if (rest[n] != '\\' || n + 1 >= rest.size())
        value += rest[n];
      else
        n += unescape(rest.substr(n + 1), value);
    }
    if (n >= rest.size()) fail("a string is never closed", at_);
    add(TokenType::string, std::move(value));
    at_ += n + 1;
  }

  // What follows a backslash; returns how many characters it took. Unknown escapes stay as they are, as in Python.
  size_t unescape(std::string_view rest, std::string& value) const {
    constexpr std::string_view kLetters = "nrtbfav\\'\"", kValues = "\n\r\t\b\f\a\v\\'\"";
    if (rest[0] == '\n') return 1;
    const size_t hex = rest[0] == 'x' ? 2 : rest[0] == 'u' ? 4 : rest[0] == 'U' ? 8 : 0;
    const size_t octal = std::min<size_t>(3, std::min(rest.find_first_not_of("01234567"), rest.size()));
    if (hex > 0 || octal > 0) {
      const std::string_view digits = hex > 0 ? rest.substr(1, hex) : rest.substr(0, octal);
      uint32_t code_point = 0;
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), code_point, hex > 0 ? 16 : 8);
      const bool is_whole = end == digits.data() + digits.size() && digits.size() == std::max(hex, octal);
      if (error != std::errc() || !is_whole || code_point >= 0x110000)
        fail(fmt::format("'\\{}' is not a character", rest.substr(0, 1)), at_);
      append_utf8(value, code_point >= 0xD800 && code_point < 0xE000 ? 0xFFFD : code_point);
      return digits.size() + (hex > 0 ? 1 : 0);
    }
    const size_t idx = kLetters.find(rest[0]);
    if (idx == std::string_view::npos) {
      value += '\\';
      value += rest[0];
    } else {
      value += kValues[idx];
    }
    return 1;
  }

  std::string text_;
  std::string_view source_;
  size_t at_ = 0;
  size_t counted_ = 0, line_ = 1, line_start_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace ogas::jinja
