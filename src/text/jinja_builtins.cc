// Filters, tests, methods and functions: Jinja 3.1's and Python's, as far as chat templates use them.
// Over 600 lines because it is several tables of short functions that share helpers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

#include "text/jinja_interpreter.h"
#include "text/unicode.h"

namespace ogas::jinja {
namespace {

constexpr std::string_view kSpaces = " \t\n\r\f\v";

const std::string& text_of(const Value& value, std::string_view what) {
  if (const std::string* text = value.string()) return *text;
  throw Failure{fmt::format("{} needs a string, not {}", what, value.type_name())};
}

std::string strip(std::string_view text, std::string_view characters, bool left, bool right) {
  const size_t begin = left ? text.find_first_not_of(characters) : 0;
  if (begin == std::string_view::npos) return "";
  const size_t end = right ? text.find_last_not_of(characters) + 1 : text.size();
  return std::string(text.substr(begin, end > begin ? end - begin : 0));
}

// Letters of ASCII only: what templates change the case of are roles and type names.
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
bool is_letter(char c) { return upper(c) >= 'A' && upper(c) <= 'Z'; }

std::string mapped(std::string text, char (*change)(char)) {
  std::ranges::transform(text, text.begin(), change);
  return text;
}
std::string capitalized(std::string text) {
  text = mapped(std::move(text), lower);
  if (!text.empty()) text[0] = upper(text[0]);
  return text;
}
std::string titled(std::string text) {
  bool starts_word = true;
  for (char& c : text) {
    c = starts_word ? upper(c) : lower(c);
    starts_word = !is_letter(c);
  }
  return text;
}

std::string replaced(Interpreter& in, const std::string& text, const std::string& from, const std::string& to,
                     int64_t n) {
  std::string result;
  size_t at = 0;
  while (n != 0) {
    const size_t found = from.empty() ? (at <= text.size() ? at : std::string::npos) : text.find(from, at);
    if (found == std::string::npos) break;
    const size_t copied = from.empty() && at < text.size() ? next_utf8(std::string_view(text).substr(at)).length : 0;
    in.spend(found - at + to.size() + copied);
    in.step();
    result.append(text, at, found - at);
    result += to;
    result.append(text, found, copied);
    at = from.empty() ? found + std::max<size_t>(copied, 1) : found + from.size();
    --n;
  }
  if (at < text.size()) result.append(text, at);
  in.spend(text.size());
  return result;
}

List split(Interpreter& in, const std::string& text, const Value* separator, int64_t limit) {
  List parts;
  const auto add = [&](std::string_view part) {
    in.spend(part.size() + sizeof(Value));
    parts.emplace_back(std::string(part));
  };
  const std::string_view all = text;
  if (separator && !separator->is_none()) {
    const std::string& mark = text_of(*separator, "split");
    if (mark.empty()) throw Failure{"split: the separator is empty"};
    size_t at = 0;
    for (; limit != 0; --limit) {
      const size_t found = all.find(mark, at);
      if (found == std::string_view::npos) break;
      add(all.substr(at, found - at));
      at = found + mark.size();
    }
    add(all.substr(at));
    return parts;
  }
  for (size_t at = all.find_first_not_of(kSpaces); at != std::string_view::npos;) {
    size_t end = limit == 0 ? all.find_last_not_of(kSpaces) + 1 : all.find_first_of(kSpaces, at);
    if (end == std::string_view::npos) end = all.size();
    add(all.substr(at, end - at));
    at = limit == 0 ? std::string_view::npos : all.find_first_not_of(kSpaces, end);
    --limit;
  }
  return parts;
}

bool matches_any(const Value& affixes, const auto& matches) {
  if (!affixes.list()) return matches(text_of(affixes, "startswith or endswith"));
  return std::ranges::any_of(*affixes.list(),
                             [&](const Value& v) { return matches(text_of(v, "startswith or endswith")); });
}

// str.format() with {}, {0} and {name}; no format specifications.
std::string formatted(Interpreter& in, const std::string& text, const Arguments& a) {
  std::string result;
  size_t n_used = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const bool is_brace = c == '{' || c == '}';
    if (!is_brace || (at + 1 < text.size() && text[at + 1] == c)) {
      result += c;
      at += is_brace ? 1 : 0;
      continue;
    }
    const size_t end = text.find('}', at);
    if (c == '}' || end == std::string::npos) throw Failure{"format: a single brace"};
    const std::string field = text.substr(at + 1, end - at - 1);
    size_t idx = 0;
    const auto [tail, error] = std::from_chars(field.data(), field.data() + field.size(), idx);
    const bool is_index = error == std::errc() && tail == field.data() + field.size();
    const Value& value = field.empty() ? a.at(n_used++, "") : a.at(is_index ? idx : SIZE_MAX, field);
    const std::string part = value.str();
    in.spend(part.size());
    result += part;
    at = end;
  }
  return result;
}

// Methods of strings.

using StringMethod = Value (*)(Interpreter&, const std::string&, const Arguments&);

std::string stripped(const std::string& text, const Arguments& a, bool left, bool right) {
  const Value* characters = a.find(0, "chars");
  return strip(text, characters && characters->string() ? std::string_view(*characters->string()) : kSpaces, left,
               right);
}

Value position(const std::string& text, size_t found) {
  return found == std::string::npos ? int64_t{-1}
                                    : static_cast<int64_t>(count_characters(std::string_view(text).substr(0, found)));
}

constexpr std::pair<std::string_view, StringMethod> kStringMethods[] = {
    {"strip", [](Interpreter&, const std::string& s, const Arguments& a) { return Value(stripped(s, a, true, true)); }},
    {"lstrip",
     [](Interpreter&, const std::string& s, const Arguments& a) { return Value(stripped(s, a, true, false)); }},
    {"rstrip",
     [](Interpreter&, const std::string& s, const Arguments& a) { return Value(stripped(s, a, false, true)); }},
    {"lower", [](Interpreter&, const std::string& s, const Arguments&) { return Value(mapped(s, lower)); }},
    {"upper", [](Interpreter&, const std::string& s, const Arguments&) { return Value(mapped(s, upper)); }},
    {"title", [](Interpreter&, const std::string& s, const Arguments&) { return Value(titled(s)); }},
    {"capitalize", [](Interpreter&, const std::string& s, const Arguments&) { return Value(capitalized(s)); }},
    {"startswith",
     [](Interpreter&, const std::string& s, const Arguments& a) {
       return Value(matches_any(a.at(0, "prefix"), [&](const std::string& prefix) { return s.starts_with(prefix); }));
     }},
    {"endswith",
     [](Interpreter&, const std::string& s, const Arguments& a) {
       return Value(matches_any(a.at(0, "suffix"), [&](const std::string& suffix) { return s.ends_with(suffix); }));
     }},
    {"split",
     [](Interpreter& in, const std::string& s, const Arguments& a) {
       const Value* limit = a.find(1, "maxsplit");
       return Value(split(in, s, a.find(0, "sep"), limit ? limit->to_int("maxsplit") : -1));
     }},
    {"splitlines",
     [](Interpreter& in, const std::string& s, const Arguments&) {
       List lines = split(in, s, std::array{Value("\n")}.data(), -1);
       if (!lines.empty() && lines.back().string()->empty()) lines.pop_back();
       return Value(std::move(lines));
     }},
    {"replace",
     [](Interpreter& in, const std::string& s, const Arguments& a) {
       const Value* n = a.find(2, "count");
       return Value(replaced(in, s, text_of(a.at(0, "old"), "replace"), text_of(a.at(1, "new"), "replace"),
                             n ? n->to_int("count") : -1));
     }},
    {"join",
     [](Interpreter& in, const std::string& s, const Arguments& a) {
       std::string text;
       const List elements = in.elements_of(a.at(0, "iterable"));
       for (size_t idx = 0; idx < elements.size(); ++idx) {
         in.spend(s.size() + text_of(elements[idx], "join").size());
         text += (idx > 0 ? s : "") + *elements[idx].string();
       }
       return Value(std::move(text));
     }},
    {"format", [](Interpreter& in, const std::string& s, const Arguments& a) { return Value(formatted(in, s, a)); }},
    {"find", [](Interpreter&, const std::string& s,
                const Arguments& a) { return position(s, s.find(text_of(a.at(0, "sub"), "find"))); }},
    {"rfind", [](Interpreter&, const std::string& s,
                 const Arguments& a) { return position(s, s.rfind(text_of(a.at(0, "sub"), "rfind"))); }},
    {"count",
     [](Interpreter&, const std::string& s, const Arguments& a) {
       const std::string& sub = text_of(a.at(0, "sub"), "count");
       if (sub.empty()) return Value(static_cast<int64_t>(count_characters(s) + 1));
       int64_t n = 0;
       for (size_t at = s.find(sub); at != std::string::npos; at = s.find(sub, at + sub.size())) ++n;
       return Value(n);
     }},
    {"isdigit",
     [](Interpreter&, const std::string& s, const Arguments&) {
       return Value(!s.empty() && std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; }));
     }},
    {"isalpha", [](Interpreter&, const std::string& s,
                   const Arguments&) { return Value(!s.empty() && std::ranges::all_of(s, is_letter)); }},
    {"isspace",
     [](Interpreter&, const std::string& s, const Arguments&) {
       return Value(!s.empty() && s.find_first_not_of(kSpaces) == std::string::npos);
     }},
    {"isupper", [](Interpreter&, const std::string& s,
                   const Arguments&) { return Value(std::ranges::any_of(s, is_letter) && mapped(s, upper) == s); }},
    {"islower", [](Interpreter&, const std::string& s,
                   const Arguments&) { return Value(std::ranges::any_of(s, is_letter) && mapped(s, lower) == s); }},
    {"removeprefix",
     [](Interpreter&, const std::string& s, const Arguments& a) {
       const std::string& prefix = text_of(a.at(0, "prefix"), "removeprefix");
       return Value(s.starts_with(prefix) ? s.substr(prefix.size()) : s);
     }},
    {"removesuffix",
     [](Interpreter&, const std::string& s, const Arguments& a) {
       const std::string& suffix = text_of(a.at(0, "suffix"), "removesuffix");
       return Value(s.ends_with(suffix) ? s.substr(0, s.size() - suffix.size()) : s);
     }},
};

// Methods of dictionaries and lists.

List items_of(const Dict& dict) {
  List items;
  for (const auto& [key, value] : dict.items) items.push_back(Value(List{key, value}, Sequence::tuple));
  return items;
}

using ObjectMethod = Value (*)(Interpreter&, const Value&, const Arguments&);

constexpr std::pair<std::string_view, ObjectMethod> kDictMethods[] = {
    {"items",
     [](Interpreter& in, const Value& d, const Arguments&) {
       in.spend(d.length() * 4 * sizeof(Value));
       return Value(items_of(*d.dict()));
     }},
    {"keys", [](Interpreter& in, const Value& d, const Arguments&) { return Value(in.elements_of(d)); }},
    {"values",
     [](Interpreter& in, const Value& d, const Arguments&) {
       in.spend(d.length() * sizeof(Value));
       List values;
       for (const auto& entry : d.dict()->items) values.push_back(entry.second);
       return Value(std::move(values));
     }},
    {"get",
     [](Interpreter&, const Value& d, const Arguments& a) {
       if (const Value* found = d.dict()->find(a.at(0, "key"))) return *found;
       const Value* otherwise = a.find(1, "default");
       return otherwise ? *otherwise : Value();
     }},
};

constexpr std::pair<std::string_view, ObjectMethod> kListMethods[] = {
    {"index",
     [](Interpreter&, const Value& l, const Arguments& a) {
       const auto found = std::ranges::find_if(*l.list(), [&](const Value& v) { return v.equals(a.at(0, "value")); });
       if (found == l.list()->end()) throw Failure{"index: the value is not in the list"};
       return Value(static_cast<int64_t>(found - l.list()->begin()));
     }},
    {"count",
     [](Interpreter&, const Value& l, const Arguments& a) {
       return Value(static_cast<int64_t>(
           std::ranges::count_if(*l.list(), [&](const Value& v) { return v.equals(a.at(0, "value")); })));
     }},
};

// Tests.

constexpr std::pair<std::string_view, Test> kTests[] = {
    {"defined", [](Interpreter&, const Value& v, const Arguments&) { return !v.is_undefined(); }},
    {"undefined", [](Interpreter&, const Value& v, const Arguments&) { return v.is_undefined(); }},
    {"none", [](Interpreter&, const Value& v, const Arguments&) { return v.is_none(); }},
    {"string", [](Interpreter&, const Value& v, const Arguments&) { return v.string() != nullptr; }},
    {"number", [](Interpreter&, const Value& v, const Arguments&) { return v.is_number(); }},
    {"integer", [](Interpreter&, const Value& v, const Arguments&) { return v.is_int(); }},
    {"float", [](Interpreter&, const Value& v, const Arguments&) { return v.is_float(); }},
    {"boolean", [](Interpreter&, const Value& v, const Arguments&) { return v.is_bool(); }},
    {"true", [](Interpreter&, const Value& v, const Arguments&) { return v.is_bool() && v.truthy(); }},
    {"false", [](Interpreter&, const Value& v, const Arguments&) { return v.is_bool() && !v.truthy(); }},
    {"mapping", [](Interpreter&, const Value& v, const Arguments&) { return v.dict() != nullptr; }},
    {"iterable", [](Interpreter&, const Value& v,
                    const Arguments&) { return v.string() || v.list() || v.dict() || v.is_undefined(); }},
    {"sequence", [](Interpreter&, const Value& v,
                    const Arguments&) { return v.string() || v.list() || v.dict() || v.is_undefined(); }},
    {"callable", [](Interpreter&, const Value& v, const Arguments&) { return v.callable() != nullptr; }},
    {"odd", [](Interpreter&, const Value& v, const Arguments&) { return v.to_int("odd") % 2 != 0; }},
    {"even", [](Interpreter&, const Value& v, const Arguments&) { return v.to_int("even") % 2 == 0; }},
    {"divisibleby",
     [](Interpreter&, const Value& v, const Arguments& a) {
       const int64_t divisor = a.at(0, "num").to_int("divisibleby");
       if (divisor == 0) throw Failure{"division by zero"};
       return divisor == -1 || v.to_int("divisibleby") % divisor == 0;
     }},
    {"lower", [](Interpreter&, const Value& v, const Arguments&) { return mapped(v.str(), lower) == v.str(); }},
    {"upper", [](Interpreter&, const Value& v, const Arguments&) { return mapped(v.str(), upper) == v.str(); }},
    {"in", [](Interpreter&, const Value& v, const Arguments& a) { return a.at(0, "seq").contains(v); }},
    {"eq", [](Interpreter&, const Value& v, const Arguments& a) { return v.equals(a.at(0, "other")); }},
    // Identity: of values that never change, equality within a type is as close as it gets.
    {"sameas",
     [](Interpreter&, const Value& v, const Arguments& a) {
       const Value& other = a.at(0, "other");
       return v.type_name() == other.type_name() && v.equals(other);
     }},
    {"ne", [](Interpreter&, const Value& v, const Arguments& a) { return !v.equals(a.at(0, "other")); }},
    {"lt", [](Interpreter&, const Value& v, const Arguments& a) { return v.less(a.at(0, "other")); }},
    {"gt", [](Interpreter&, const Value& v, const Arguments& a) { return a.at(0, "other").less(v); }},
    {"le", [](Interpreter&, const Value& v, const Arguments& a) { return !a.at(0, "other").less(v); }},
    {"ge", [](Interpreter&, const Value& v, const Arguments& a) { return !v.less(a.at(0, "other")); }},
    {"filter",
     [](Interpreter&, const Value& v, const Arguments&) { return find_filter(text_of(v, "filter")) != nullptr; }},
    {"test", [](Interpreter&, const Value& v, const Arguments&) { return find_test(text_of(v, "test")) != nullptr; }},
};

constexpr std::pair<std::string_view, std::string_view> kTestAliases[] = {
    {"equalto", "eq"}, {"==", "eq"},          {"!=", "ne"}, {"<", "lt"},  {"lessthan", "lt"},
    {">", "gt"},       {"greaterthan", "gt"}, {"<=", "le"}, {">=", "ge"},
};

// Filters.

// Follows "a.b.0" into a value, as map and selectattr do.
Value follow(Interpreter& in, Value value, const Value& path) {
  if (!path.string()) return in.item_of(value, path);
  std::string_view rest = *path.string();
  while (true) {
    const size_t dot = rest.find('.');
    const std::string part(rest.substr(0, dot));
    int64_t idx = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), idx);
    const bool is_index = error == std::errc() && end == part.data() + part.size();
    value = in.item_of(value, is_index ? Value(idx) : Value(part));
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

// The arguments after the first n.
Arguments rest_of(const Arguments& a, size_t n) {
  Arguments rest;
  for (size_t idx = n; idx < a.positional.size(); ++idx) rest.positional.push_back(a.positional[idx]);
  return rest;
}

// select, reject, selectattr and rejectattr.
Value select(Interpreter& in, const Value& input, const Arguments& a, bool by_attribute, bool keep) {
  if (!input.truthy()) return Value(List{}, Sequence::generator);
  const size_t n_path = by_attribute ? 1 : 0;
  List kept;
  for (const Value& element : in.elements_of(input)) {
    in.step();
    const Value subject = by_attribute ? follow(in, element, a.at(0, "attribute")) : element;
    const Value* test = a.find(n_path, "test");
    const bool holds =
        test ? in.apply_test(text_of(*test, "select"), subject, rest_of(a, n_path + 1)) : subject.truthy();
    if (holds == keep) kept.push_back(element);
  }
  return Value(std::move(kept), Sequence::generator);
}

Value map(Interpreter& in, const Value& input, const Arguments& a) {
  if (!input.truthy()) return Value(List{}, Sequence::generator);
  List results;
  const Value* attribute = a.find(SIZE_MAX, "attribute");
  const Value* otherwise = a.find(SIZE_MAX, "default");
  for (const Value& element : in.elements_of(input)) {
    in.step();
    if (!attribute) {
      results.push_back(in.apply_filter(text_of(a.at(0, "filter"), "map"), element, rest_of(a, 1)));
      continue;
    }
    Value value = follow(in, element, *attribute);
    results.push_back(value.is_undefined() && otherwise ? *otherwise : std::move(value));
  }
  return Value(std::move(results), Sequence::generator);
}

// Strings compare without case unless asked for, as in Jinja.
Value sort_key(Interpreter& in, const Value& element, const Arguments& a, size_t attribute_idx, size_t case_idx) {
  const Value* attribute = a.find(attribute_idx, "attribute");
  Value key = attribute && !attribute->is_none() ? follow(in, element, *attribute) : element;
  const Value* case_sensitive = a.find(case_idx, "case_sensitive");
  if (key.string() && !(case_sensitive && case_sensitive->truthy())) key = mapped(*key.string(), lower);
  return key;
}

Value sorted(Interpreter& in, const Value& input, const Arguments& a) {
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& element : in.elements_of(input)) {
    Value key = sort_key(in, element, a, 2, 1);
    keyed.emplace_back(std::move(key), std::move(element));
  }
  const Value* reverse = a.find(0, "reverse");
  const bool descending = reverse && reverse->truthy();
  std::ranges::stable_sort(keyed, [&](const auto& x, const auto& y) {
    in.step();
    return descending ? y.first.less(x.first) : x.first.less(y.first);
  });
  List result;
  for (auto& entry : keyed) result.push_back(std::move(entry.second));
  return result;
}

Value unique(Interpreter& in, const Value& input, const Arguments& a) {
  List seen, kept;
  for (const Value& element : in.elements_of(input)) {
    Value key = sort_key(in, element, a, 1, 0);
    const bool is_new = std::ranges::none_of(seen, [&](const Value& v) { return in.step(), v.equals(key); });
    if (!is_new) continue;
    seen.push_back(std::move(key));
    kept.push_back(element);
  }
  return Value(std::move(kept), Sequence::generator);
}

Value extreme(Interpreter& in, const Value& input, const Arguments& a, bool largest) {
  Value best = Undefined{"the extreme of nothing"};
  Value best_key;
  for (const Value& element : in.elements_of(input)) {
    Value key = sort_key(in, element, a, 1, 0);
    if (!best.is_undefined() && !(largest ? best_key.less(key) : key.less(best_key))) continue;
    best = element;
    best_key = std::move(key);
  }
  return best;
}

Value dictsort(Interpreter& in, const Value& input, const Arguments& a) {
  if (!input.dict()) throw Failure{fmt::format("dictsort needs a dictionary, not {}", input.type_name())};
  const Value* by = a.find(1, "by");
  const size_t part = by && by->string() && *by->string() == "value" ? 1 : 0;
  const Value* reverse = a.find(2, "reverse");
  List items = items_of(*input.dict());
  in.spend(items.size() * 4 * sizeof(Value));
  const auto key_of = [&](const Value& item) {
    const Value& key = (*item.list())[part];
    const Value* case_sensitive = a.find(0, "case_sensitive");
    return key.string() && !(case_sensitive && case_sensitive->truthy()) ? Value(mapped(*key.string(), lower)) : key;
  };
  std::ranges::stable_sort(items, [&](const Value& x, const Value& y) {
    in.step();
    return reverse && reverse->truthy() ? key_of(y).less(key_of(x)) : key_of(x).less(key_of(y));
  });
  return items;
}

Value join(Interpreter& in, const Value& input, const Arguments& a) {
  const Value* separator = a.find(0, "d");
  const Value* attribute = a.find(1, "attribute");
  std::string text;
  bool first = true;
  for (const Value& element : in.elements_of(input)) {
    const std::string part = attribute ? follow(in, element, *attribute).str() : element.str();
    const std::string before = first || !separator ? "" : separator->str();
    in.spend(before.size() + part.size());
    text += before + part;
    first = false;
  }
  return text;
}

Value tojson(Interpreter& in, const Value& input, const Arguments& a) {
  JsonStyle style;
  const Value* indent = a.find(SIZE_MAX, "indent");
  if (!indent && a.positional.size() > 1) indent = &a.positional[1];
  if (!indent && a.positional.size() == 1 && a.positional[0].is_int()) indent = &a.positional[0];
  if (indent && !indent->is_none()) {
    style.indent = static_cast<int>(std::clamp<int64_t>(indent->to_int("indent"), 0, 64));
    style.item_separator = ",";
  }
  if (const Value* separators = a.find(SIZE_MAX, "separators"); separators && separators->list()) {
    if (separators->list()->size() != 2) throw Failure{"tojson: two separators are expected"};
    style.item_separator = text_of((*separators->list())[0], "separators");
    style.key_separator = text_of((*separators->list())[1], "separators");
  }
  if (const Value* ascii = a.find(SIZE_MAX, "ensure_ascii")) style.ensure_ascii = ascii->truthy();
  if (const Value* sort_keys = a.find(SIZE_MAX, "sort_keys")) style.sort_keys = sort_keys->truthy();
  std::string text = to_json(input, style);
  in.spend(text.size());
  return text;
}

Value indent(Interpreter& in, const Value& input, const Arguments& a) {
  const Value* width = a.find(0, "width");
  const std::string margin =
      width && width->string()
          ? *width->string()
          : std::string(static_cast<size_t>(std::clamp<int64_t>(width ? width->to_int("width") : 4, 0, 1000)), ' ');
  const auto flag = [&](size_t idx, const char* name) {
    const Value* value = a.find(idx, name);
    return value && value->truthy();
  };
  const bool first = flag(1, "first"), blank = flag(2, "blank");
  std::string text;
  std::string_view rest = text_of(input, "indent");
  for (bool is_first = true;; is_first = false) {
    const size_t newline = rest.find('\n');
    const std::string_view line = rest.substr(0, newline);
    const bool indented = is_first ? first : blank || !line.empty();
    in.spend(margin.size() + line.size() + 1);
    text += indented ? margin : "";
    text += line;
    if (newline == std::string_view::npos) return text;
    text += '\n';
    rest.remove_prefix(newline + 1);
  }
}

Value to_integer(const Value& input, const Arguments& a) {
  const Value* otherwise = a.find(0, "default");
  if (input.is_int() || input.is_bool()) return input.to_int("int");
  if (input.is_float() && std::fabs(input.to_double()) < 9.2e18) return static_cast<int64_t>(input.to_double());
  if (input.string()) {
    const std::string text = strip(*input.string(), kSpaces, true, true);
    const size_t sign = text.starts_with("+") ? 1 : 0;
    int64_t value = 0;
    auto [end, error] = std::from_chars(text.data() + sign, text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
    double number = 0;
    auto [tail, problem] = std::from_chars(text.data() + sign, text.data() + text.size(), number);
    if (problem == std::errc() && tail == text.data() + text.size() && std::fabs(number) < 9.2e18)
      return static_cast<int64_t>(number);
  }
  return otherwise ? *otherwise : Value(int64_t{0});
}

Value to_float(const Value& input, const Arguments& a) {
  if (input.is_number()) return input.to_double();
  if (input.string()) {
    const std::string text = strip(*input.string(), kSpaces, true, true);
    const size_t sign = text.starts_with("+") ? 1 : 0;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data() + sign, text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  const Value* otherwise = a.find(0, "default");
  return otherwise ? *otherwise : Value(0.0);
}

Value rounded(const Value& input, const Arguments& a) {
  const Value* precision = a.find(0, "precision");
  const Value* method = a.find(1, "method");
  const double factor = std::pow(10.0, static_cast<double>(precision ? precision->to_int("precision") : 0));
  const double scaled = input.to_double() * factor;
  const std::string way = method ? text_of(*method, "round") : "common";
  if (way == "ceil") return std::ceil(scaled) / factor;
  if (way == "floor") return std::floor(scaled) / factor;
  return std::nearbyint(scaled) / factor;
}

Value reversed(Interpreter& in, const Value& input) {
  List elements = in.elements_of(input);
  std::ranges::reverse(elements);
  if (!input.string()) return Value(std::move(elements), Sequence::generator);
  std::string text;
  for (const Value& element : elements) text += *element.string();
  return text;
}

Value sum(Interpreter& in, const Value& input, const Arguments& a) {
  const Value* attribute = a.find(0, "attribute");
  double total = 0;
  bool whole = true;
  for (const Value& element : in.elements_of(input)) {
    const Value value = attribute && !attribute->is_none() ? follow(in, element, *attribute) : element;
    total += value.to_double();
    whole &= !value.is_float();
  }
  return whole && std::fabs(total) < 9e15 ? Value(static_cast<int64_t>(total)) : Value(total);
}

constexpr std::pair<std::string_view, Filter> kFilters[] = {
    {"abs",
     [](Interpreter&, const Value& v, const Arguments&) {
       if (v.is_float()) return Value(std::fabs(v.to_double()));
       const int64_t number = v.to_int("abs");
       return Value(number == INT64_MIN ? INT64_MAX : std::abs(number));
     }},
    {"capitalize", [](Interpreter&, const Value& v, const Arguments&) { return Value(capitalized(v.str())); }},
    {"default",
     [](Interpreter&, const Value& v, const Arguments& a) {
       const Value* otherwise = a.find(0, "default_value");
       const Value* also_false = a.find(1, "boolean");
       const bool replace = v.is_undefined() || (also_false && also_false->truthy() && !v.truthy());
       return !replace ? v : otherwise ? *otherwise : Value("");
     }},
    {"dictsort", dictsort},
    {"escape",
     [](Interpreter& in, const Value& v, const Arguments&) {
       std::string text = v.is_markup() ? v.str() : escape_html(v.str());
       in.spend(text.size());
       return Value(Markup{std::move(text)});
     }},
    {"first",
     [](Interpreter& in, const Value& v, const Arguments&) {
       const List elements = in.elements_of(v);
       return elements.empty() ? Value(Undefined{"the first of nothing"}) : elements.front();
     }},
    {"float", [](Interpreter&, const Value& v, const Arguments& a) { return to_float(v, a); }},
    {"indent", indent},
    {"int", [](Interpreter&, const Value& v, const Arguments& a) { return to_integer(v, a); }},
    {"items",
     [](Interpreter& in, const Value& v, const Arguments&) {
       if (v.is_undefined()) return Value(List{});
       if (!v.dict()) throw Failure{fmt::format("items needs a dictionary, not {}", v.type_name())};
       in.spend(v.length() * 4 * sizeof(Value));
       return Value(items_of(*v.dict()));
     }},
    {"join", join},
    {"last",
     [](Interpreter& in, const Value& v, const Arguments&) {
       const List elements = in.elements_of(v);
       return elements.empty() ? Value(Undefined{"the last of nothing"}) : elements.back();
     }},
    {"length", [](Interpreter&, const Value& v, const Arguments&) { return Value(static_cast<int64_t>(v.length())); }},
    {"list", [](Interpreter& in, const Value& v, const Arguments&) { return Value(in.elements_of(v)); }},
    {"lower", [](Interpreter&, const Value& v, const Arguments&) { return Value(mapped(v.str(), lower)); }},
    {"map", map},
    {"max", [](Interpreter& in, const Value& v, const Arguments& a) { return extreme(in, v, a, true); }},
    {"min", [](Interpreter& in, const Value& v, const Arguments& a) { return extreme(in, v, a, false); }},
    {"reject", [](Interpreter& in, const Value& v, const Arguments& a) { return select(in, v, a, false, false); }},
    {"rejectattr", [](Interpreter& in, const Value& v, const Arguments& a) { return select(in, v, a, true, false); }},
    {"replace",
     [](Interpreter& in, const Value& v, const Arguments& a) {
       const Value* n = a.find(2, "count");
       return Value(replaced(in, v.str(), a.at(0, "old").str(), a.at(1, "new").str(),
                             n && !n->is_none() ? n->to_int("count") : -1));
     }},
    {"reverse", [](Interpreter& in, const Value& v, const Arguments&) { return reversed(in, v); }},
    {"round", [](Interpreter&, const Value& v, const Arguments& a) { return rounded(v, a); }},
    {"safe", [](Interpreter&, const Value& v, const Arguments&) { return Value(Markup{v.str()}); }},
    {"select", [](Interpreter& in, const Value& v, const Arguments& a) { return select(in, v, a, false, true); }},
    {"selectattr", [](Interpreter& in, const Value& v, const Arguments& a) { return select(in, v, a, true, true); }},
    {"sort", sorted},
    {"string",
     [](Interpreter& in, const Value& v, const Arguments&) {
       std::string text = v.str();
       in.spend(text.size());
       return Value(std::move(text));
     }},
    {"sum", sum},
    {"title", [](Interpreter&, const Value& v, const Arguments&) { return Value(titled(v.str())); }},
    {"tojson", tojson},
    {"trim", [](Interpreter&, const Value& v, const Arguments& a) { return Value(stripped(v.str(), a, true, true)); }},
    {"unique", unique},
    {"upper", [](Interpreter&, const Value& v, const Arguments&) { return Value(mapped(v.str(), upper)); }},
};

constexpr std::pair<std::string_view, std::string_view> kFilterAliases[] = {
    {"d", "default"}, {"e", "escape"}, {"count", "length"}};

std::string_view resolve(std::string_view name, const auto& aliases) {
  for (const auto& [alias, real] : aliases)
    if (alias == name) return real;
  return name;
}

// Functions every template sees.

Value range(Interpreter& in, const Arguments& a) {
  const size_t n = a.positional.size();
  if (n < 1 || n > 3) throw Failure{"range takes one to three arguments"};
  const int64_t start = n == 1 ? 0 : a.positional[0].to_int("range");
  const int64_t stop = a.positional[n == 1 ? 0 : 1].to_int("range");
  const int64_t stride = n == 3 ? a.positional[2].to_int("range") : 1;
  if (stride == 0) throw Failure{"range: the step is 0"};
  List numbers;
  for (int64_t number = start; stride > 0 ? number < stop : number > stop;) {
    in.spend(sizeof(Value));
    numbers.emplace_back(number);
    if (__builtin_add_overflow(number, stride, &number)) break;
  }
  return numbers;
}

Value strftime_now(Interpreter&, const Arguments& a) {
  const std::string& format = text_of(a.at(0, "format"), "strftime_now");
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  std::array<char, 512> buffer;
  return std::string(buffer.data(), std::strftime(buffer.data(), buffer.size(), format.c_str(), &local));
}

}  // namespace

Filter find_filter(std::string_view name) {
  name = resolve(name, kFilterAliases);
  const auto* found = std::ranges::find(kFilters, name, &std::pair<std::string_view, Filter>::first);
  return found == std::end(kFilters) ? nullptr : found->second;
}

Test find_test(std::string_view name) {
  name = resolve(name, kTestAliases);
  const auto* found = std::ranges::find(kTests, name, &std::pair<std::string_view, Test>::first);
  return found == std::end(kTests) ? nullptr : found->second;
}

Value find_method(const Value& object, std::string_view name) {
  const auto find_in = [&](const auto& methods) -> Value {
    for (const auto& [method_name, method] : methods)
      if (method_name == name)
        return Function(
            [object, method = method](Interpreter& in, const Arguments& a) { return method(in, object, a); });
    return Undefined{std::string(name)};
  };
  if (object.string()) {
    for (const auto& [method_name, method] : kStringMethods)
      if (method_name == name)
        return Function([object, method = method](Interpreter& in, const Arguments& a) {
          Value result = method(in, *object.string(), a);
          if (result.string()) in.spend(result.string()->size());
          return result;
        });
  }
  if (object.dict()) return find_in(kDictMethods);
  if (object.list()) return find_in(kListMethods);
  return Undefined{std::string(name)};
}

void add_global_functions(Scope& scope) {
  scope.variables["range"] = Function(range);
  scope.variables["strftime_now"] = Function(strftime_now);
  scope.variables["dict"] = Function([](Interpreter&, const Arguments& a) {
    Dict dict = !a.positional.empty() && a.positional[0].dict() ? *a.positional[0].dict() : Dict();
    for (const auto& [name, value] : a.named) dict.set(name, value);
    return Value(std::move(dict));
  });
  scope.variables["namespace"] = Function([](Interpreter&, const Arguments& a) {
    auto ns = std::make_shared<Namespace>();
    if (!a.positional.empty() && a.positional[0].dict()) ns->values = *a.positional[0].dict();
    for (const auto& [name, value] : a.named) ns->values.set(name, value);
    return Value(std::move(ns));
  });
  scope.variables["raise_exception"] = Function([](Interpreter&, const Arguments& a) -> Value {
    throw Failure{fmt::format("the template refuses: {}", a.at(0, "message").str())};
  });
}

}  // namespace ogas::jinja
