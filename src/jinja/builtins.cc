#include "jinja/builtins.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace ogas::jinja {
namespace {

const Builtin* find_in(std::span<const Builtin> table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Builtin::name);
  return found == table.end() ? nullptr : &*found;
}

List items_of(Interpreter& in, const Dict& dict) {
  in.spend(dict.items.size(), 5 * sizeof(Value));
  in.step(dict.items.size());
  List items;
  for (const auto& [key, value] : dict.items) items.push_back(Value(List{key, value}, Sequence::tuple));
  return items;
}

constexpr Builtin kDictMethods[] = {
    {"items", "/",
     [](Interpreter& in, const Value& d, const Bound&) { return Value(items_of(in, *d.dict()), Sequence::items); }},
    {"keys", "/",
     [](Interpreter& in, const Value& d, const Bound&) { return Value(in.elements_of(d), Sequence::keys); }},
    {"values", "/",
     [](Interpreter& in, const Value& d, const Bound&) {
       in.spend(d.length(), sizeof(Value));
       in.step(d.length() >> 4);
       List values;
       for (const auto& entry : d.dict()->items) values.push_back(entry.second);
       return Value(std::move(values), Sequence::values);
     }},
    {"get", "/ key default?",
     [](Interpreter& in, const Value& d, const Bound& a) {
       if (!a[0]->is_hashable()) throw Failure{"get: the key cannot be hashed"};
       if (const Value* found = d.dict()->find(*a[0], in)) return *found;
       return a[1] ? *a[1] : Value();
     }},
    {"copy", "/", [](Interpreter&, const Value& d, const Bound&) { return d; }},
};

constexpr Builtin kListMethods[] = {
    {"index", "/ value start? stop?",
     [](Interpreter& in, const Value& l, const Bound& a) {
       const auto n = static_cast<int64_t>(l.length());
       const auto clamp = [n](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + n : at, 0, n); };
       const int64_t stop = clamp(a.number(2, n));
       for (int64_t idx = clamp(a.number(1, 0)); idx < stop; ++idx)
         if ((*l.list())[static_cast<size_t>(idx)].equals(*a[0], in)) return Value(idx);
       throw Failure{"index: the value is not in the list"};
     }},
    {"count", "/ value",
     [](Interpreter& in, const Value& l, const Bound& a) {
       const auto n = std::ranges::count_if(*l.list(), [&](const Value& v) { return v.equals(*a[0], in); });
       return Value(static_cast<int64_t>(n));
     }},
    {"copy", "/", [](Interpreter&, const Value& l, const Bound&) { return l; }},
};

// Methods that would change their object: the sandbox gives nothing for them.
constexpr std::string_view kHiddenOfDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kHiddenOfList[] = {"append", "clear",  "extend",  "insert",
                                              "pop",    "remove", "reverse", "sort"};

bool is_hidden(const Value& object, std::string_view name) {
  if (object.dict()) return std::ranges::find(kHiddenOfDict, name) != std::end(kHiddenOfDict);
  return object.list() && object.sequence() == Sequence::list &&
         std::ranges::find(kHiddenOfList, name) != std::end(kHiddenOfList);
}

// The parameters in order, one with each call; false after the last.
bool take_parameter(std::string_view& parameters, std::string_view& name, bool& is_optional) {
  if (parameters.empty()) return false;
  const size_t space = parameters.find(' ');
  name = parameters.substr(0, space);
  parameters = space == std::string_view::npos ? std::string_view() : parameters.substr(space + 1);
  is_optional = name.ends_with('?');
  if (is_optional) name.remove_suffix(1);
  return true;
}

}  // namespace

Value Builtin::call(Interpreter& in, const Value& self, const Arguments& arguments) const {
  Bound bound{.all = arguments};
  std::string_view rest = parameters;
  if (rest == "*") return body(in, self, bound);
  const bool by_position_only = rest.starts_with("/");
  if (by_position_only) rest.remove_prefix(std::min<size_t>(rest.size(), 2));
  std::string_view parameter;
  bool is_optional = false;
  size_t n_named = 0, idx = 0;
  for (; take_parameter(rest, parameter, is_optional); ++idx) {
    if (idx < arguments.positional.size()) bound.values[idx] = &arguments.positional[idx];
    for (const auto& [key, value] : arguments.named) {
      if (key != parameter || by_position_only) continue;
      if (bound.values[idx]) throw Failure{fmt::format("{}: argument '{}' is given twice", name, key)};
      bound.values[idx] = &value;
      ++n_named;
    }
    if (!bound.values[idx] && !is_optional) throw Failure{fmt::format("{}: argument '{}' is missing", name, parameter)};
  }
  if (arguments.positional.size() > idx) throw Failure{fmt::format("{} takes at most {} arguments", name, idx)};
  if (n_named < arguments.named.size()) throw Failure{fmt::format("{}: an argument has an unknown name", name)};
  return body(in, self, bound);
}

const Builtin* find_filter(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
      {"d", "default"}, {"e", "escape"}, {"count", "length"}};
  for (const auto& [alias, real] : kAliases)
    if (alias == name) name = real;
  const Builtin* found = find_in(text_filters(), name);
  return found ? found : find_in(list_filters(), name);
}

bool is_filter(std::string_view name) { return find_filter(name) != nullptr; }
bool is_test(std::string_view name) { return find_test(name) != nullptr; }

bool find_method(const Value& object, std::string_view name, Value& method) {
  const Builtin* found = object.string()         ? find_in(string_methods(), name)
                         : object.dict()         ? find_in(kDictMethods, name)
                         : object.is_indexable() ? find_in(kListMethods, name)
                                                 : nullptr;
  if (!found) {
    method = Undefined{std::string(name)};
    return is_hidden(object, name);
  }
  method = Value(Function([object, found](Interpreter& in, const Arguments& a) { return found->call(in, object, a); }),
                 &object);
  return true;
}

Value loop_attribute(LoopState& loop, std::string_view name) {
  const auto n = static_cast<int64_t>(loop.elements->size());
  const auto i = static_cast<int64_t>(loop.idx);
  if (name == "index") return i + 1;
  if (name == "index0") return i;
  if (name == "revindex") return n - i;
  if (name == "revindex0") return n - i - 1;
  if (name == "first") return i == 0;
  if (name == "last") return i + 1 == n;
  if (name == "length") return n;
  if (name == "depth") return loop.depth;
  if (name == "depth0") return loop.depth - 1;
  if (name == "previtem" && i > 0) return (*loop.elements)[loop.idx - 1];
  if (name == "nextitem" && i + 1 < n) return (*loop.elements)[loop.idx + 1];
  if (name == "cycle")
    return Function([&loop](Interpreter&, const Arguments& a) {
      if (a.positional.empty()) throw Failure{"loop.cycle needs arguments"};
      return a.positional[loop.idx % a.positional.size()];
    });
  if (name == "changed")
    return Function([&loop](Interpreter& in, const Arguments& a) {
      const bool same = loop.has_changed_from && Value(loop.changed_from).equals(Value(a.positional), in);
      loop.has_changed_from = true;
      loop.changed_from = a.positional;
      return Value(!same);
    });
  return Undefined{"loop." + std::string(name)};
}

Value follow(Interpreter& in, Value value, const Value& path) {
  if (!path.string()) return in.item_of(value, path);
  std::string_view rest = *path.string();
  while (true) {
    const size_t dot = rest.find('.');
    const std::string part(rest.substr(0, dot));
    in.step(part.size() >> 8);
    int64_t idx = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), idx);
    const bool is_index = error == std::errc() && end == part.data() + part.size() && part[0] != '-';
    value = in.item_of(value, is_index ? Value(idx) : Value(part));
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

size_t find_bytes(std::string_view text, std::string_view sub, size_t at) {
  if (at > text.size()) return std::string_view::npos;
  if (sub.empty()) return at;
  const void* found = ::memmem(text.data() + at, text.size() - at, sub.data(), sub.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

size_t find_last_bytes(Budget& budget, std::string_view text, std::string_view sub) {
  if (sub.size() <= text.size()) budget.step(((text.size() - sub.size() + 1) * (sub.size() + 16)) >> 10);
  return text.rfind(sub);
}

const Text& text_of(const Value& value, std::string_view what) {
  if (const Text* text = value.text()) return *text;
  throw Failure{fmt::format("{} needs a string, not {}", what, value.type_name())};
}

Value keep_markup(const Value& like, Text text) {
  return like.is_markup() ? Value(Markup{std::move(text)}) : Value(std::move(text));
}

}  // namespace ogas::jinja
