// Follows one JSON value byte by byte, as it streams, and says how much of it can be shown: text that some closing
// characters make a whole value, whatever comes next. It builds no values.
//
// Strict JSON in valid UTF-8 as nlohmann::json takes it, at most 64 deep, with one exception: control characters
// within strings, which models do write, come out escaped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ogas {

// JSON's white space.
constexpr bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

class JsonScanner {
 public:
  enum class State {
    more,
    done,         // the byte ended the value
    done_before,  // the value, a number, ended before the byte, which is not part of it
    broken,       // this byte makes it invalid JSON
  };

  // Not to be called again after anything but `more`.
  State push(char c);
  // Where the text ends here: whether the value is whole (only a number can be, without `done`).
  bool end();
  // The text since the last call that is certain.
  std::string take();
  // The text since then, certain or not: no more will come.
  std::string take_all();
  // Whether all of the text is certain.
  bool is_settled() const { return pending_.empty(); }
  // What makes all that was certain so far a whole value; "" where nothing was.
  std::string closing() const;

 private:
  enum class At { between, string, number, literal };
  enum class Expected { first_key, key, colon, first_item, value, after_value };
  enum class Number { minus, zero, integer, point, fraction, exponent_mark, exponent_sign, exponent };

  State between(char c);
  State begin_value(char c);
  State open(char c);
  State close(char c);
  State end_value();
  State in_string(char c);
  State in_escape(char c);
  State in_hex(char c);
  State in_character(unsigned char c);
  State begin_character(unsigned char c);
  State end_string();
  State in_number(char c);
  State in_literal(char c);
  bool number_is_whole() const;
  State keep(char c);
  void settle(bool within_string = false);
  void settle_string();

  std::string certain_, pending_;
  std::string stack_;  // of '{' and '['
  At at_ = At::between;
  Expected expected_ = Expected::value;
  bool settled_in_string_ = false;
  // Strings.
  bool is_key_ = false, escaped_ = false, needs_low_surrogate_ = false;
  uint32_t code_ = 0;
  int n_hex_ = 0, n_continuation_ = 0;
  unsigned char min_ = 0, max_ = 0;  // of the next byte of a character
  // Numbers, literals.
  Number number_ = Number::minus;
  size_t number_begin_ = 0;   // in pending_
  std::string_view literal_;  // what is left of it
};

// The text as JSON where it is a whole value; "" otherwise. White space around it is dropped.
std::string whole_json(std::string_view text);

// A JSON string with the text; invalid UTF-8 becomes U+FFFD.
std::string quoted_json(std::string_view text);

// The string that a JSON string stands for.
std::string unquoted_json(std::string_view text);

}  // namespace ogas
