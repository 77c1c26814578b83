// Expressions of the Interpreter.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "jinja/builtins.h"
#include "jinja/interpreter.h"

namespace ogas::jinja {

Value Interpreter::evaluate(const Expr& expr, Scope& scope) {
  step();
  if (expr.kind == ExprKind::literal) return expr.value;
  struct Guard {
    int& depth;
    ~Guard() { --depth; }
  };
  if (++depth_ > limits_.depth) {
    --depth_;
    throw Failure{"expressions are nested too deeply", expr.line};
  }
  const Guard guard{depth_};
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
    case ExprKind::list: return evaluate_list(expr, scope, Sequence::list);
    case ExprKind::tuple: return evaluate_list(expr, scope, Sequence::tuple);
    case ExprKind::dict: return evaluate_dict(expr, scope);
    case ExprKind::attribute: return attribute_of(child(0), expr.text);
    case ExprKind::item: {
      const Value object = child(0);
      return item_of(object, child(1));
    }
    case ExprKind::slice: return evaluate_slice(expr, scope);
    case ExprKind::call: {
      const Value function = child(0);
      return call(function, evaluate_arguments(expr, scope));
    }
    case ExprKind::filter: {
      const Value input = child(0);
      return apply_filter(expr.text, input, evaluate_arguments(expr, scope));
    }
    case ExprKind::test: {
      const Value subject = child(0);
      return apply_test(expr.text, subject, evaluate_arguments(expr, scope));
    }
    case ExprKind::negate: return !child(0).truthy();
    case ExprKind::unary: return evaluate_unary(expr, scope);
    case ExprKind::binary: {
      if (expr.text == "~") return evaluate_concat(expr, scope, nullptr);
      const Value left = child(0);
      return apply_operator(*this, expr.text, left, child(1));
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
      return expr.children[2] ? child(2) : Value(Undefined{"an if without else"});
  }
  return {};
}

namespace {

// What an assignment to the target overwrites; null where there is nothing yet.
Value* find_variable(const Target& target, Scope& scope) {
  if (target.field.empty()) {
    const auto found = scope.variables.find(target.name);
    return found == scope.variables.end() ? nullptr : &found->second;
  }
  const Value* object = scope.find(target.name);
  return object && object->ns() ? object->ns()->values.find_name(target.field) : nullptr;
}

}  // namespace

// a ~ b ~ c. target: what the result is assigned to, or null. Where that is `a`, what follows is appended to it in
// place, so that a text grown in a loop takes time in proportion to its length.
Value Interpreter::evaluate_concat(const Expr& expr, Scope& scope, const Target* target) {
  std::vector<const Expr*> operands;
  const Expr* first = &expr;
  for (; first->kind == ExprKind::binary && first->text == "~"; first = first->children[0].get())
    operands.push_back(first->children[1].get());
  Value result = evaluate(*first, scope);
  std::ranges::reverse(operands);
  spend(operands.size(), sizeof(Value));
  List values;
  for (const Expr* operand : operands) values.push_back(evaluate(*operand, scope));
  Text more;
  for (const Value& value : values) {
    const Text text = str(value);
    reserve_for(more, text.size(), *this);
    more.append(text);
  }
  if (result.text() && !result.is_markup()) {
    Value* replaced = target ? find_variable(*target, scope) : nullptr;
    if (replaced && replaced->is_same(result)) *replaced = {};
    if (result.append_in_place(more, *this)) return result;
  }
  Text text = str(result);
  spend(text.size() + more.size());
  text.append(more);
  return text;
}

// The value of a set statement's expression.
Value Interpreter::evaluate_assigned(const Stmt& stmt, Scope& scope) {
  const Expr& expr = *stmt.expressions[0];
  if (expr.kind != ExprKind::binary || expr.text != "~" || !stmt.target.parts.empty()) return evaluate(expr, scope);
  step();
  return evaluate_concat(expr, scope, &stmt.target);
}

Value Interpreter::evaluate_list(const Expr& expr, Scope& scope, Sequence sequence) {
  spend(expr.children.size(), sizeof(Value));
  List list;
  list.reserve(expr.children.size());
  for (const auto& element : expr.children) list.push_back(evaluate(*element, scope));
  return Value(std::move(list), sequence);
}

Value Interpreter::evaluate_dict(const Expr& expr, Scope& scope) {
  Dict dict;
  for (size_t idx = 0; idx + 1 < expr.children.size(); idx += 2) {
    Value key = evaluate(*expr.children[idx], scope);
    dict.set(std::move(key), evaluate(*expr.children[idx + 1], scope), *this);
  }
  return dict;
}

Value Interpreter::evaluate_unary(const Expr& expr, Scope& scope) {
  const Value value = evaluate(*expr.children[0], scope);
  if (value.is_float()) return expr.text == "-" ? -value.to_double() : value.to_double();
  const int64_t number = value.to_int(expr.text);
  if (expr.text == "+") return number;
  if (number == INT64_MIN) throw Failure{"a number is too large"};
  return -number;
}

Arguments Interpreter::evaluate_arguments(const Expr& expr, Scope& scope) {
  Arguments arguments;
  const size_t n_positional = expr.arguments.size() - expr.names.size();
  for (size_t idx = 0; idx < expr.arguments.size(); ++idx) {
    Value value = evaluate(*expr.arguments[idx], scope);
    if (idx < n_positional) {
      arguments.positional.push_back(std::move(value));
      continue;
    }
    const std::string& name = expr.names[idx - n_positional];
    if (name == "*") {
      const List elements = elements_of(value);
      arguments.positional.insert(arguments.positional.end(), elements.begin(), elements.end());
    } else if (name == "**") {
      if (!value.dict()) throw Failure{"** needs a dictionary"};
      for (const auto& [key, entry] : value.dict()->items) {
        if (!key.string()) throw Failure{"** needs strings for keys"};
        arguments.named.emplace_back(*key.string(), entry);
      }
    } else {
      arguments.named.emplace_back(name, std::move(value));
    }
  }
  return arguments;
}

Value Interpreter::evaluate_slice(const Expr& expr, Scope& scope) {
  const Value object = evaluate(*expr.children[0], scope);
  const auto bound = [&](size_t idx) {
    const Value value = expr.children[idx] ? evaluate(*expr.children[idx], scope) : Value();
    return value.is_none() ? std::nullopt : std::optional(value.to_int("a slice"));
  };
  const auto start = bound(1), stop = bound(2);
  const int64_t stride = bound(3).value_or(1);
  if (!object.is_indexable() && !object.string())
    throw Failure{fmt::format("a value of type {} cannot be sliced", object.type_name())};
  if (stride == 0) throw Failure{"a slice cannot have step 0"};
  if (object.string()) Budget::step(object.string()->size() >> 8);
  const auto n = static_cast<int64_t>(object.length());
  // Python's slice.indices(): negative positions count from the end, and all are clamped.
  const int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? n : n - 1;
  const auto clamp = [&](std::optional<int64_t> position, int64_t fallback) {
    if (!position) return fallback;
    return std::clamp(*position < 0 ? std::max(*position, -n - 1) + n : *position, low, high);
  };
  const int64_t first = clamp(start, stride > 0 ? low : high), last = clamp(stop, stride > 0 ? high : low);
  if (object.string() && stride == 1) {
    const std::string& bytes = object.text()->bytes();
    const size_t begin = byte_of_character(bytes, static_cast<size_t>(first));
    const size_t end = std::max(begin, byte_of_character(bytes, static_cast<size_t>(std::max(first, last))));
    spend(end - begin);
    return keep_markup(object, object.text()->slice(begin, end - begin));
  }
  const List elements = elements_of(object);
  List kept;
  Text text;
  for (int64_t idx = first; stride > 0 ? idx < last : idx > last;) {
    Budget::step();
    if (object.string())
      text.append(*elements[static_cast<size_t>(idx)].text());
    else
      kept.push_back(elements[static_cast<size_t>(idx)]);
    if (__builtin_add_overflow(idx, stride, &idx)) break;
  }
  if (object.string()) return keep_markup(object, std::move(text));
  if (object.sequence() != Sequence::range) return Value(std::move(kept), object.sequence());
  const auto& [begin, end, step] = object.elements()->range;
  // Positions are at most as many as a range has, so that only a hostile step can overflow.
  int64_t wider = 0;
  if (__builtin_mul_overflow(step, stride, &wider)) throw Failure{"a number is too large"};
  return Value::range(std::move(kept), {begin + first * step, begin + last * step, wider});
}

Value Interpreter::evaluate_compare(const Expr& expr, Scope& scope) {
  Value left = evaluate(*expr.children[0], scope);
  for (size_t idx = 0; idx < expr.names.size(); ++idx) {
    Value right = evaluate(*expr.children[idx + 1], scope);
    const std::string& op = expr.names[idx];
    const bool holds = op == "=="   ? left.equals(right, *this)
                       : op == "!=" ? !left.equals(right, *this)
                       : op == "<"  ? left.less(right, *this)
                       : op == ">"  ? right.less(left, *this)
                       : op == "<=" ? left.less(right, *this) || left.equals(right, *this)
                       : op == ">=" ? right.less(left, *this) || left.equals(right, *this)
                       : op == "in" ? contains(right, left)
                                    : !contains(right, left);
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

}  // namespace ogas::jinja
