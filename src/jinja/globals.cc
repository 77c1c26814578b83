// Functions every template sees.
#include <fmt/format.h>

#include <ctime>

#include "jinja/builtins.h"

namespace ogas::jinja {
namespace {

Value range(Interpreter& in, const Arguments& a) {
  constexpr size_t kMaxRange = 100'000;  // Jinja's sandbox has the same
  const size_t n = a.positional.size();
  if (n < 1 || n > 3 || !a.named.empty()) throw Failure{"range takes one to three arguments"};
  const int64_t start = n == 1 ? 0 : a.positional[0].to_int("range");
  const int64_t stop = a.positional[n == 1 ? 0 : 1].to_int("range");
  const int64_t stride = n == 3 ? a.positional[2].to_int("range") : 1;
  if (stride == 0) throw Failure{"range: the step is 0"};
  List numbers;
  for (int64_t number = start; stride > 0 ? number < stop : number > stop;) {
    if (numbers.size() == kMaxRange) throw Failure{fmt::format("range: more than {} numbers", kMaxRange)};
    in.spend(sizeof(Value));
    if (numbers.size() % 8 == 7) in.step();
    numbers.emplace_back(number);
    if (__builtin_add_overflow(number, stride, &number)) break;
  }
  return Value::range(std::move(numbers), {start, stop, stride});
}

Value strftime_now(Interpreter& in, const Arguments& a) {
  if (a.positional.size() != 1 || !a.named.empty()) throw Failure{"strftime_now takes one argument"};
  const Text& format = text_of(a.positional[0], "strftime_now");
  constexpr size_t kMaxFormat = 1000;
  if (format.size() > kMaxFormat) throw Failure{"strftime_now: the format is too long"};
  in.step(20 + format.size());
  if (!in.fixed_date.empty()) return in.fixed_date;
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  std::string text(32 * kMaxFormat, '\0');
  text.resize(std::strftime(text.data(), text.size(), format.bytes().c_str(), &local));
  return Text(std::move(text), format.has_input());
}

// What dict(...) makes of its arguments: of a dictionary or a list of pairs, and of names.
Dict make_dict(Interpreter& in, const Arguments& a) {
  Dict dict;
  if (a.positional.size() > 1) throw Failure{"dict takes one argument and names"};
  if (!a.positional.empty() && a.positional[0].dict()) {
    dict = *a.positional[0].dict();
    in.spend(dict.items.size(), 2 * sizeof(Value));
    in.step(dict.items.size() >> 3);
  } else if (!a.positional.empty()) {
    if (a.positional[0].is_undefined()) throw Failure{"dict: the argument is undefined"};
    for (const Value& pair : in.elements_of(a.positional[0])) {
      const List entry = in.elements_of(pair);
      if (entry.size() != 2) throw Failure{"dict: pairs are expected"};
      dict.set(entry[0], entry[1], in);
    }
  }
  for (const auto& [name, value] : a.named) dict.set(name, value, in);
  return dict;
}

Value make_namespace(Interpreter& in, const Arguments& a) {
  Dict values = make_dict(in, a);
  for (const auto& [name, value] : values.items)
    if (name.string() && name.string()->starts_with("_"))
      throw Failure{"a namespace cannot keep names with _ in front"};
  Namespace* ns = in.new_namespace();
  ns->values = std::move(values);
  return ns;
}

}  // namespace

void add_global_functions(Scope& scope) {
  scope.variables["range"] = Function(range);
  scope.variables["strftime_now"] = Function(strftime_now);
  scope.variables["dict"] = Function([](Interpreter& in, const Arguments& a) { return Value(make_dict(in, a)); });
  scope.variables["namespace"] = Function(make_namespace);
  scope.variables["raise_exception"] = Function([](Interpreter& in, const Arguments& a) -> Value {
    constexpr size_t kMaxMessage = 1000;
    if (a.positional.size() != 1) throw Failure{"raise_exception takes one argument"};
    throw Failure{fmt::format("the template refuses: {}", in.str(a.positional[0]).bytes().substr(0, kMaxMessage))};
  });
}

}  // namespace ogas::jinja
