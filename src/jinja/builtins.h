// Filters, tests, methods and global functions: Jinja 3.1's and Python's, as far as chat templates use them.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "jinja/interpreter.h"

namespace ogas::jinja {

// Arguments by parameter; null where one was not given.
struct Bound {
  std::array<const Value*, 6> values{};
  const Arguments& all;

  const Value* operator[](size_t idx) const { return values[idx]; }
  // The argument, or null where it is missing or none.
  const Value* given(size_t idx) const { return values[idx] && !values[idx]->is_none() ? values[idx] : nullptr; }
  bool flag(size_t idx) const { return values[idx] && values[idx]->truthy(); }
  int64_t number(size_t idx, int64_t fallback) const {
    return values[idx] ? values[idx]->to_int("an argument") : fallback;
  }
};

// A function of a value: a filter, a test or a method.
struct Builtin {
  std::string_view name;
  // Names with spaces between; '?' after one that may be left out, '/' before all where names cannot be used, "*" where
  // anything goes.
  std::string_view parameters;
  Value (*body)(Interpreter&, const Value& self, const Bound&);

  // Fails for arguments that do not fit the parameters.
  Value call(Interpreter& in, const Value& self, const Arguments& arguments) const;
};

// Null where there is none.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
bool is_filter(std::string_view name);
bool is_test(std::string_view name);
// A method bound to its object. An undefined value for those the sandbox hides; false where the type has none.
bool find_method(const Value& object, std::string_view name, Value& method);
Value loop_attribute(LoopState& loop, std::string_view name);
void add_global_functions(Scope& scope);

// The tables (one file each).
std::span<const Builtin> text_filters();
std::span<const Builtin> list_filters();
std::span<const Builtin> string_methods();

// What they share.

// Follows "a.b.0" into a value, as map and selectattr do.
Value follow(Interpreter& in, Value value, const Value& path);
// The first position of sub at or after `at`, or npos. Takes time linear in both sizes, whatever they hold.
size_t find_bytes(std::string_view text, std::string_view sub, size_t at = 0);
// The last position of sub, or npos. Counts steps, since its time grows with the product of both sizes.
size_t find_last_bytes(Budget& budget, std::string_view text, std::string_view sub);
const Text& text_of(const Value& value, std::string_view what);
// A string of the kind `like` is: marked safe where that was.
Value keep_markup(const Value& like, Text text);
// Removes white space, or the given characters.
Text strip(const Text& text, const Value* characters, bool left, bool right);
List split_lines(Interpreter& in, const Value& text);  // of a string
Text replace(Interpreter& in, const Text& text, const Text& from, const Text& to, int64_t n);
// Case as Python's str methods change it.
Text to_lower(const Text& text);
Text to_upper(const Text& text);
Text capitalize(const Text& text);
Text to_title(const Text& text);     // str.title()
Text title_words(const Text& text);  // |title
Text center(Interpreter& in, const Text& text, int64_t width);
enum class CharacterClass { alpha, decimal, digit, numeric, alphanumeric };
bool all_characters(std::string_view text, CharacterClass which);  // str.isalpha() and so on
bool is_cased_as(std::string_view text, bool upper);               // str.isupper(), str.islower()
// format % arguments, and format.format(...) (format.cc).
Text format_percent(Interpreter& in, const Text& format, const Value& arguments);
Text format_braces(Interpreter& in, const Text& format, const Arguments& arguments);

}  // namespace ogas::jinja
