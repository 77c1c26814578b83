#include "text/jinja_interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace ogas::jinja {

class Interpreter::DepthGuard {
 public:
  explicit DepthGuard(Interpreter& interpreter) : interpreter_(interpreter) {
    if (++interpreter_.depth_ > interpreter_.limits_.depth) {
      --interpreter_.depth_;
      throw Failure{"calls are nested too deeply"};
    }
  }
  ~DepthGuard() { --interpreter_.depth_; }

 private:
  Interpreter& interpreter_;
};

void Interpreter::step() {
  if (++n_steps_ > limits_.n_steps)
    throw Failure{fmt::format("the template takes more than {} steps", limits_.n_steps)};
}

void Interpreter::spend(size_t n_bytes) {
  if (n_bytes > limits_.n_bytes - n_bytes_)
    throw Failure{fmt::format("the template makes more than {} bytes of text and lists", limits_.n_bytes)};
  n_bytes_ += n_bytes;
}

std::string Interpreter::render(const Block& block, Scope& globals) {
  std::string out;
  run(block, globals, out);
  return out;
}

void Interpreter::print(std::string& out, const Value& value) {
  const std::string text = value.str();
  spend(text.size());
  out += text;
}

Interpreter::Flow Interpreter::run(const Block& block, Scope& scope, std::string& out) {
  const DepthGuard guard(*this);
  for (const auto& stmt : block) {
    try {
      if (const Flow flow = run(*stmt, scope, out); flow != Flow::normal) return flow;
    } catch (Failure& failure) {
      if (failure.line == 0) failure.line = stmt->line;
      throw;
    }
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run(const Stmt& stmt, Scope& scope, std::string& out) {
  step();
  switch (stmt.kind) {
    case StmtKind::text: print(out, stmt.text); break;
    case StmtKind::output: print(out, evaluate(*stmt.expressions[0], scope)); break;
    case StmtKind::if_: return run_if(stmt, scope, out);
    case StmtKind::for_:
      run_for(stmt, scope, out, filter_elements(stmt, scope, elements_of(evaluate(*stmt.expressions[0], scope))), 1);
      break;
    case StmtKind::set: assign(stmt.targets, evaluate(*stmt.expressions[0], scope), scope); break;
    case StmtKind::set_block: run_set_block(stmt, scope); break;
    case StmtKind::macro: scope.variables[stmt.text] = make_macro(stmt, scope); break;
    case StmtKind::call_block: {
      Scope inner{.variables = {{"caller", make_macro(stmt, scope)}}, .parent = &scope};
      Arguments arguments = evaluate_arguments(*stmt.expressions[0], scope);
      arguments.named.emplace_back("caller", inner.variables["caller"]);
      print(out, call(evaluate(*stmt.expressions[0]->children[0], scope), arguments));
      break;
    }
    case StmtKind::filter_block: {
      std::string inner;
      Scope block_scope{.variables = {}, .parent = &scope};
      run(stmt.bodies[0], block_scope, inner);
      Scope filtered{.variables = {{kFilterInput, Value(std::move(inner))}}, .parent = &scope};
      print(out, evaluate(*stmt.expressions[0], filtered));
      break;
    }
    case StmtKind::body: return run(stmt.bodies[0], scope, out);
    case StmtKind::break_: return Flow::break_;
    case StmtKind::continue_: return Flow::continue_;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_if(const Stmt& stmt, Scope& scope, std::string& out) {
  for (size_t idx = 0; idx < stmt.expressions.size(); ++idx)
    if (evaluate(*stmt.expressions[idx], scope).truthy()) return run(stmt.bodies[idx], scope, out);
  if (stmt.bodies.size() > stmt.expressions.size()) return run(stmt.bodies.back(), scope, out);
  return Flow::normal;
}

List Interpreter::elements_of(const Value& value) {
  // A character becomes a value with a string of its own.
  constexpr size_t kCharacterBytes = sizeof(Value) + 64;
  if (value.string()) spend(value.string()->size() * kCharacterBytes);
  if (value.list()) spend(value.list()->size() * sizeof(Value));
  if (value.dict()) spend(value.length() * sizeof(Value));
  return value.iterate();
}

List Interpreter::filter_elements(const Stmt& stmt, Scope& scope, List elements) {
  if (!stmt.expressions[1]) return elements;
  List kept;
  for (Value& element : elements) {
    Scope inner{.variables = {}, .parent = &scope};
    assign(stmt.targets, element, inner);
    if (evaluate(*stmt.expressions[1], inner).truthy()) kept.push_back(std::move(element));
  }
  return kept;
}

// What `loop` is: made anew for each turn, since values never change.
struct Interpreter::Loop {
  const List& elements;
  std::shared_ptr<Value> changed_from = std::make_shared<Value>(Undefined{"nothing"});

  Value at(size_t idx, int64_t depth) const {
    const auto n = static_cast<int64_t>(elements.size());
    const auto i = static_cast<int64_t>(idx);
    Dict loop;
    const auto add = [&](const char* name, Value value) { loop.items.emplace_back(name, std::move(value)); };
    add("index", i + 1);
    add("index0", i);
    add("revindex", n - i);
    add("revindex0", n - i - 1);
    add("first", i == 0);
    add("last", i + 1 == n);
    add("length", n);
    add("depth", depth);
    add("depth0", depth - 1);
    add("previtem", idx > 0 ? elements[idx - 1] : Value(Undefined{"loop.previtem"}));
    add("nextitem", idx + 1 < elements.size() ? elements[idx + 1] : Value(Undefined{"loop.nextitem"}));
    add("cycle", Function([i](Interpreter&, const Arguments& arguments) {
          if (arguments.positional.empty()) throw Failure{"loop.cycle needs arguments"};
          return arguments.positional[static_cast<size_t>(i) % arguments.positional.size()];
        }));
    add("changed", Function([last = changed_from](Interpreter&, const Arguments& arguments) {
          const Value now(arguments.positional);
          const bool changed = !last->equals(now);
          *last = now;
          return Value(changed);
        }));
    return loop;
  }
};

void Interpreter::run_for(const Stmt& stmt, Scope& scope, std::string& out, const List& elements, int64_t depth) {
  const Loop loop{elements};
  for (size_t idx = 0; idx < elements.size(); ++idx) {
    step();
    Scope inner{.variables = {}, .parent = &scope};
    Value state = loop.at(idx, depth);
    if (stmt.recursive) {
      // loop(children) runs the same body over them and gives its text.
      Dict callable_state = *state.dict();
      callable_state.items.emplace_back(
          "__call__", Function([this, &stmt, &scope, depth](Interpreter&, const Arguments& a) {
            std::string text;
            const DepthGuard guard(*this);
            run_for(stmt, scope, text, filter_elements(stmt, scope, elements_of(a.at(0, "iterable"))), depth + 1);
            return Value(std::move(text));
          }));
      state = std::move(callable_state);
    }
    inner.variables.emplace("loop", std::move(state));
    assign(stmt.targets, elements[idx], inner);
    if (run(stmt.bodies[0], inner, out) == Flow::break_) return;
  }
  if (elements.empty() && stmt.bodies.size() > 1) run(stmt.bodies[1], scope, out);
}

void Interpreter::run_set_block(const Stmt& stmt, Scope& scope) {
  std::string text;
  Scope inner{.variables = {}, .parent = &scope};
  run(stmt.bodies[0], inner, text);
  if (!stmt.expressions[0]) return assign(stmt.targets, text, scope);
  Scope filtered{.variables = {{kFilterInput, Value(std::move(text))}}, .parent = &scope};
  assign(stmt.targets, evaluate(*stmt.expressions[0], filtered), scope);
}

void Interpreter::assign(const std::vector<std::string>& targets, const Value& value, Scope& scope) {
  if (targets.size() == 1) {
    const size_t dot = targets[0].find('.');
    if (dot == std::string::npos) {
      scope.variables[targets[0]] = value;
      return;
    }
    const Value* object = scope.find(std::string_view(targets[0]).substr(0, dot));
    if (!object || !object->ns()) throw Failure{fmt::format("'{}': only a namespace can be written to", targets[0])};
    object->ns()->values.set(targets[0].substr(dot + 1), value);
    return;
  }
  const List elements = elements_of(value);
  if (elements.size() != targets.size())
    throw Failure{fmt::format("{} values for {} names", elements.size(), targets.size())};
  for (size_t idx = 0; idx < targets.size(); ++idx) scope.variables[targets[idx]] = elements[idx];
}

// A macro sees the variables around it as they are when it is called.
Value Interpreter::make_macro(const Stmt& stmt, Scope& scope) {
  return Function([this, &stmt, &scope](Interpreter&, const Arguments& arguments) {
    const DepthGuard guard(*this);
    if (arguments.positional.size() > stmt.targets.size())
      throw Failure{fmt::format("macro '{}' takes {} arguments, {} were given", stmt.text, stmt.targets.size(),
                                arguments.positional.size())};
    Scope inner{.variables = {}, .parent = &scope};
    const size_t first_default =
        stmt.kind == StmtKind::macro ? stmt.targets.size() - stmt.expressions.size() : stmt.targets.size();
    for (size_t idx = 0; idx < stmt.targets.size(); ++idx) {
      const std::string& name = stmt.targets[idx];
      if (const Value* given = arguments.find(idx, name))
        inner.variables[name] = *given;
      else
        inner.variables[name] =
            idx >= first_default ? evaluate(*stmt.expressions[idx - first_default], inner) : Value(Undefined{name});
    }
    if (const Value* caller = arguments.find(SIZE_MAX, "caller")) inner.variables["caller"] = *caller;
    std::string text;
    run(stmt.bodies[0], inner, text);
    return Value(std::move(text));
  });
}

Value Interpreter::evaluate(const Expr& expr, Scope& scope) {
  step();
  const DepthGuard guard(*this);
  try {
    return evaluate_kind(expr, scope);
  } catch (Failure& failure) {
    if (failure.line == 0) failure.line = expr.line;
    throw;
  }
}

Value Interpreter::evaluate_kind(const Expr& expr, Scope& scope) {
  const auto child = [&](size_t idx) { return evaluate(*expr.children[idx], scope); };
  switch (expr.kind) {
    case ExprKind::literal: return expr.value;
    case ExprKind::name: {
      const Value* found = scope.find(expr.text);
      return found ? *found : Value(Undefined{expr.text});
    }
    case ExprKind::list:
    case ExprKind::tuple: {
      List list;
      spend(expr.children.size() * sizeof(Value));
      for (const auto& element : expr.children) list.push_back(evaluate(*element, scope));
      return Value(std::move(list), expr.kind == ExprKind::tuple ? Sequence::tuple : Sequence::list);
    }
    case ExprKind::dict: return evaluate_literal_dict(expr, scope);
    case ExprKind::attribute: return attribute_of(child(0), expr.text);
    case ExprKind::item: return item_of(child(0), child(1));
    case ExprKind::slice: return evaluate_slice(expr, scope);
    case ExprKind::call: return evaluate_call(expr, scope);
    case ExprKind::filter: {
      const Value input = child(0);
      return apply_filter(expr.text, input, evaluate_arguments(expr, scope));
    }
    case ExprKind::test: {
      const Value subject = child(0);
      return apply_test(expr.text, subject, evaluate_arguments(expr, scope));
    }
    case ExprKind::negate: return !child(0).truthy();
    case ExprKind::unary: {
      const Value value = child(0);
      if (value.is_float()) return expr.text == "-" ? -value.to_double() : value.to_double();
      const int64_t number = value.to_int(fmt::format("unary {}", expr.text));
      if (number == INT64_MIN) throw Failure{"a number is too large"};
      return expr.text == "-" ? -number : number;
    }
    case ExprKind::binary: {
      const Value left = child(0);
      return evaluate_binary(expr.text, left, child(1));
    }
    case ExprKind::compare: return evaluate_compare(expr, scope);
    case ExprKind::logical_and: {
      Value left = child(0);
      return left.truthy() ? child(1) : left;
    }
    case ExprKind::logical_or: {
      Value left = child(0);
      return left.truthy() ? left : child(1);
    }
    case ExprKind::conditional:
      if (child(1).truthy()) return child(0);
      return expr.children[2] ? child(2) : Value(Undefined{"the missing else"});
  }
  std::unreachable();
}

Value Interpreter::evaluate_literal_dict(const Expr& expr, Scope& scope) {
  Dict dict;
  spend(expr.children.size() * sizeof(Value));
  for (size_t idx = 0; idx < expr.children.size(); idx += 2)
    dict.set(evaluate(*expr.children[idx], scope), evaluate(*expr.children[idx + 1], scope));
  return dict;
}

Arguments Interpreter::evaluate_arguments(const Expr& expr, Scope& scope) {
  Arguments arguments;
  const size_t n_positional = expr.arguments.size() - expr.names.size();
  for (size_t idx = 0; idx < expr.arguments.size(); ++idx) {
    Value value = evaluate(*expr.arguments[idx], scope);
    if (idx < n_positional)
      arguments.positional.push_back(std::move(value));
    else
      arguments.named.emplace_back(expr.names[idx - n_positional], std::move(value));
  }
  return arguments;
}

Value Interpreter::evaluate_call(const Expr& expr, Scope& scope) {
  const Value function = evaluate(*expr.children[0], scope);
  return call(function, evaluate_arguments(expr, scope));
}

Value Interpreter::call(const Value& function, const Arguments& arguments) {
  step();
  if (const Callable* callable = function.callable()) return callable->call(*this, arguments);
  if (function.dict())
    if (const Value* method = function.dict()->find_name("__call__"); method && method->callable())
      return method->callable()->call(*this, arguments);
  if (const Undefined* undefined = function.undefined())
    throw Failure{fmt::format("'{}' is undefined", undefined->name)};
  throw Failure{fmt::format("a value of type {} cannot be called", function.type_name())};
}

Value Interpreter::apply_filter(std::string_view name, const Value& input, const Arguments& arguments) {
  const Filter filter = find_filter(name);
  if (!filter) throw Failure{fmt::format("no filter is named '{}'", name)};
  return filter(*this, input, arguments);
}

bool Interpreter::apply_test(std::string_view name, const Value& subject, const Arguments& arguments) {
  const Test test = find_test(name);
  if (!test) throw Failure{fmt::format("no test is named '{}'", name)};
  return test(*this, subject, arguments);
}

// Python's getattr(), then the item of that name.
Value Interpreter::attribute_of(const Value& object, const std::string& name) {
  if (const Undefined* undefined = object.undefined())
    throw Failure{fmt::format("'{}' is undefined, so it has no '{}'", undefined->name, name)};
  if (Namespace* ns = object.ns()) {
    const Value* found = ns->values.find_name(name);
    return found ? *found : Value(Undefined{name});
  }
  Value method = find_method(object, name);
  if (!method.is_undefined()) return method;
  if (object.dict())
    if (const Value* found = object.dict()->find_name(name)) return *found;
  return Undefined{name};
}

Value Interpreter::item_of(const Value& object, const Value& key) {
  if (const Undefined* undefined = object.undefined())
    throw Failure{fmt::format("'{}' is undefined, so it has no item {}", undefined->name, key.repr())};
  if (object.dict())
    if (const Value* found = object.dict()->find(key)) return *found;
  if (key.is_int() && !object.is_generator() && (object.list() || object.string())) {
    const auto n = static_cast<int64_t>(object.length());
    const int64_t idx = key.to_int("an index") < 0 ? key.to_int("") + n : key.to_int("");
    if (idx < 0 || idx >= n) return Undefined{key.repr()};
    if (object.list()) return (*object.list())[static_cast<size_t>(idx)];
    return std::string(characters_of(*object.string())[static_cast<size_t>(idx)]);
  }
  if (key.string()) return attribute_of(object, *key.string());
  return Undefined{key.repr()};
}

Value Interpreter::evaluate_slice(const Expr& expr, Scope& scope) {
  const Value object = evaluate(*expr.children[0], scope);
  const auto bound = [&](size_t idx) {
    const Value value = expr.children[idx] ? evaluate(*expr.children[idx], scope) : Value();
    return value.is_none() ? std::nullopt : std::optional(value.to_int("a slice"));
  };
  const auto start = bound(1), stop = bound(2);
  const int64_t stride = bound(3).value_or(1);
  if (stride == 0) throw Failure{"a slice cannot have step 0"};
  if (!object.list() && !object.string())
    throw Failure{fmt::format("a value of type {} cannot be sliced", object.type_name())};
  const auto characters = object.string() ? characters_of(*object.string()) : std::vector<std::string_view>();
  const auto n = static_cast<int64_t>(object.list() ? object.list()->size() : characters.size());
  spend(static_cast<size_t>(n) * sizeof(Value));
  // Python's slice.indices(): negative positions count from the end, and all are clamped.
  const int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? n : n - 1;
  const auto clamp = [&](std::optional<int64_t> position, int64_t otherwise) {
    if (!position) return otherwise;
    return std::clamp(*position < 0 ? std::max(*position, -n - 1) + n : *position, low, high);
  };
  List kept;
  std::string text;
  const int64_t last = clamp(stop, stride > 0 ? high : low);
  for (int64_t idx = clamp(start, stride > 0 ? low : high); stride > 0 ? idx < last : idx > last;) {
    if (object.string())
      text += characters[static_cast<size_t>(idx)];
    else
      kept.push_back((*object.list())[static_cast<size_t>(idx)]);
    if (__builtin_add_overflow(idx, stride, &idx)) break;
  }
  return object.string() ? Value(std::move(text)) : Value(std::move(kept));
}

Value Interpreter::evaluate_compare(const Expr& expr, Scope& scope) {
  Value left = evaluate(*expr.children[0], scope);
  for (size_t idx = 0; idx < expr.names.size(); ++idx) {
    Value right = evaluate(*expr.children[idx + 1], scope);
    const std::string& op = expr.names[idx];
    const bool holds = op == "=="   ? left.equals(right)
                       : op == "!=" ? !left.equals(right)
                       : op == "<"  ? left.less(right)
                       : op == ">"  ? right.less(left)
                       : op == "<=" ? left.less(right) || left.equals(right)
                       : op == ">=" ? right.less(left) || left.equals(right)
                       : op == "in" ? right.contains(left)
                                    : !right.contains(left);
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

namespace {

[[noreturn]] void fail_operands(std::string_view op, const Value& left, const Value& right) {
  for (const Value* value : {&left, &right})
    if (const Undefined* undefined = value->undefined())
      throw Failure{fmt::format("'{}' is undefined", undefined->name)};
  throw Failure{fmt::format("{} {} {} is not possible", left.type_name(), op, right.type_name())};
}

int64_t multiplied(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw Failure{"a number is too large"};
  return product;
}

Value int_arithmetic(std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "*") return multiplied(a, b);
  if (op == "+" || op == "-") {
    const bool overflow = op == "+" ? __builtin_add_overflow(a, b, &result) : __builtin_sub_overflow(a, b, &result);
    if (overflow) throw Failure{"a number is too large"};
    return result;
  }
  if (op == "**") {
    if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
    result = 1;
    if (a == 0 || a == 1) return b == 0 ? 1 : a;
    if (a == -1) return b % 2 == 0 ? int64_t{1} : int64_t{-1};
    for (int64_t idx = 0; idx < b; ++idx) result = multiplied(result, a);
    return result;
  }
  if (b == 0) throw Failure{"division by zero"};
  if (op == "/") return static_cast<double>(a) / static_cast<double>(b);
  if (b == -1) return op == "//" ? Value(multiplied(a, -1)) : Value(int64_t{0});
  // Python rounds towards minus infinity.
  const int64_t remainder = a % b;
  const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
  if (op == "//") return a / b - (adjust ? 1 : 0);
  return adjust ? remainder + b : remainder;
}

Value float_arithmetic(std::string_view op, double a, double b) {
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (op == "**") return std::pow(a, b);
  if (b == 0) throw Failure{"division by zero"};
  if (op == "/") return a / b;
  if (op == "//") return std::floor(a / b);
  const double remainder = std::fmod(a, b);
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

// text % arguments: only what templates use, %s and %d and %%.
std::string format_percent(const std::string& format, const Value& arguments) {
  const List values = arguments.list() ? *arguments.list() : List{arguments};
  std::string text;
  size_t n_used = 0;
  for (size_t idx = 0; idx < format.size(); ++idx) {
    if (format[idx] != '%' || idx + 1 == format.size()) {
      text += format[idx];
      continue;
    }
    const char conversion = format[++idx];
    if (conversion == '%') {
      text += '%';
      continue;
    }
    if (conversion != 's' && conversion != 'd') throw Failure{fmt::format("format '%{}' is not supported", conversion)};
    if (n_used == values.size()) throw Failure{"not enough arguments for a format string"};
    const Value& value = values[n_used++];
    text += conversion == 's' ? value.str() : fmt::format("{}", static_cast<int64_t>(value.to_double()));
  }
  return text;
}

}  // namespace

Value Interpreter::evaluate_binary(std::string_view op, const Value& left, const Value& right) {
  const bool adds_strings = op == "+" && left.string() && right.string();
  if (adds_strings && (left.is_markup() || right.is_markup())) {
    const auto part = [](const Value& value) { return value.is_markup() ? value.str() : escape_html(value.str()); };
    std::string text = part(left) + part(right);
    spend(text.size());
    return Markup{std::move(text)};
  }
  if (op == "~") {
    std::string text = left.str() + right.str();
    spend(text.size());
    return text;
  }
  if (left.is_number() && right.is_number()) {
    if (left.is_float() || right.is_float()) return float_arithmetic(op, left.to_double(), right.to_double());
    return int_arithmetic(op, left.to_int(op), right.to_int(op));
  }
  if (adds_strings) {
    spend(left.string()->size() + right.string()->size());
    return *left.string() + *right.string();
  }
  if (op == "+" && left.list() && right.list()) {
    spend((left.list()->size() + right.list()->size()) * sizeof(Value));
    List list = *left.list();
    list.insert(list.end(), right.list()->begin(), right.list()->end());
    return list;
  }
  if (op == "*" && (left.is_int() || right.is_int())) {
    const Value& sequence = left.is_int() ? right : left;
    const int64_t n = std::max<int64_t>(0, (left.is_int() ? left : right).to_int(op));
    const size_t unit = sequence.string() ? sequence.string()->size()
                        : sequence.list() ? sequence.list()->size() * sizeof(Value)
                                          : 0;
    if (!sequence.string() && !sequence.list()) fail_operands(op, left, right);
    if (unit > 0 && static_cast<uint64_t>(n) > limits_.n_bytes / unit) spend(limits_.n_bytes + 1);
    if (unit == 0) return sequence;
    spend(static_cast<size_t>(n) * unit);
    std::string text;
    List list;
    for (int64_t idx = 0; idx < n; ++idx) {
      if (sequence.string())
        text += *sequence.string();
      else
        list.insert(list.end(), sequence.list()->begin(), sequence.list()->end());
    }
    return sequence.string() ? Value(std::move(text)) : Value(std::move(list));
  }
  if (op == "%" && left.string()) {
    std::string text = format_percent(*left.string(), right);
    spend(text.size());
    return text;
  }
  fail_operands(op, left, right);
}

}  // namespace ogas::jinja
