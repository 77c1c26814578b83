// Values of the template language: Python's, as far as templates can tell.
//
// Strings, lists and dictionaries are shared and never change once made, which is how transformers runs templates too
// (an immutable sandbox). What can change (namespaces, loops) belongs to the Interpreter, so that no cycle can leak.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "jinja/budget.h"
#include "jinja/text.h"

namespace ogas::jinja {

class Value;
class Interpreter;
using List = std::vector<Value>;

// Nesting of values within values: bounds every walk over them, their destruction included.
inline constexpr int kMaxValueDepth = 120;

// Kinds of sequences that print or behave apart. The last three are what dict.keys() and so on give.
enum class Sequence : uint8_t { list, tuple, range, keys, values, items };

// A string that |safe or |escape has marked: what is added to it is escaped first (MarkupSafe).
struct Markup {
  Text text;
};

struct Arguments {
  List positional;
  std::vector<std::pair<std::string, Value>> named;
};

using Function = std::function<Value(Interpreter&, const Arguments&)>;

class Undefined {
 public:
  // name: for messages; only the start of a long one is kept.
  explicit Undefined(std::string_view name);
  const std::string& name() const { return *name_; }

 private:
  std::shared_ptr<const std::string> name_;
};
struct Elements;
struct Dict;
struct Generator;
struct Namespace;
struct LoopState;
struct Callable;

class Value {
 public:
  Value() : data_(std::monostate()) {}
  Value(Undefined undefined) : data_(std::move(undefined)) {}
  Value(bool b) : data_(b) {}
  Value(int64_t i) : data_(i) {}
  Value(double d) : data_(d) {}
  Value(Text text);
  Value(std::string s) : Value(Text(std::move(s))) {}
  Value(const char* s) : Value(std::string(s)) {}
  Value(Markup markup) : Value(std::move(markup.text)) { is_markup_ = true; }
  // Throw Failure past kMaxValueDepth.
  Value(List list, Sequence sequence = Sequence::list);
  Value(Dict dict);
  // holds: a value the function keeps, which counts as nested in it.
  Value(Function function, const Value* holds = nullptr, std::string shown = {});
  // Yields the elements once, each as transform leaves it; those it answers false for are left out. source: a generator
  // to draw from in place of elements, or none. holds: values the transform keeps.
  using Transform = std::function<bool(Interpreter&, Value&)>;
  static Value generator(List elements, const Value& source, Transform transform, const List& holds);
  // range(start, stop, step), its elements made already.
  static Value range(List elements, const std::array<int64_t, 3>& bounds);
  Value(Namespace* ns) : data_(ns) {}
  Value(LoopState* loop) : data_(loop) {}
  // Strings become input where is_input (keys too).
  static Value from_json(const nlohmann::ordered_json& json, bool is_input = false);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_int() const { return std::holds_alternative<int64_t>(data_); }
  bool is_float() const { return std::holds_alternative<double>(data_); }
  bool is_number() const { return is_int() || is_float() || is_bool(); }
  bool is_markup() const { return is_markup_; }
  Sequence sequence() const { return sequence_; }
  // A list or tuple or range, which can be indexed.
  bool is_indexable() const { return list() && sequence_ <= Sequence::range; }
  bool is_hashable() const;
  // Null where it is of another type.
  const Text* text() const;
  const std::string* string() const;
  const List* list() const;  // of any Sequence
  const Elements* elements() const;
  const Dict* dict() const;
  Generator* generator() const;
  Namespace* ns() const;
  LoopState* loop() const;
  const Callable* callable() const;
  const Undefined* undefined() const { return std::get_if<Undefined>(&data_); }
  int depth() const;  // values within values

  // The number of a bool, int or float; fails for others.
  double to_double() const;
  // The number of a bool or int; fails for others, naming `what`.
  int64_t to_int(std::string_view what) const;
  bool truthy() const;
  std::string_view type_name() const;
  // Appends to a string that no other value shares; false where others do. budget: the one that runs.
  bool append_in_place(const Text& more, Budget& budget);
  size_t length() const;  // characters of a string, elements of a list or dictionary; fails for others

  // Whether both are one object.
  bool is_same(const Value& other) const {
    return data_.index() == other.data_.index() && text() && text() == other.text();
  }
  bool equals(const Value& other, Budget& budget) const;
  // Python's <; fails for types that have no order.
  bool less(const Value& other, Budget& budget) const;

 private:
  std::variant<std::monostate, Undefined, bool, int64_t, double, std::shared_ptr<const Text>,
               std::shared_ptr<const Elements>, std::shared_ptr<const Dict>, std::shared_ptr<Generator>, Namespace*,
               LoopState*, std::shared_ptr<const Callable>>
      data_;
  Sequence sequence_ = Sequence::list;  // of a list
  bool is_markup_ = false;              // of a string
};

struct Elements {
  List list;
  int depth = 1;
  std::array<int64_t, 3> range = {};  // start, stop and step of a range
};

// In the order of insertion; templates' dictionaries are small.
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  int depth = 1;

  const Value* find(const Value& key, Budget& budget) const;
  const Value* find_name(std::string_view name) const;
  Value* find_name(std::string_view name);
  // Fails for keys that cannot be hashed.
  void set(Value key, Value value, Budget& budget);
};

struct Generator {
  List elements;
  size_t at = 0;  // the next to give
  Value source = {};
  Value::Transform transform = {};
  int depth = 1;
};

struct Namespace {
  Dict values;
};

struct Callable {
  Function call;
  int depth = 1;
  std::string shown = {};  // how it prints
};

// What `loop` is within a for loop.
struct LoopState {
  std::shared_ptr<const List> elements;
  size_t idx = 0;
  int64_t depth = 1;
  Function recurse = {};  // empty unless the loop is recursive
  List changed_from = {};
  bool has_changed_from = false;
};

// Python's str() and repr().
Text str_of(const Value& value, Budget& budget);
Text repr_of(const Value& value, Budget& budget);
std::string repr_of(double value);

struct JsonStyle {
  int64_t indent = -1;  // negative: on one line
  Text margin = {};     // in place of spaces, where indent is not negative
  Text item_separator = Text(", "), key_separator = Text(": ");
  bool sort_keys = false;
  bool ensure_ascii = false;  // write everything else as \uXXXX
};
// Python's json.dumps().
Text to_json(const Value& value, const JsonStyle& style, Budget& budget);

// Makes room for n_more bytes at the end, by doubling.
void reserve_for(Text& text, size_t n_more, Budget& budget);

// <, >, &, " and ' as HTML entities.
Text escape_html(const Text& text);

// Strings by characters, as Python counts them.
size_t count_characters(std::string_view text);
size_t byte_of_character(std::string_view text, size_t idx);  // where it starts; text.size() past the last
std::vector<std::string_view> characters_of(std::string_view text);

}  // namespace ogas::jinja
