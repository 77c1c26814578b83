// The tests of Jinja: what follows `is`.
#include <algorithm>
#include <cmath>

#include "jinja/builtins.h"

namespace ogas::jinja {
namespace {

// value % divisor == remainder, as Python has it.
bool has_remainder(Interpreter& in, const Value& value, const Value& divisor, int64_t remainder) {
  return apply_operator(in, "%", value, divisor).equals(Value(remainder), in);
}

bool is_cased(Interpreter& in, const Value& value, bool upper) {
  const Text text = in.str(value);
  in.step(text.size() >> 3);
  return is_cased_as(text.bytes(), upper);
}

bool is_known(const Value& name, bool (*is)(std::string_view)) {
  if (!name.is_hashable()) throw Failure{"a name cannot be hashed"};
  return name.string() && is(*name.string());
}

constexpr Builtin kTests[] = {
    {"defined", "", [](Interpreter&, const Value& v, const Bound&) { return Value(!v.is_undefined()); }},
    {"undefined", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.is_undefined()); }},
    {"none", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.is_none()); }},
    {"string", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.string() != nullptr); }},
    {"number", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.is_number()); }},
    {"integer", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.is_int()); }},
    {"float", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.is_float()); }},
    {"boolean", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.is_bool()); }},
    {"true", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.is_bool() && v.truthy()); }},
    {"false", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.is_bool() && !v.truthy()); }},
    {"mapping", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.dict() != nullptr); }},
    {"iterable", "",
     [](Interpreter&, const Value& v, const Bound&) {
       return Value(v.string() || v.list() || v.dict() || v.generator() || v.loop() || v.is_undefined());
     }},
    {"sequence", "",
     [](Interpreter&, const Value& v, const Bound&) {
       return Value(v.string() || v.is_indexable() || v.dict() || v.is_undefined());
     }},
    {"callable", "",
     [](Interpreter&, const Value& v, const Bound&) {
       return Value(v.callable() != nullptr || v.loop() != nullptr || v.is_undefined());
     }},
    {"odd", "",
     [](Interpreter& in, const Value& v, const Bound&) { return Value(has_remainder(in, v, int64_t{2}, 1)); }},
    {"even", "",
     [](Interpreter& in, const Value& v, const Bound&) { return Value(has_remainder(in, v, int64_t{2}, 0)); }},
    {"divisibleby", "num",
     [](Interpreter& in, const Value& v, const Bound& a) { return Value(has_remainder(in, v, *a[0], 0)); }},
    {"lower", "", [](Interpreter& in, const Value& v, const Bound&) { return Value(is_cased(in, v, false)); }},
    {"upper", "", [](Interpreter& in, const Value& v, const Bound&) { return Value(is_cased(in, v, true)); }},
    {"in", "seq", [](Interpreter& in, const Value& v, const Bound& a) { return Value(in.contains(*a[0], v)); }},
    {"eq", "/ b", [](Interpreter& in, const Value& v, const Bound& a) { return Value(v.equals(*a[0], in)); }},
    {"ne", "/ b", [](Interpreter& in, const Value& v, const Bound& a) { return Value(!v.equals(*a[0], in)); }},
    {"lt", "/ b", [](Interpreter& in, const Value& v, const Bound& a) { return Value(v.less(*a[0], in)); }},
    {"gt", "/ b", [](Interpreter& in, const Value& v, const Bound& a) { return Value(a[0]->less(v, in)); }},
    {"le", "/ b",
     [](Interpreter& in, const Value& v, const Bound& a) { return Value(v.less(*a[0], in) || v.equals(*a[0], in)); }},
    {"ge", "/ b",
     [](Interpreter& in, const Value& v, const Bound& a) { return Value(a[0]->less(v, in) || v.equals(*a[0], in)); }},
    // Identity: of values that never change, equality within a type is as close as it gets.
    {"sameas", "other",
     [](Interpreter& in, const Value& v, const Bound& a) {
       return Value(v.type_name() == a[0]->type_name() && v.equals(*a[0], in));
     }},
    {"escaped", "", [](Interpreter&, const Value& v, const Bound&) { return Value(v.is_markup()); }},
    {"filter", "", [](Interpreter&, const Value& v, const Bound&) { return Value(is_known(v, is_filter)); }},
    {"test", "", [](Interpreter&, const Value& v, const Bound&) { return Value(is_known(v, is_test)); }},
};

constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"equalto", "eq"}, {"==", "eq"},          {"!=", "ne"}, {"<", "lt"},  {"lessthan", "lt"},
    {">", "gt"},       {"greaterthan", "gt"}, {"<=", "le"}, {">=", "ge"},
};

}  // namespace

const Builtin* find_test(std::string_view name) {
  for (const auto& [alias, real] : kAliases)
    if (alias == name) name = real;
  const auto* found = std::ranges::find(kTests, name, &Builtin::name);
  return found == std::end(kTests) ? nullptr : found;
}

}  // namespace ogas::jinja
