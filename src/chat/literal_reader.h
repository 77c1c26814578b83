// Reads one value byte by byte that is written nearly as JSON, and gives it as JSON.
//
// - As in Python: 'x' or "x" with Python's escapes, True, False, None. Some templates write strings without escapes. So
//   a quotation mark ends a string only if what comes next may follow a value there.
// - With a string mark (Gemma): strings between two of them, unescaped, and keys without quotation marks.
//
// In either, the words of JSON are known, too. At most 64 deep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace ogas {

class LiteralReader {
 public:
  enum class State {
    more,
    done,         // the byte ended the value: a list or dictionary
    done_before,  // the value, a word or a string of Python, ended before the byte: "," or ")"
    broken,
  };

  explicit LiteralReader(std::string_view string_mark = {}) : string_mark_(string_mark) {}

  // Not to be called again after anything but `more`.
  State push(char c);
  // The value as JSON; after it ended.
  std::string take() { return std::move(out_); }

 private:
  enum class At {
    value,
    first_value,
    key,
    first_key,
    bare_key,
    string,
    escape,
    hex,
    after_quote,
    word,
    colon,
    after_value
  };

  bool is_python() const { return string_mark_.empty(); }
  bool may_follow_value(char c) const;
  State begin_value(char c);
  State begin_key(char c);
  State in_bare_key(char c);
  State open(char c);
  State close();
  State after_value(char c);
  State in_string(char c);
  State in_escape(char c);
  State in_hex(char c);
  State after_quote(char c);
  void end_string();
  void end_code();
  State in_word(char c);
  bool end_word();

  std::string_view string_mark_;
  At at_ = At::value;
  std::string out_;
  std::string stack_;  // what closes each list and dictionary that is open
  std::string text_;   // of the string, word or bare key
  bool is_key_ = false;
  char quote_ = 0;
  std::string after_quote_;  // white space after what may be the end of a string
  int n_hex_ = 0;
  uint32_t code_ = 0, high_surrogate_ = 0;
  size_t high_end_ = 0;  // of the text, after the replacement of that surrogate
};

}  // namespace ogas
