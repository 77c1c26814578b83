#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "jinja/builtins.h"

namespace ogas::jinja {
namespace {

[[noreturn]] void fail_operands(std::string_view op, const Value& left, const Value& right) {
  for (const Value* value : {&left, &right})
    if (const Undefined* undefined = value->undefined())
      throw Failure{fmt::format("'{}' is undefined", undefined->name())};
  throw Failure{fmt::format("{} {} {} is not possible", left.type_name(), op, right.type_name())};
}

int64_t multiplied(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw Failure{"a number is too large"};
  return product;
}

Value int_power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) throw Failure{"division by zero"};
    return std::pow(static_cast<double>(base), static_cast<double>(exponent));
  }
  if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
  if (base == -1) return exponent % 2 == 0 ? int64_t{1} : int64_t{-1};
  int64_t result = 1;
  for (int64_t idx = 0; idx < exponent; ++idx) result = multiplied(result, base);  // at most 63 times
  return result;
}

Value int_arithmetic(std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "*") return multiplied(a, b);
  if (op == "+" || op == "-") {
    const bool overflow = op == "+" ? __builtin_add_overflow(a, b, &result) : __builtin_sub_overflow(a, b, &result);
    if (overflow) throw Failure{"a number is too large"};
    return result;
  }
  if (op == "**") return int_power(a, b);
  if (b == 0) throw Failure{"division by zero"};
  if (op == "/") return static_cast<double>(a) / static_cast<double>(b);
  if (b == -1) return op == "//" ? Value(multiplied(a, -1)) : Value(int64_t{0});
  // Python rounds towards minus infinity.
  const int64_t remainder = a % b;
  const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
  if (op == "//") return a / b - (adjust ? 1 : 0);
  return adjust ? remainder + b : remainder;
}

double float_power(double a, double b) {
  if (a == 0 && b < 0) throw Failure{"division by zero"};
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) throw Failure{"a number is too large"};
  if (std::isnan(result) && !std::isnan(a) && !std::isnan(b)) throw Failure{"the power is not a real number"};
  return result;
}

// CPython's float_divmod.
Value float_division(std::string_view op, double a, double b) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      quotient -= 1;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (op == "%") return remainder;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

Value float_arithmetic(std::string_view op, double a, double b) {
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (op == "**") return float_power(a, b);
  if (b == 0) throw Failure{"division by zero"};
  return op == "/" ? Value(a / b) : float_division(op, a, b);
}

Value repeated(Interpreter& in, const Value& sequence, int64_t times) {
  const auto n = static_cast<size_t>(std::max<int64_t>(0, times));
  if (const Text* text = sequence.text()) {
    in.spend(n, text->size() + text->input().size() * sizeof(ByteRange));
    if (n == 0 || text->size() == 0) return keep_markup(sequence, Text());
    // By doubling: a million single characters take as long as a thousand of a thousand.
    Text result = *text;
    result.reserve(n * text->size());
    for (size_t n_done = 1; n_done < n;) {
      const size_t n_more = std::min(n_done, n - n_done);
      const Text more = result.slice(0, n_more * text->size());
      result.append(more);
      n_done += n_more;
    }
    return keep_markup(sequence, std::move(result));
  }
  const List& list = *sequence.list();
  in.spend(n, list.size() * sizeof(Value));
  List result;
  for (size_t idx = 0; idx < n && !list.empty(); ++idx) result.insert(result.end(), list.begin(), list.end());
  return Value(std::move(result), sequence.sequence());
}

Value added_texts(Interpreter& in, const Value& left, const Value& right) {
  in.spend(left.text()->size() + right.text()->size());
  const bool is_markup = left.is_markup() || right.is_markup();
  if (is_markup) {
    in.spend(left.text()->size() + right.text()->size(), 5);  // it may grow so
    in.step((left.text()->size() + right.text()->size()) >> 3);
  }
  const auto part = [&](const Value& v) { return is_markup && !v.is_markup() ? escape_html(*v.text()) : *v.text(); };
  Text text = part(left);
  text.append(part(right));
  return is_markup ? Value(Markup{std::move(text)}) : Value(std::move(text));
}

bool can_repeat(const Value& value) { return value.text() || (value.list() && value.sequence() <= Sequence::tuple); }

}  // namespace

Value apply_operator(Interpreter& in, std::string_view op, const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) {
    if (left.is_float() || right.is_float()) return float_arithmetic(op, left.to_double(), right.to_double());
    return int_arithmetic(op, left.to_int(op), right.to_int(op));
  }
  if (op == "+" && left.text() && right.text()) return added_texts(in, left, right);
  if (op == "+" && can_repeat(left) && can_repeat(right) && left.list() && right.list() &&
      left.sequence() == right.sequence()) {
    in.spend(left.list()->size() + right.list()->size(), sizeof(Value));
    in.step((left.list()->size() + right.list()->size()) >> 4);
    List list = *left.list();
    list.insert(list.end(), right.list()->begin(), right.list()->end());
    return Value(std::move(list), left.sequence());
  }
  if (op == "*" && can_repeat(left) && (right.is_int() || right.is_bool())) return repeated(in, left, right.to_int(op));
  if (op == "*" && can_repeat(right) && (left.is_int() || left.is_bool())) return repeated(in, right, left.to_int(op));
  if (op == "%" && left.text()) return keep_markup(left, format_percent(in, *left.text(), right));
  fail_operands(op, left, right);
}

}  // namespace ogas::jinja
