#include "text/jinja_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/unicode.h"

namespace ogas::jinja {
namespace {

// Nesting of values to print or compare: what JSON brings is bounded, what templates build might not be.
constexpr int kMaxDepth = 100;

std::string repr_of_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // The shortest digits that read back the same, in Python's choice of notation.
  const double magnitude = std::fabs(value);
  const bool scientific = magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16);
  char buffer[400];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value,
                                    scientific ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(buffer, result.ptr);
  if (!scientific && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string repr_of_string(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string result(1, quote);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\')
      result += {'\\', c};
    else if (c == '\n')
      result += "\\n";
    else if (c == '\r')
      result += "\\r";
    else if (c == '\t')
      result += "\\t";
    else if (byte < 0x20 || byte == 0x7F)
      result += fmt::format("\\x{:02x}", byte);
    else
      result += c;
  }
  return result + quote;
}

// Everything beyond ASCII as UTF-16 code units, which is how JSON escapes it.
std::string escape_beyond_ascii(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Utf8Step step = next_utf8(text);
    auto c = static_cast<uint32_t>(step.kind == Utf8Kind::valid ? step.code_point : 0xFFFD);
    if (c < 0x80)
      result += static_cast<char>(c);
    else if (c < 0x10000)
      result += fmt::format("\\u{:04x}", c);
    else
      result += fmt::format("\\u{:04x}\\u{:04x}", 0xD7C0 + (c >> 10), 0xDC00 + (c & 0x3FF));
    text.remove_prefix(step.length);
  }
  return result;
}

std::string json_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': result += "\\\""; break;
      case '\\': result += "\\\\"; break;
      case '\n': result += "\\n"; break;
      case '\r': result += "\\r"; break;
      case '\t': result += "\\t"; break;
      case '\b': result += "\\b"; break;
      case '\f': result += "\\f"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          result += fmt::format("\\u{:04x}", static_cast<int>(c));
        else
          result += c;
    }
  }
  return result + "\"";
}

class JsonWriter {
 public:
  explicit JsonWriter(const JsonStyle& style) : style_(style) {}

  std::string write(const Value& value, int depth) {
    if (depth > kMaxDepth) throw Failure{"tojson: nested too deeply"};
    if (const auto* text = value.string()) return write_string(*text);
    if (const auto* list = value.list(); list && !value.is_generator()) return write_list(*list, depth);
    if (const auto* dict = value.dict()) return write_dict(*dict, depth);
    if (value.is_none()) return "null";
    if (value.is_bool()) return value.truthy() ? "true" : "false";
    if (value.is_int()) return value.str();
    if (value.is_float()) {
      const double number = value.to_double();
      return std::isnan(number) ? "NaN" : std::isinf(number) ? (number > 0 ? "Infinity" : "-Infinity") : value.str();
    }
    throw Failure{fmt::format("tojson: a value of type {} is no JSON", value.type_name())};
  }

 private:
  std::string write_string(std::string_view text) const {
    return style_.ensure_ascii ? escape_beyond_ascii(json_string(text)) : json_string(text);
  }
  std::string write_list(const List& list, int depth) {
    if (list.empty()) return "[]";
    std::string result = "[";
    for (size_t idx = 0; idx < list.size(); ++idx) result += before(idx, depth) + write(list[idx], depth + 1);
    return result + after(depth) + "]";
  }
  std::string write_dict(const Dict& dict, int depth) {
    if (dict.items.empty()) return "{}";
    auto items = dict.items;
    if (style_.sort_keys)
      std::ranges::stable_sort(items, [](const auto& a, const auto& b) { return a.first.less(b.first); });
    std::string result = "{";
    for (size_t idx = 0; idx < items.size(); ++idx) {
      const auto& [key, value] = items[idx];
      const bool plain = key.is_none() || key.is_number();
      if (!key.string() && !plain) throw Failure{fmt::format("tojson: a key of type {} is no JSON", key.type_name())};
      result += before(idx, depth) + write_string(key.string() ? *key.string() : write(key, depth + 1)) +
                style_.key_separator + write(value, depth + 1);
    }
    return result + after(depth) + "}";
  }
  std::string before(size_t idx, int depth) const {
    if (style_.indent < 0) return idx == 0 ? "" : style_.item_separator;
    return (idx == 0 ? "" : style_.item_separator) + "\n" +
           std::string(static_cast<size_t>(style_.indent * (depth + 1)), ' ');
  }
  std::string after(int depth) const {
    return style_.indent < 0 ? "" : "\n" + std::string(static_cast<size_t>(style_.indent * depth), ' ');
  }

  const JsonStyle& style_;
};

std::string join_reprs(const List& list) {
  std::string text;
  for (const Value& value : list) text += (text.empty() ? "" : ", ") + value.repr();
  return text;
}

}  // namespace

const Value* Arguments::find(size_t idx, std::string_view name) const {
  if (idx < positional.size()) return &positional[idx];
  for (const auto& [key, value] : named)
    if (key == name) return &value;
  return nullptr;
}

const Value& Arguments::at(size_t idx, std::string_view name) const {
  if (const Value* value = find(idx, name)) return *value;
  throw Failure{fmt::format("argument '{}' is missing", name)};
}

Value::Value(Dict dict) : data_(std::make_shared<const Dict>(std::move(dict))) {}

Value Value::from_json(const nlohmann::ordered_json& json) {
  using Type = nlohmann::ordered_json::value_t;
  switch (json.type()) {
    case Type::boolean: return json.get<bool>();
    case Type::number_integer: return json.get<int64_t>();
    case Type::number_unsigned: {
      const auto number = json.get<uint64_t>();
      return number <= INT64_MAX ? Value(static_cast<int64_t>(number)) : Value(static_cast<double>(number));
    }
    case Type::number_float: return json.get<double>();
    case Type::string: return json.get<std::string>();
    case Type::array: {
      List list;
      for (const auto& element : json) list.push_back(from_json(element));
      return list;
    }
    case Type::object: {
      Dict dict;
      for (const auto& [key, value] : json.items()) dict.items.emplace_back(key, from_json(value));
      return dict;
    }
    default: return {};
  }
}

const std::string* Value::string() const {
  const auto* p = std::get_if<std::shared_ptr<const std::string>>(&data_);
  return p ? p->get() : nullptr;
}
const List* Value::list() const {
  const auto* p = std::get_if<std::shared_ptr<const List>>(&data_);
  return p ? p->get() : nullptr;
}
const Dict* Value::dict() const {
  const auto* p = std::get_if<std::shared_ptr<const Dict>>(&data_);
  return p ? p->get() : nullptr;
}
Namespace* Value::ns() const {
  const auto* p = std::get_if<std::shared_ptr<Namespace>>(&data_);
  return p ? p->get() : nullptr;
}
const Callable* Value::callable() const {
  const auto* p = std::get_if<std::shared_ptr<const Callable>>(&data_);
  return p ? p->get() : nullptr;
}

double Value::to_double() const {
  if (const auto* b = std::get_if<bool>(&data_)) return *b;
  if (const auto* i = std::get_if<int64_t>(&data_)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&data_)) return *d;
  throw Failure{fmt::format("a number is expected, not {}", type_name())};
}

int64_t Value::to_int(std::string_view what) const {
  if (const auto* b = std::get_if<bool>(&data_)) return *b;
  if (const auto* i = std::get_if<int64_t>(&data_)) return *i;
  throw Failure{fmt::format("{}: an integer is expected, not {}", what, type_name())};
}

bool Value::truthy() const {
  if (is_undefined() || is_none()) return false;
  if (is_number()) return to_double() != 0;
  if (string()) return !string()->empty();
  if (list()) return is_generator() || !list()->empty();
  if (dict()) return !dict()->items.empty();
  return true;
}

std::string_view Value::type_name() const {
  constexpr std::string_view kNames[] = {"None", "undefined", "bool", "int",       "float",
                                         "str",  "list",      "dict", "namespace", "function"};
  if (list() && sequence_ != Sequence::list) return sequence_ == Sequence::tuple ? "tuple" : "generator";
  return kNames[data_.index()];
}

std::string Value::str() const {
  if (is_undefined()) return "";
  if (const auto* text = string()) return *text;
  return repr();
}

std::string Value::repr() const {
  thread_local int depth = 0;
  struct Guard {
    Guard() {
      if (++depth > kMaxDepth) {
        --depth;
        throw Failure{"a value is nested too deeply to print"};
      }
    }
    ~Guard() { --depth; }
  } guard;
  if (is_none()) return "None";
  if (is_undefined()) return "Undefined";
  if (const auto* b = std::get_if<bool>(&data_)) return *b ? "True" : "False";
  if (const auto* i = std::get_if<int64_t>(&data_)) return fmt::format("{}", *i);
  if (const auto* d = std::get_if<double>(&data_)) return repr_of_float(*d);
  if (const auto* text = string()) return repr_of_string(*text);
  if (is_generator()) return "<generator>";
  if (const auto* elements = list()) {
    if (sequence_ == Sequence::list) return "[" + join_reprs(*elements) + "]";
    return "(" + join_reprs(*elements) + (elements->size() == 1 ? ",)" : ")");
  }
  if (const auto* entries = dict()) {
    std::string text;
    for (const auto& [key, value] : entries->items)
      text += (text.empty() ? "" : ", ") + key.repr() + ": " + value.repr();
    return "{" + text + "}";
  }
  return fmt::format("<{}>", type_name());
}

size_t Value::length() const {
  if (string()) return count_characters(*string());
  if (list() && !is_generator()) return list()->size();
  if (dict()) return dict()->items.size();
  if (is_undefined()) return 0;
  throw Failure{fmt::format("a value of type {} has no length", type_name())};
}

List Value::iterate() const {
  if (list()) return *list();
  List elements;
  if (is_undefined()) return elements;
  if (string()) {
    for (const auto character : characters_of(*string())) elements.emplace_back(std::string(character));
    return elements;
  }
  if (dict()) {
    for (const auto& entry : dict()->items) elements.push_back(entry.first);
    return elements;
  }
  throw Failure{fmt::format("a value of type {} cannot be iterated over", type_name())};
}

bool Value::equals(const Value& other) const {
  if (is_number() && other.is_number()) {
    if (!is_float() && !other.is_float()) return to_int("") == other.to_int("");
    return to_double() == other.to_double();
  }
  if (data_.index() != other.data_.index()) return false;
  if (string()) return *string() == *other.string();
  if (list() && sequence_ != other.sequence_) return false;
  if (list())
    return std::ranges::equal(*list(), *other.list(), [](const Value& a, const Value& b) { return a.equals(b); });
  if (dict()) {
    if (dict()->items.size() != other.dict()->items.size()) return false;
    return std::ranges::all_of(dict()->items, [&](const auto& entry) {
      const Value* value = other.dict()->find(entry.first);
      return value && value->equals(entry.second);
    });
  }
  if (ns()) return ns() == other.ns();
  if (callable()) return callable() == other.callable();
  return true;  // none and undefined
}

bool Value::less(const Value& other) const {
  if (is_number() && other.is_number()) return to_double() < other.to_double();
  if (string() && other.string()) return *string() < *other.string();  // UTF-8 sorts as its code points do
  if (list() && other.list())
    return std::ranges::lexicographical_compare(*list(), *other.list(),
                                                [](const Value& a, const Value& b) { return a.less(b); });
  throw Failure{fmt::format("values of types {} and {} have no order", type_name(), other.type_name())};
}

bool Value::contains(const Value& element) const {
  if (string()) {
    if (!element.string()) throw Failure{fmt::format("'in <str>' needs a string, not {}", element.type_name())};
    return string()->find(*element.string()) != std::string::npos;
  }
  if (dict()) return dict()->find(element) != nullptr;
  return std::ranges::any_of(iterate(), [&](const Value& value) { return value.equals(element); });
}

const Value* Dict::find(const Value& key) const {
  for (const auto& [name, value] : items)
    if (name.equals(key)) return &value;
  return nullptr;
}

const Value* Dict::find_name(std::string_view name) const {
  for (const auto& [key, value] : items)
    if (key.string() && *key.string() == name) return &value;
  return nullptr;
}

void Dict::set(Value key, Value value) {
  for (auto& entry : items) {
    if (entry.first.equals(key)) {
      entry.second = std::move(value);
      return;
    }
  }
  items.emplace_back(std::move(key), std::move(value));
}

std::string to_json(const Value& value, const JsonStyle& style) { return JsonWriter(style).write(value, 0); }

std::string escape_html(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&#34;"; break;
      case '\'': result += "&#39;"; break;
      default: result += c;
    }
  }
  return result;
}

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> characters;
  while (!text.empty()) {
    const size_t length = next_utf8(text).length;
    characters.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return characters;
}

size_t count_characters(std::string_view text) {
  size_t n = 0;
  for (; !text.empty(); ++n) text.remove_prefix(next_utf8(text).length);
  return n;
}

}  // namespace ogas::jinja
