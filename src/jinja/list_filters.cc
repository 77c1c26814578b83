// Filters of lists and dictionaries. Those that Jinja makes generators of are generators here too.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "jinja/builtins.h"

namespace ogas::jinja {
namespace {

// A generator over what a for loop over the value would see.
Value generate(Interpreter& in, const Value& input, Value::Transform transform, const Arguments& holds = {}) {
  List held = holds.positional;
  for (const auto& entry : holds.named) held.push_back(entry.second);
  in.spend(held.size() + 1, 2 * sizeof(Value));
  if (input.generator()) return Value::generator({}, input, std::move(transform), held);
  return Value::generator(in.elements_of(input), {}, std::move(transform), held);
}

// The arguments after the first n positional ones.
Arguments rest_of(const Arguments& a, size_t n) {
  Arguments rest{.positional = {}, .named = a.named};
  for (size_t idx = n; idx < a.positional.size(); ++idx) rest.positional.push_back(a.positional[idx]);
  return rest;
}

// select, reject, selectattr and rejectattr.
template <bool kByAttribute, bool kKeep>
Value select(Interpreter& in, const Value& input, const Bound& a) {
  if (!input.truthy()) return generate(in, List{}, {});
  const Arguments& all = a.all;
  return generate(
      in, input,
      [all](Interpreter& inner, Value& element) {
        constexpr size_t kTest = kByAttribute ? 1 : 0;
        if (all.positional.size() < kTest) throw Failure{"selectattr: the name of an attribute is missing"};
        const Value subject = kByAttribute ? follow(inner, element, all.positional[0]) : element;
        const bool holds =
            all.positional.size() > kTest
                ? inner.apply_test(text_of(all.positional[kTest], "select").bytes(), subject, rest_of(all, kTest + 1))
                : subject.truthy();
        return holds == kKeep;
      },
      all);
}

const Value* find_named(const Arguments& a, std::string_view name) {
  const auto found = std::ranges::find(a.named, name, &std::pair<std::string, Value>::first);
  return found == a.named.end() ? nullptr : &found->second;
}

Value map_attribute(Interpreter& in, Value element, const Arguments& a) {
  const Value* fallback = find_named(a, "default");
  const bool known = a.named.size() == (fallback ? 2U : 1U);
  if (!known) throw Failure{"map: an argument has an unknown name"};
  Value value = follow(in, std::move(element), *find_named(a, "attribute"));
  return value.is_undefined() && fallback && !fallback->is_none() ? *fallback : value;
}

Value map(Interpreter& in, const Value& input, const Bound& a) {
  if (!input.truthy()) return generate(in, List{}, {});
  const Arguments& all = a.all;
  return generate(
      in, input,
      [all](Interpreter& inner, Value& element) {
        if (all.positional.empty() && !find_named(all, "attribute")) throw Failure{"map: a filter's name is missing"};
        element = all.positional.empty()
                      ? map_attribute(inner, std::move(element), all)
                      : inner.apply_filter(text_of(all.positional[0], "map").bytes(), element, rest_of(all, 1));
        return true;
      },
      all);
}

// Strings compare without case unless asked for, as in Jinja.
Value without_case(Interpreter& in, Value key, bool case_sensitive) {
  if (!key.text() || case_sensitive) return key;
  in.spend(key.text()->size());
  in.step(1 + (key.text()->size() >> 3));
  return to_lower(*key.text());
}

Value key_of(Interpreter& in, const Value& element, const Value* attribute, bool case_sensitive) {
  return without_case(in, attribute ? follow(in, element, *attribute) : element, case_sensitive);
}

// Attributes with commas between, as |sort has them.
List keys_of(Interpreter& in, const Value& element, const Value* attribute, bool case_sensitive) {
  if (!attribute || !attribute->string()) return {key_of(in, element, attribute, case_sensitive)};
  List keys;
  for (std::string_view rest = *attribute->string();;) {
    const size_t comma = rest.find(',');
    keys.push_back(without_case(in, follow(in, element, std::string(rest.substr(0, comma))), case_sensitive));
    if (comma == std::string_view::npos) return keys;
    rest.remove_prefix(comma + 1);
  }
}

List sorted_by(Interpreter& in, std::vector<std::pair<Value, Value>> keyed, bool descending) {
  in.spend(keyed.size(), 4 * sizeof(Value));
  std::ranges::stable_sort(keyed, [&](const auto& x, const auto& y) {
    return descending ? y.first.less(x.first, in) : x.first.less(y.first, in);
  });
  List result;
  result.reserve(keyed.size());
  for (auto& entry : keyed) result.push_back(std::move(entry.second));
  return result;
}

Value sorted(Interpreter& in, const Value& input, const Bound& a) {
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& element : in.elements_of(input)) {
    in.step();
    in.spend(2 * sizeof(Value));
    Value key = keys_of(in, element, a.given(2), a.flag(1));
    keyed.emplace_back(std::move(key), std::move(element));
  }
  return sorted_by(in, std::move(keyed), a.flag(0));
}

Value dictsort(Interpreter& in, const Value& input, const Bound& a) {
  if (!input.dict()) throw Failure{fmt::format("dictsort needs a dictionary, not {}", input.type_name())};
  const std::string by = a[1] ? text_of(*a[1], "dictsort").bytes() : "key";
  if (by != "key" && by != "value") throw Failure{"dictsort: 'by' is 'key' or 'value'"};
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, value] : input.dict()->items) {
    in.step();
    in.spend(6 * sizeof(Value));
    keyed.emplace_back(without_case(in, by == "key" ? key : value, a.flag(0)),
                       Value(List{key, value}, Sequence::tuple));
  }
  return sorted_by(in, std::move(keyed), a.flag(2));
}

Value unique(Interpreter& in, const Value& input, const Bound& a) {
  auto seen = std::make_shared<List>();
  const bool case_sensitive = a.flag(0);
  const Value attribute = a[1] ? *a[1] : Value();
  return generate(in, input, [seen, case_sensitive, attribute](Interpreter& inner, Value& element) {
    Value key = key_of(inner, element, attribute.is_none() ? nullptr : &attribute, case_sensitive);
    if (!key.is_hashable()) throw Failure{"unique: a value cannot be hashed"};
    if (std::ranges::any_of(*seen, [&](const Value& v) { return v.equals(key, inner); })) return false;
    inner.spend(sizeof(Value));
    seen->push_back(std::move(key));
    return true;
  });
}

template <bool kLargest>
Value extreme(Interpreter& in, const Value& input, const Bound& a) {
  Value best = Undefined{"the extreme of nothing"};
  Value best_key;
  bool first = true;
  for (const Value& element : in.elements_of(input)) {
    in.step();
    Value key = key_of(in, element, a.given(1), a.flag(0));
    if (first || (kLargest ? best_key.less(key, in) : key.less(best_key, in))) {
      best = element;
      best_key = std::move(key);
    }
    first = false;
  }
  return best;
}

Value join_items(Interpreter& in, const Value& input, const Bound& a) {
  const Text separator = a[0] ? in.str(*a[0]) : Text();
  Text text;
  bool first = true;
  for (const Value& element : in.elements_of(input)) {
    in.step();
    const Text part = in.str(a.given(1) ? follow(in, element, *a[1]) : element);
    in.spend(separator.size() + part.size());
    if (!first) text.append(separator);
    text.append(part);
    first = false;
  }
  return text;
}

Value sum(Interpreter& in, const Value& input, const Bound& a) {
  Value total = a[1] ? *a[1] : Value(int64_t{0});
  if (total.string()) throw Failure{"sum: strings cannot be added up"};
  for (const Value& element : in.elements_of(input)) {
    in.step();
    total = apply_operator(in, "+", total, a.given(0) ? follow(in, element, *a[0]) : element);
  }
  return total;
}

Value reversed(Interpreter& in, const Value& input, const Bound&) {
  List elements = in.elements_of(input);
  std::ranges::reverse(elements);
  if (input.generator()) return elements;
  if (!input.text()) return generate(in, std::move(elements), {});
  Text text;
  for (const Value& element : elements) text.append(*element.text());
  return keep_markup(input, std::move(text));
}

Value first_of(Interpreter& in, const Value& input, const Bound&) {
  Value value;
  if (Generator* generator = input.generator())
    return in.next(*generator, value) ? value : Value(Undefined{"the first of nothing"});
  if (input.is_indexable() && !input.list()->empty()) return input.list()->front();
  const List elements = in.elements_of(input);
  return elements.empty() ? Value(Undefined{"the first of nothing"}) : elements.front();
}

Value last_of(Interpreter& in, const Value& input, const Bound&) {
  if (input.generator()) throw Failure{"last: a generator cannot be reversed"};
  if (input.is_indexable() && !input.list()->empty()) return input.list()->back();
  const List elements = in.elements_of(input);
  return elements.empty() ? Value(Undefined{"the last of nothing"}) : elements.back();
}

Value items(Interpreter& in, const Value& input, const Bound&) {
  if (input.is_undefined()) return generate(in, List{}, {});
  if (!input.dict()) throw Failure{fmt::format("items needs a dictionary, not {}", input.type_name())};
  List pairs;
  in.spend(input.length(), 5 * sizeof(Value));
  in.step(input.length());
  for (const auto& [key, value] : input.dict()->items) pairs.push_back(Value(List{key, value}, Sequence::tuple));
  return generate(in, std::move(pairs), {});
}

constexpr Builtin kListFilters[] = {
    {"dictsort", "case_sensitive? by? reverse?", dictsort},
    {"first", "", first_of},
    {"items", "", items},
    {"join", "d? attribute?", join_items},
    {"last", "", last_of},
    {"list", "", [](Interpreter& in, const Value& v, const Bound&) { return Value(in.elements_of(v)); }},
    {"map", "*", map},
    {"max", "case_sensitive? attribute?", extreme<true>},
    {"min", "case_sensitive? attribute?", extreme<false>},
    {"reject", "*", select<false, false>},
    {"rejectattr", "*", select<true, false>},
    {"reverse", "", reversed},
    {"select", "*", select<false, true>},
    {"selectattr", "*", select<true, true>},
    {"sort", "reverse? case_sensitive? attribute?", sorted},
    {"sum", "attribute? start?", sum},
    {"unique", "case_sensitive? attribute?", unique},
};

}  // namespace

std::span<const Builtin> list_filters() { return kListFilters; }

}  // namespace ogas::jinja
