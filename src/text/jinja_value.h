// Values of the template language: Python's, as far as templates can tell.
//
// Strings, lists and dictionaries are shared and never change once made, which is how transformers runs templates too
// (an immutable sandbox); only a namespace can be written to.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ogas::jinja {

// Ends a rendering or a parse; caught in chat_template.cc and never seen beyond it. Line 0 is filled in by whoever
// knows.
struct Failure {
  std::string message;
  size_t line = 0;
};

class Value;
class Interpreter;
using List = std::vector<Value>;

// How Python would have it: a tuple prints in parentheses, and a generator (what map and select give) only yields.
enum class Sequence : uint8_t { list, tuple, generator };
// A string that |safe or |escape has marked: what is added to it is escaped first (MarkupSafe).
struct Markup {
  std::string text;
};

struct Arguments {
  List positional;
  std::vector<std::pair<std::string, Value>> named;

  // Argument idx, or the one of that name; null where neither was given.
  const Value* find(size_t idx, std::string_view name) const;
  const Value& at(size_t idx, std::string_view name) const;  // fails where it is missing
};

using Function = std::function<Value(Interpreter&, const Arguments&)>;

struct Undefined {
  std::string name;  // for messages
};
struct Dict;
struct Namespace;
struct Callable {
  Function call;
};

class Value {
 public:
  Value() : data_(std::monostate()) {}
  Value(Undefined undefined) : data_(std::move(undefined)) {}
  Value(bool b) : data_(b) {}
  Value(int64_t i) : data_(i) {}
  Value(double d) : data_(d) {}
  Value(std::string s) : data_(std::make_shared<const std::string>(std::move(s))) {}
  Value(Markup markup) : Value(std::move(markup.text)) { is_markup_ = true; }
  Value(const char* s) : Value(std::string(s)) {}
  Value(List list, Sequence sequence = Sequence::list)
      : data_(std::make_shared<const List>(std::move(list))), sequence_(sequence) {}
  Value(Dict dict);
  Value(std::shared_ptr<Namespace> ns) : data_(std::move(ns)) {}
  Value(Function function) : data_(std::make_shared<const Callable>(std::move(function))) {}
  static Value from_json(const nlohmann::ordered_json& json);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_int() const { return std::holds_alternative<int64_t>(data_); }
  bool is_float() const { return std::holds_alternative<double>(data_); }
  bool is_number() const { return is_int() || is_float() || is_bool(); }
  // Null where it is of another type.
  const std::string* string() const;
  const List* list() const;
  bool is_markup() const { return is_markup_; }
  bool is_generator() const { return list() && sequence_ == Sequence::generator; }
  const Dict* dict() const;
  Namespace* ns() const;
  const Callable* callable() const;
  const Undefined* undefined() const { return std::get_if<Undefined>(&data_); }

  // The number of a bool, int or float; fails for others.
  double to_double() const;
  // The number of a bool or int; fails for others, naming `what`.
  int64_t to_int(std::string_view what) const;
  bool truthy() const;
  std::string str() const;   // Python's str()
  std::string repr() const;  // Python's repr()
  std::string_view type_name() const;
  size_t length() const;  // characters of a string, elements of a list or dictionary; fails for others
  List iterate() const;   // what a for loop sees

  bool equals(const Value& other) const;
  // Python's <; fails for types that have no order.
  bool less(const Value& other) const;
  bool contains(const Value& element) const;  // element in *this

 private:
  std::variant<std::monostate, Undefined, bool, int64_t, double, std::shared_ptr<const std::string>,
               std::shared_ptr<const List>, std::shared_ptr<const Dict>, std::shared_ptr<Namespace>,
               std::shared_ptr<const Callable>>
      data_;
  Sequence sequence_ = Sequence::list;  // of a list
  bool is_markup_ = false;              // of a string
};

// In the order of insertion; templates' dictionaries are small.
struct Dict {
  std::vector<std::pair<Value, Value>> items;

  const Value* find(const Value& key) const;
  const Value* find_name(std::string_view name) const;
  void set(Value key, Value value);
};

struct Namespace {
  Dict values;
};

struct JsonStyle {
  int indent = -1;  // negative: on one line
  std::string item_separator = ", ", key_separator = ": ";
  bool sort_keys = false;
  bool ensure_ascii = false;  // write everything else as \uXXXX
};
// Python's json.dumps().
std::string to_json(const Value& value, const JsonStyle& style);

// <, >, &, " and ' as HTML entities.
std::string escape_html(std::string_view text);

// Strings by characters, as Python counts them.
size_t count_characters(std::string_view text);
std::vector<std::string_view> characters_of(std::string_view text);

}  // namespace ogas::jinja
