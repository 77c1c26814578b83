#include "chat/json_scanner.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace ogas {

using State = JsonScanner::State;

namespace {

constexpr size_t kMaxDepth = 64;  // as files/json.h

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

State JsonScanner::push(char c) {
  switch (at_) {
    case At::string: return in_string(c);
    case At::number: return in_number(c);
    case At::literal: return in_literal(c);
    case At::between: break;
  }
  return between(c);
}

std::string JsonScanner::take() { return std::exchange(certain_, {}); }

std::string JsonScanner::take_all() { return take() + std::exchange(pending_, {}); }

std::string JsonScanner::closing() const {
  std::string text = settled_in_string_ ? "\"" : "";
  for (size_t i = stack_.size(); i-- > 0;) text += stack_[i] == '{' ? '}' : ']';
  return text;
}

bool JsonScanner::end() {
  if (at_ != At::number || !stack_.empty() || !number_is_whole()) return false;
  settle();
  return true;
}

State JsonScanner::keep(char c) {
  pending_ += c;
  return State::more;
}

// What is pending is certain. Containers open and close only where they settle, so stack_ is what closing() needs.
void JsonScanner::settle(bool within_string) {
  certain_ += pending_;
  pending_.clear();
  settled_in_string_ = within_string;
}

State JsonScanner::between(char c) {
  if (is_blank(c)) return keep(c);
  switch (expected_) {
    case Expected::first_key:
      if (c == '}') return close(c);
      [[fallthrough]];
    case Expected::key:
      if (c != '"') return State::broken;
      at_ = At::string;
      is_key_ = true;
      return keep(c);
    case Expected::colon:
      if (c != ':') return State::broken;
      expected_ = Expected::value;
      return keep(c);
    case Expected::first_item:
      if (c == ']') return close(c);
      [[fallthrough]];
    case Expected::value: return begin_value(c);
    case Expected::after_value: break;
  }
  if (c != ',') return close(c);
  expected_ = stack_.back() == '{' ? Expected::key : Expected::value;
  return keep(c);
}

State JsonScanner::begin_value(char c) {
  if (c == '{' || c == '[') return open(c);
  if (c == '"') {
    at_ = At::string;
    is_key_ = false;
    keep(c);
    settle_string();
    return State::more;
  }
  if (c == '-' || is_digit(c)) {
    at_ = At::number;
    number_ = c == '-' ? Number::minus : c == '0' ? Number::zero : Number::integer;
    number_begin_ = pending_.size();
    return keep(c);
  }
  for (const std::string_view literal : {"true", "false", "null"}) {
    if (c != literal.front()) continue;
    at_ = At::literal;
    literal_ = literal.substr(1);
    return keep(c);
  }
  return State::broken;
}

State JsonScanner::open(char c) {
  if (stack_.size() == kMaxDepth) return State::broken;
  stack_ += c;
  expected_ = c == '{' ? Expected::first_key : Expected::first_item;
  keep(c);
  settle();
  return State::more;
}

State JsonScanner::close(char c) {
  if (c != (stack_.back() == '{' ? '}' : ']')) return State::broken;
  stack_.pop_back();
  keep(c);
  return end_value();
}

State JsonScanner::end_value() {
  at_ = At::between;
  expected_ = Expected::after_value;
  settle();
  return stack_.empty() ? State::done : State::more;
}

// Text within a key, or before the second half of a character, could not be closed.
void JsonScanner::settle_string() {
  if (!is_key_ && !needs_low_surrogate_) settle(/*within_string=*/true);
}

State JsonScanner::in_string(char c) {
  if (n_hex_ > 0) return in_hex(c);
  if (escaped_) return in_escape(c);
  if (n_continuation_ > 0) return in_character(static_cast<unsigned char>(c));
  if (c == '\\') {
    escaped_ = true;
    return keep(c);
  }
  if (needs_low_surrogate_) return State::broken;
  if (c == '"') return end_string();
  return begin_character(static_cast<unsigned char>(c));
}

State JsonScanner::end_string() {
  keep('"');
  if (!is_key_) return end_value();
  at_ = At::between;
  expected_ = Expected::colon;
  return State::more;
}

State JsonScanner::in_escape(char c) {
  escaped_ = false;
  if (c == 'u') {
    n_hex_ = 4;
    code_ = 0;
    return keep(c);
  }
  if (needs_low_surrogate_ || std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) return State::broken;
  keep(c);
  settle_string();
  return State::more;
}

State JsonScanner::in_hex(char c) {
  uint32_t digit = 0;
  const auto [end, error] = std::from_chars(&c, &c + 1, digit, 16);
  if (error != std::errc()) return State::broken;
  code_ = code_ * 16 + digit;
  keep(c);
  if (--n_hex_ > 0) return State::more;
  const bool is_high = code_ >= 0xD800 && code_ < 0xDC00, is_low = code_ >= 0xDC00 && code_ < 0xE000;
  if (is_low != needs_low_surrogate_) return State::broken;
  needs_low_surrogate_ = is_high;
  settle_string();
  return State::more;
}

// The first byte of a character, and what the second must be (Unicode 16, table 3-7).
State JsonScanner::begin_character(unsigned char c) {
  if (c < 0x20) {
    const std::string escaped = quoted_json({reinterpret_cast<const char*>(&c), 1});
    pending_.append(escaped, 1, escaped.size() - 2);
    settle_string();
    return State::more;
  }
  keep(static_cast<char>(c));
  if (c < 0x80) {
    settle_string();
    return State::more;
  }
  if (c < 0xC2 || c > 0xF4) return State::broken;
  n_continuation_ = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
  min_ = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
  max_ = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
  return State::more;
}

State JsonScanner::in_character(unsigned char c) {
  if (c < min_ || c > max_) return State::broken;
  min_ = 0x80;
  max_ = 0xBF;
  keep(static_cast<char>(c));
  if (--n_continuation_ == 0) settle_string();
  return State::more;
}

State JsonScanner::in_literal(char c) {
  if (c != literal_.front()) return State::broken;
  keep(c);
  literal_.remove_prefix(1);
  return literal_.empty() ? end_value() : State::more;
}

State JsonScanner::in_number(char c) {
  const auto step = [&](Number next) {
    number_ = next;
    return keep(c);
  };
  const bool digit = is_digit(c);
  switch (number_) {
    case Number::minus:
      if (digit) return step(c == '0' ? Number::zero : Number::integer);
      break;
    case Number::integer:
      if (digit) return step(Number::integer);
      [[fallthrough]];
    case Number::zero:
      if (c == '.') return step(Number::point);
      if (c == 'e' || c == 'E') return step(Number::exponent_mark);
      break;
    case Number::fraction:
      if (c == 'e' || c == 'E') return step(Number::exponent_mark);
      [[fallthrough]];
    case Number::point:
      if (digit) return step(Number::fraction);
      break;
    case Number::exponent_mark:
      if (c == '+' || c == '-') return step(Number::exponent_sign);
      [[fallthrough]];
    case Number::exponent_sign:
    case Number::exponent:
      if (digit) return step(Number::exponent);
      break;
  }
  if (!number_is_whole()) return State::broken;
  const State state = end_value();
  return state == State::done ? State::done_before : between(c);
}

// Numbers beyond a double's range are refused as readers of JSON do.
bool JsonScanner::number_is_whole() const {
  switch (number_) {
    case Number::zero:
    case Number::integer:
    case Number::fraction:
    case Number::exponent: break;
    default: return false;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(pending_.data() + number_begin_, pending_.data() + pending_.size(), value);
  return error == std::errc();
}

std::string whole_json(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  JsonScanner scanner;
  State state = State::more;
  for (const char c : text) {
    if (state != State::more) return {};
    state = scanner.push(c);
  }
  if (state != State::done && (state != State::more || !scanner.end())) return {};
  return scanner.take();
}

std::string quoted_json(std::string_view text) {
  return nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string unquoted_json(std::string_view text) {
  const auto value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace ogas
