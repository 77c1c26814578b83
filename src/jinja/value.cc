#include "jinja/value.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/unicode.h"

namespace ogas::jinja {
namespace {

int depth_within(const List& list) {
  int depth = 0;
  for (const Value& value : list) depth = std::max(depth, value.depth());
  return depth;
}

int checked_depth(int within) {
  if (within >= kMaxValueDepth) throw Failure{"a value is nested too deeply"};
  return within + 1;
}

Value json_value(const nlohmann::ordered_json& json, bool is_input, int depth) {
  using Type = nlohmann::ordered_json::value_t;
  if (depth > kMaxValueDepth) throw Failure{"the input is nested too deeply"};
  switch (json.type()) {
    case Type::boolean: return json.get<bool>();
    case Type::number_integer: return json.get<int64_t>();
    case Type::number_unsigned: {
      const auto number = json.get<uint64_t>();
      return number <= INT64_MAX ? Value(static_cast<int64_t>(number)) : Value(static_cast<double>(number));
    }
    case Type::number_float: return json.get<double>();
    case Type::string: return Text(json.get<std::string>(), is_input);
    case Type::array: {
      List list;
      list.reserve(json.size());
      for (const auto& element : json) list.push_back(json_value(element, is_input, depth + 1));
      return list;
    }
    case Type::object: {
      Dict dict;
      for (const auto& [key, value] : json.items())
        dict.items.emplace_back(Text(key, is_input), json_value(value, is_input, depth + 1));
      return dict;
    }
    default: return {};
  }
}

template <class T, class Variant>
const T* get_shared(const Variant& data) {
  const auto* p = std::get_if<std::shared_ptr<const T>>(&data);
  return p ? p->get() : nullptr;
}

// What a value points to, with the memory it takes.
template <class T>
struct Node : T {
  Node(T value, size_t n_bytes) : T(std::move(value)), held(n_bytes) {}
  Held held;
};
constexpr size_t kNodeBytes = 96;  // of the node itself, and of the heap's own about it and its buffer

template <class T>
std::shared_ptr<Node<T>> make_node(T value, size_t n_bytes) {
  return std::make_shared<Node<T>>(std::move(value), kNodeBytes + n_bytes);
}

size_t footprint(const List& list) { return list.capacity() * sizeof(Value); }

constexpr size_t kFunctionBytes = 128;  // of a std::function and what it captures

}  // namespace

Undefined::Undefined(std::string_view name) {
  constexpr size_t kMaxName = 100;
  name_ = make_node(std::string(name.substr(0, kMaxName)), kMaxName);
}

Value::Value(Text text) {
  const size_t n_bytes = text.footprint();
  data_ = std::shared_ptr<const Text>(make_node(std::move(text), n_bytes));
}

Value::Value(List list, Sequence sequence) : sequence_(sequence) {
  const int depth = checked_depth(depth_within(list));
  const size_t n_bytes = footprint(list);
  data_ = std::shared_ptr<const Elements>(make_node(Elements{std::move(list), depth}, n_bytes));
}

Value::Value(Dict dict) {
  int within = 0;
  for (const auto& [key, value] : dict.items) within = std::max({within, key.depth(), value.depth()});
  dict.depth = checked_depth(within);
  const size_t n_bytes = dict.items.capacity() * 2 * sizeof(Value);
  data_ = std::shared_ptr<const Dict>(make_node(std::move(dict), n_bytes));
}

Value::Value(Function function, const Value* holds, std::string shown) {
  const int depth = checked_depth(holds ? holds->depth() : 0);
  data_ = std::shared_ptr<const Callable>(
      make_node(Callable{std::move(function), depth, std::move(shown)}, kFunctionBytes));
}

Value Value::generator(List elements, const Value& source, Transform transform, const List& holds) {
  const int depth = checked_depth(std::max({depth_within(elements), source.depth(), depth_within(holds)}));
  Value value;
  const size_t n_bytes = footprint(elements) + kFunctionBytes + holds.size() * sizeof(Value);
  value.data_ = std::shared_ptr<Generator>(
      make_node(Generator{std::move(elements), 0, source, std::move(transform), depth}, n_bytes));
  return value;
}

Value Value::range(List elements, const std::array<int64_t, 3>& bounds) {
  Value value;
  const size_t n_bytes = footprint(elements);
  value.data_ = std::shared_ptr<const Elements>(make_node(Elements{std::move(elements), 1, bounds}, n_bytes));
  value.sequence_ = Sequence::range;
  return value;
}

Value Value::from_json(const nlohmann::ordered_json& json, bool is_input) { return json_value(json, is_input, 0); }

const Text* Value::text() const { return get_shared<Text>(data_); }
const std::string* Value::string() const {
  const Text* value = text();
  return value ? &value->bytes() : nullptr;
}
const Elements* Value::elements() const { return get_shared<Elements>(data_); }
const List* Value::list() const {
  const Elements* value = elements();
  return value ? &value->list : nullptr;
}
const Dict* Value::dict() const { return get_shared<Dict>(data_); }
const Callable* Value::callable() const { return get_shared<Callable>(data_); }
Generator* Value::generator() const {
  const auto* p = std::get_if<std::shared_ptr<Generator>>(&data_);
  return p ? p->get() : nullptr;
}
Namespace* Value::ns() const {
  const auto* p = std::get_if<Namespace*>(&data_);
  return p ? *p : nullptr;
}
LoopState* Value::loop() const {
  const auto* p = std::get_if<LoopState*>(&data_);
  return p ? *p : nullptr;
}

int Value::depth() const {
  if (const auto* value = elements()) return value->depth;
  if (const auto* value = dict()) return value->depth;
  if (const auto* value = generator()) return value->depth;
  if (const auto* value = callable()) return value->depth;
  return 0;
}

bool Value::is_hashable() const {
  if (dict()) return false;
  if (!list()) return true;
  if (sequence_ == Sequence::tuple)
    return std::ranges::all_of(*list(), [](const Value& value) { return value.is_hashable(); });
  return sequence_ == Sequence::range || sequence_ == Sequence::values;
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
  if (list()) return !list()->empty();
  if (dict()) return !dict()->items.empty();
  return true;
}

std::string_view Value::type_name() const {
  constexpr std::string_view kNames[] = {"None", "undefined", "bool",      "int",       "float",       "str",
                                         "list", "dict",      "generator", "namespace", "LoopContext", "function"};
  constexpr std::string_view kSequences[] = {"list", "tuple", "range", "dict_keys", "dict_values", "dict_items"};
  return list() ? kSequences[static_cast<size_t>(sequence_)] : kNames[data_.index()];
}

bool Value::append_in_place(const Text& more, Budget& budget) {
  auto* shared = std::get_if<std::shared_ptr<const Text>>(&data_);
  if (!shared || shared->use_count() != 1 || shared->get() == &more) return false;
  // Every text of a Value is a Node, and no other value sees this one.
  auto& node = static_cast<Node<Text>&>(const_cast<Text&>(**shared));
  reserve_for(node, more.size(), budget);
  node.append(more);
  node.held.resize(kNodeBytes + node.footprint());
  return true;
}

size_t Value::length() const {
  if (string()) return count_characters(*string());
  if (list()) return list()->size();
  if (dict()) return dict()->items.size();
  if (loop()) return loop()->elements->size();
  if (is_undefined()) return 0;
  throw Failure{fmt::format("a value of type {} has no length", type_name())};
}

bool Value::equals(const Value& other, Budget& budget) const {
  budget.step();
  if (is_number() && other.is_number()) {
    if (!is_float() && !other.is_float()) return to_int("") == other.to_int("");
    return to_double() == other.to_double();
  }
  if (data_.index() != other.data_.index()) return false;
  if (string()) {
    budget.step(std::min(string()->size(), other.string()->size()) >> 8);
    return *string() == *other.string();
  }
  if (list()) {
    if (sequence_ != other.sequence_) return false;
    return std::ranges::equal(*list(), *other.list(),
                              [&](const Value& a, const Value& b) { return a.equals(b, budget); });
  }
  if (dict()) {
    if (dict()->items.size() != other.dict()->items.size()) return false;
    return std::ranges::all_of(dict()->items, [&](const auto& entry) {
      const Value* value = other.dict()->find(entry.first, budget);
      return value && value->equals(entry.second, budget);
    });
  }
  if (generator()) return generator() == other.generator();
  if (ns()) return ns() == other.ns();
  if (loop()) return loop() == other.loop();
  if (callable()) return callable() == other.callable();
  return true;  // none and undefined
}

bool Value::less(const Value& other, Budget& budget) const {
  budget.step();
  if (is_number() && other.is_number()) {
    if (!is_float() && !other.is_float()) return to_int("") < other.to_int("");
    return to_double() < other.to_double();
  }
  if (string() && other.string()) {
    budget.step(std::min(string()->size(), other.string()->size()) >> 8);
    return *string() < *other.string();  // UTF-8 sorts as its code points do
  }
  if (list() && other.list() && sequence_ == other.sequence_ && sequence_ <= Sequence::tuple) {
    const List &a = *list(), &b = *other.list();
    for (size_t idx = 0; idx < std::min(a.size(), b.size()); ++idx)
      if (!a[idx].equals(b[idx], budget)) return a[idx].less(b[idx], budget);
    return a.size() < b.size();
  }
  throw Failure{fmt::format("values of types {} and {} have no order", type_name(), other.type_name())};
}

const Value* Dict::find(const Value& key, Budget& budget) const {
  for (const auto& [name, value] : items)
    if (name.equals(key, budget)) return &value;
  return nullptr;
}

const Value* Dict::find_name(std::string_view name) const {
  for (const auto& [key, value] : items)
    if (key.string() && *key.string() == name) return &value;
  return nullptr;
}

Value* Dict::find_name(std::string_view name) { return const_cast<Value*>(std::as_const(*this).find_name(name)); }

void Dict::set(Value key, Value value, Budget& budget) {
  if (!key.is_hashable()) throw Failure{fmt::format("a value of type {} cannot be a key", key.type_name())};
  for (auto& entry : items) {
    if (entry.first.equals(key, budget)) {
      entry.second = std::move(value);
      return;
    }
  }
  budget.spend(2 * sizeof(Value));
  items.emplace_back(std::move(key), std::move(value));
}

void reserve_for(Text& text, size_t n_more, Budget& budget) {
  budget.spend(n_more);
  const size_t n = text.size() + n_more;
  if (n <= text.capacity()) return;
  const size_t n_grown = std::max(n, 2 * text.capacity());
  budget.spend(n_grown);  // in addition to the old buffer, which lives until the copy is made
  text.reserve(n_grown);
}

Text escape_html(const Text& text) {
  return text.mapped([](std::string_view run) {
    std::string result;
    for (const char c : run) {
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
  });
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

namespace {

constexpr size_t kEight = sizeof(uint64_t);

// 8 where a text begins with as many ASCII characters, else 0.
size_t ascii_at(std::string_view text) {
  if (text.size() < kEight) return 0;
  uint64_t eight = 0;
  std::memcpy(&eight, text.data(), kEight);
  return (eight & 0x8080808080808080) == 0 ? kEight : 0;
}

}  // namespace

size_t byte_of_character(std::string_view text, size_t idx) {
  size_t at = 0;
  while (idx > 0 && at < text.size()) {
    const size_t n = idx >= kEight ? ascii_at(text.substr(at)) : 0;
    at += n > 0 ? n : next_utf8(text.substr(at)).length;
    idx -= n > 0 ? n : 1;
  }
  return at;
}

size_t count_characters(std::string_view text) {
  size_t n = 0;
  while (!text.empty()) {
    const size_t n_ascii = ascii_at(text);
    text.remove_prefix(n_ascii > 0 ? n_ascii : next_utf8(text).length);
    n += n_ascii > 0 ? n_ascii : 1;
  }
  return n;
}

}  // namespace ogas::jinja
