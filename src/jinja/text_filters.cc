// Filters of single values: strings, numbers and JSON.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "jinja/builtins.h"
#include "jinja/spaces.h"

namespace ogas::jinja {
namespace {

// A string as it is, anything else printed.
Text soft_text(Interpreter& in, const Value& value) { return in.str(value); }

template <Text (*kChange)(const Text&)>
Value filtered_by(Interpreter& in, const Value& value, const Bound&) {
  const Text text = soft_text(in, value);
  in.spend(text.size());
  in.step(text.size() >> 3);
  return keep_markup(value, kChange(text));
}

Value tojson(Interpreter& in, const Value& input, const Bound& a) {
  JsonStyle style;
  style.ensure_ascii = a.flag(0);
  if (const Value* indent = a.given(1)) {
    style.indent = indent->string() ? 0 : std::max<int64_t>(0, indent->to_int("indent"));
    if (indent->text()) style.margin = *indent->text();
    style.item_separator = Text(",");
  }
  if (const Value* separators = a.given(2)) {
    const List pair = in.elements_of(*separators);
    if (pair.size() != 2) throw Failure{"tojson: two separators are expected"};
    style.item_separator = text_of(pair[0], "separators");
    style.key_separator = text_of(pair[1], "separators");
  }
  style.sort_keys = a.flag(3);
  return to_json(input, style, in);
}

Value indent(Interpreter& in, const Value& input, const Bound& a) {
  Text margin;
  if (a[0] && a[0]->text()) {
    margin = *a[0]->text();
  } else {
    const int64_t width = std::max<int64_t>(0, a.number(0, 4));
    in.spend(static_cast<size_t>(width));
    margin = Text(std::string(static_cast<size_t>(width), ' '));
  }
  Text ended = text_of(input, "indent");
  ended.append("\n");
  const List lines = split_lines(in, ended);
  const bool first = a.flag(1), blank = a.flag(2);
  Text text;
  for (size_t idx = 0; idx < lines.size(); ++idx) {
    const Text& line = *lines[idx].text();
    if (idx > 0) text.append("\n");
    in.spend(margin.size() + line.size() + 1);
    if (idx == 0 ? first : blank || line.size() > 0) text.append(margin);
    text.append(line);
  }
  return keep_markup(input, std::move(text));
}

// Python's int(text, base) and float(text); underscores between digits are allowed.
std::string plain_number(std::string_view text) {
  text.remove_prefix(leading_space(text));
  text.remove_suffix(trailing_space(text));
  std::string number;
  for (size_t idx = 0; idx < text.size(); ++idx) {
    const bool between = idx > 0 && idx + 1 < text.size() && std::isalnum(static_cast<unsigned char>(text[idx - 1])) &&
                         std::isalnum(static_cast<unsigned char>(text[idx + 1]));
    if (text[idx] == '_' && between) continue;
    number += text[idx];
  }
  if (number.starts_with("+") && !number.starts_with("+-")) number.erase(0, 1);
  return number;
}

bool parse_float(std::string_view text, double& value) {
  const std::string number = plain_number(text);
  if (number.empty() || number.find_first_of("xX(") != std::string::npos) return false;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc::result_out_of_range) {
    value = std::strtod(number.c_str(), nullptr);
    return end == number.data() + number.size();
  }
  return error == std::errc() && end == number.data() + number.size();
}

// Returns false for text that is not an integer; throws for an integer that is too large.
bool parse_int(std::string_view text, int64_t base, int64_t& value) {
  std::string number = plain_number(text);
  const size_t sign = number.starts_with("-") ? 1 : 0;
  const char letter = base == 16 ? 'x' : base == 8 ? 'o' : base == 2 ? 'b' : '\0';
  if (letter && number.size() > sign + 2 && number[sign] == '0' && (number[sign + 1] | 0x20) == letter)
    number.erase(sign, 2);
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), value, static_cast<int>(base));
  if (end != number.data() + number.size() || number.empty()) return false;
  if (error == std::errc::result_out_of_range) throw Failure{"a number is too large"};
  return error == std::errc();
}

int64_t truncated(double number) {
  if (!(std::fabs(number) < 9.2e18)) throw Failure{"a number is too large"};
  return static_cast<int64_t>(number);
}

Value to_integer(Interpreter& in, const Value& input, const Bound& a) {
  const Value fallback = a[0] ? *a[0] : Value(int64_t{0});
  const int64_t base = a.number(1, 10);
  if (base < 2 || base > 36) throw Failure{"int: the base lies between 2 and 36"};
  if (input.is_undefined()) throw Failure{"an undefined value is not a number"};
  if (input.is_int() || input.is_bool()) return input.to_int("int");
  if (input.is_float()) return std::isnan(input.to_double()) ? fallback : Value(truncated(input.to_double()));
  if (!input.string()) return fallback;
  int64_t whole = 0;
  double number = 0;
  in.step(input.string()->size() >> 3);
  if (parse_int(*input.string(), base, whole)) return whole;
  if (parse_float(*input.string(), number) && std::isfinite(number)) return truncated(number);
  return fallback;
}

Value to_float(Interpreter& in, const Value& input, const Bound& a) {
  double value = 0;
  if (input.is_undefined()) throw Failure{"an undefined value is not a number"};
  if (input.is_number()) return input.to_double();
  if (input.string()) in.step(input.string()->size() >> 3);
  if (input.string() && parse_float(*input.string(), value)) return value;
  return a[0] ? *a[0] : Value(0.0);
}

// Python's round(): to the nearest decimal of the exact binary value, halves to even.
double round_to(double value, int64_t n_digits) {
  if (!std::isfinite(value)) {
    if (n_digits == 0) return value;
    return value;
  }
  if (n_digits > 22 + 300) return value;
  if (n_digits >= 0) return std::strtod(fmt::format("{:.{}f}", value, n_digits).c_str(), nullptr);
  if (n_digits < -310) return std::copysign(0.0, value);
  const double unit = std::pow(10.0, static_cast<double>(-n_digits));
  return std::nearbyint(value / unit) * unit;
}

Value rounded(Interpreter& in, const Value& input, const Bound& a) {
  const int64_t n_digits = a.number(0, 0);
  const std::string way = a[1] ? text_of(*a[1], "round").bytes() : "common";
  if (way != "common" && way != "ceil" && way != "floor") throw Failure{"round: the method is not known"};
  if (way == "common") {
    in.step(20);  // digits are written and read
    if (input.is_float()) return round_to(input.to_double(), n_digits);
    const int64_t number = input.to_int("round");
    return n_digits >= 0 ? number : truncated(round_to(static_cast<double>(number), n_digits));
  }
  const Value factor = apply_operator(in, "**", int64_t{10}, n_digits);
  const double scaled = apply_operator(in, "*", input, factor).to_double();
  const double whole = way == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  if (!std::isfinite(whole)) throw Failure{"round: a number is too large"};
  return (whole == 0 ? 0.0 : whole) / factor.to_double();  // an integer in Python, which has no -0
}

Value truncate(Interpreter& in, const Value& input, const Bound& a) {
  const int64_t length = a.number(0, 255);
  const Text end = a[2] ? text_of(*a[2], "truncate") : Text("...");
  const int64_t leeway = a.given(3) ? a.number(3, 5) : 5;
  const auto n_end = static_cast<int64_t>(count_characters(end.bytes()));
  if (length < n_end || leeway < 0) throw Failure{"truncate: the length is too short"};
  if (input.string()) in.step(input.string()->size() >> 6);
  if (static_cast<int64_t>(input.length()) <= length + leeway) return input;
  const Text& text = text_of(input, "truncate");
  in.spend(text.size() + end.size());
  size_t cut = byte_of_character(text.bytes(), static_cast<size_t>(length - n_end));
  if (!a.flag(1)) {
    const size_t space = std::string_view(text.bytes()).substr(0, cut).rfind(' ');
    if (space != std::string_view::npos) cut = space;
  }
  Text result = text.slice(0, cut);
  result.append(end);
  return keep_markup(input, std::move(result));
}

Value format(Interpreter& in, const Value& input, const Bound& a) {
  if (!a.all.positional.empty() && !a.all.named.empty()) throw Failure{"format: positions or names, not both"};
  Value arguments(a.all.positional, Sequence::tuple);
  if (!a.all.named.empty()) {
    Dict dict;
    for (const auto& [name, value] : a.all.named) dict.set(name, value, in);
    arguments = std::move(dict);
  }
  return keep_markup(input, format_percent(in, soft_text(in, input), arguments));
}

constexpr Builtin kTextFilters[] = {
    {"abs", "",
     [](Interpreter&, const Value& v, const Bound&) {
       if (v.is_float()) return Value(std::fabs(v.to_double()));
       const int64_t number = v.to_int("abs");
       if (number == INT64_MIN) throw Failure{"a number is too large"};
       return Value(std::abs(number));
     }},
    {"capitalize", "", filtered_by<capitalize>},
    {"center", "width?",
     [](Interpreter& in, const Value& v, const Bound& a) {
       return keep_markup(v, center(in, soft_text(in, v), a.number(0, 80)));
     }},
    {"default", "default_value? boolean?",
     [](Interpreter&, const Value& v, const Bound& a) {
       const bool replace = v.is_undefined() || (a.flag(1) && !v.truthy());
       return !replace ? v : a[0] ? *a[0] : Value("");
     }},
    {"escape", "",
     [](Interpreter& in, const Value& v, const Bound&) {
       const Text text = soft_text(in, v);
       in.spend(text.size(), 7);  // it may grow fivefold
       in.step(text.size() >> 6);
       return Value(Markup{v.is_markup() ? text : escape_html(text)});
     }},
    {"float", "default?", to_float},
    {"forceescape", "",
     [](Interpreter& in, const Value& v, const Bound&) {
       const Text text = soft_text(in, v);
       in.spend(text.size(), 7);  // it may grow fivefold
       in.step(text.size() >> 6);
       return Value(Markup{escape_html(text)});
     }},
    {"format", "*", format},
    {"indent", "width? first? blank?", indent},
    {"int", "default? base?", to_integer},
    {"length", "",
     [](Interpreter& in, const Value& v, const Bound&) {
       if (v.string()) in.step(v.string()->size() >> 6);
       return Value(static_cast<int64_t>(v.length()));
     }},
    {"lower", "", filtered_by<to_lower>},
    {"replace", "old new count?",
     [](Interpreter& in, const Value& v, const Bound& a) {
       return Value(replace(in, in.str(v), in.str(*a[0]), in.str(*a[1]), a.given(2) ? a.number(2, -1) : -1));
     }},
    {"round", "precision? method?", rounded},
    {"safe", "", [](Interpreter& in, const Value& v, const Bound&) { return Value(Markup{soft_text(in, v)}); }},
    {"string", "",
     [](Interpreter& in, const Value& v, const Bound&) { return v.text() ? v : Value(soft_text(in, v)); }},
    {"title", "",
     [](Interpreter& in, const Value& v, const Bound&) {
       const Text text = soft_text(in, v);
       in.spend(text.size());
       in.step(text.size() >> 3);
       return Value(title_words(text));
     }},
    {"tojson", "ensure_ascii? indent? separators? sort_keys?", tojson},
    {"trim", "chars?",
     [](Interpreter& in, const Value& v, const Bound& a) {
       const Text text = soft_text(in, v);
       in.spend(text.size());
       if (a.given(0)) in.step(text.size() >> 4);
       return keep_markup(v, strip(text, a.given(0), true, true));
     }},
    {"truncate", "length? killwords? end? leeway?", truncate},
    {"upper", "", filtered_by<to_upper>},
};

}  // namespace

std::span<const Builtin> text_filters() { return kTextFilters; }

}  // namespace ogas::jinja
