#include "chat/literal_reader.h"

#include <charconv>
#include <utility>

#include "base/unicode.h"
#include "chat/json_scanner.h"

namespace ogas {

namespace {

constexpr size_t kMaxLiteralDepth = 64;  // as JsonScanner

bool is_in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '+' || c == '-';
}

// A word or number as JSON; "" if it is neither.
std::string word_as_json(std::string_view word) {
  if (word == "True") return "true";
  if (word == "False") return "false";
  if (word == "None") return "null";
  return whole_json(word);
}

}  // namespace

LiteralReader::State LiteralReader::push(char c) {
  switch (at_) {
    case At::string: return in_string(c);
    case At::escape: return in_escape(c);
    case At::hex: return in_hex(c);
    case At::after_quote: return after_quote(c);
    case At::word: return in_word(c);
    case At::bare_key: return in_bare_key(c);
    default: break;
  }
  if (is_blank(c)) return State::more;
  switch (at_) {
    case At::first_value:
      if (c == ']') return close();
      [[fallthrough]];
    case At::value: return begin_value(c);
    case At::first_key:
      if (c == '}') return close();
      [[fallthrough]];
    case At::key: return begin_key(c);
    case At::colon:
      if (c != ':') return State::broken;
      out_ += ": ";
      at_ = At::value;
      return State::more;
    default: return after_value(c);
  }
}

LiteralReader::State LiteralReader::begin_value(char c) {
  is_key_ = false;
  if (c == '{' || c == '[') return open(c);
  text_.clear();
  if (is_python() ? c == '"' || c == '\'' : c == string_mark_.front()) {
    quote_ = c;
    at_ = At::string;
    return is_python() ? State::more : in_string(c);
  }
  at_ = At::word;
  return is_in_word(c) ? in_word(c) : State::broken;
}

LiteralReader::State LiteralReader::begin_key(char c) {
  is_key_ = true;
  text_.clear();
  quote_ = c;
  at_ = At::string;
  if (is_python()) return c == '"' || c == '\'' ? State::more : State::broken;
  if (c == string_mark_.front()) return in_string(c);
  at_ = At::bare_key;
  return push(c);
}

LiteralReader::State LiteralReader::in_bare_key(char c) {
  if (c != ':') {
    text_ += c;
    return State::more;
  }
  end_string();
  return push(c);
}

LiteralReader::State LiteralReader::open(char c) {
  if (stack_.size() == kMaxLiteralDepth) return State::broken;
  stack_ += c == '{' ? '}' : ']';
  out_ += c;
  at_ = c == '{' ? At::first_key : At::first_value;
  return State::more;
}

LiteralReader::State LiteralReader::close() {
  out_ += stack_.back();
  stack_.pop_back();
  at_ = At::after_value;
  return stack_.empty() ? State::done : State::more;
}

LiteralReader::State LiteralReader::after_value(char c) {
  if (stack_.empty()) return c == ',' || c == ')' ? State::done_before : State::broken;
  if (c == stack_.back()) return close();
  if (c != ',') return State::broken;
  out_ += ", ";
  at_ = stack_.back() == '}' ? At::key : At::value;
  return State::more;
}

bool LiteralReader::may_follow_value(char c) const {
  if (is_key_) return c == ':';
  return c == ',' || c == (stack_.empty() ? ')' : stack_.back());
}

LiteralReader::State LiteralReader::in_string(char c) {
  if (is_python()) {
    if (c == quote_) {
      after_quote_.clear();
      at_ = At::after_quote;
    } else if (c == '\\') {
      at_ = At::escape;
    } else {
      text_ += c;
    }
    return State::more;
  }
  text_ += c;
  // The mark that opens the string is in the text until the one that closes it.
  const size_t n_mark = string_mark_.size();
  if (text_.size() <= n_mark) return string_mark_.starts_with(text_) ? State::more : State::broken;
  if (text_.size() < 2 * n_mark || !text_.ends_with(string_mark_)) return State::more;
  text_ = text_.substr(n_mark, text_.size() - 2 * n_mark);
  end_string();
  return State::more;
}

LiteralReader::State LiteralReader::after_quote(char c) {
  if (is_blank(c)) {
    after_quote_ += c;
    return State::more;
  }
  if (may_follow_value(c)) {
    end_string();
    return push(c);
  }
  text_ += quote_ + std::exchange(after_quote_, {});
  at_ = At::string;
  return in_string(c);
}

void LiteralReader::end_string() {
  out_ += quoted_json(text_);
  at_ = is_key_ ? At::colon : At::after_value;
}

LiteralReader::State LiteralReader::in_escape(char c) {
  constexpr std::string_view kEscapes = "ntrbfva\\'\"", kCharacters = "\n\t\r\b\f\v\a\\'\"";
  at_ = At::string;
  if (const size_t found = kEscapes.find(c); found != std::string_view::npos) {
    text_ += kCharacters[found];
  } else if (c == 'x' || c == 'u' || c == 'U') {
    n_hex_ = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    code_ = 0;
    at_ = At::hex;
  } else if (c != '\n') {  // the string continues in the next line
    text_ += '\\';
    text_ += c;
  }
  return State::more;
}

LiteralReader::State LiteralReader::in_hex(char c) {
  uint32_t digit = 0;
  const auto [end, error] = std::from_chars(&c, &c + 1, digit, 16);
  if (error != std::errc()) return State::broken;
  code_ = code_ * 16 + digit;
  if (--n_hex_ > 0) return State::more;
  at_ = At::string;
  end_code();
  return State::more;
}

// JSON writes a character beyond 0xFFFF as two, each of which is none for itself.
void LiteralReader::end_code() {
  constexpr char32_t kNoCharacter = 0xFFFD;
  const bool is_high = code_ >= 0xD800 && code_ < 0xDC00, is_low = code_ >= 0xDC00 && code_ < 0xE000;
  const bool is_pair = is_low && high_surrogate_ != 0 && text_.size() == high_end_;
  if (is_pair) {
    text_.resize(text_.size() - 3);  // the replacement
    append_utf8(text_, 0x10000 + ((high_surrogate_ - 0xD800) << 10) + (code_ - 0xDC00));
  } else {
    append_utf8(text_, is_high || is_low || code_ > 0x10FFFF ? kNoCharacter : code_);
  }
  high_surrogate_ = is_high ? code_ : 0;
  high_end_ = text_.size();
}

LiteralReader::State LiteralReader::in_word(char c) {
  if (is_in_word(c)) {
    text_ += c;
    return State::more;
  }
  if (!end_word()) return State::broken;
  return is_blank(c) ? State::more : after_value(c);
}

bool LiteralReader::end_word() {
  const std::string json = word_as_json(text_);
  out_ += json;
  at_ = At::after_value;
  return !json.empty();
}

}  // namespace ogas
