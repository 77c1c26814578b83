// Python's two ways of formatting: "..." % arguments, and "...".format(arguments).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/unicode.h"
#include "jinja/builtins.h"

namespace ogas::jinja {
namespace {

constexpr int64_t kMaxWidth = int64_t{1} << 24;
constexpr int64_t kMaxPrecision = 1000;

// [[fill]align][sign][#][0][width][,][.precision][type]
struct Spec {
  std::string fill = " ";
  char align = 0;  // < > ^ =, or 0 for the type's own
  char sign = '-';
  bool alternate = false;
  char grouping = 0;
  int64_t width = 0;
  int64_t precision = -1;
  char type = 0;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The digits at `at`, which moves past them; -1 where there are none.
int64_t take_number(std::string_view text, size_t& at, int64_t max) {
  if (at >= text.size() || !is_digit(text[at])) return -1;
  int64_t number = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) number = std::min(max + 1, number * 10 + (text[at] - '0'));
  if (number > max) throw Failure{fmt::format("format: more than {} characters", max)};
  return number;
}

Spec parse_spec(std::string_view text) {
  constexpr std::string_view kAligns = "<>^=";
  const auto is_align = [&](size_t at) { return at < text.size() && kAligns.find(text[at]) != std::string_view::npos; };
  Spec spec;
  size_t at = 0;
  const size_t first = text.empty() ? 0 : next_utf8(text).length;
  if (first > 0 && is_align(first)) {
    spec.fill = std::string(text.substr(0, first));
    spec.align = text[first];
    at = first + 1;
  } else if (is_align(0)) {
    spec.align = text[at++];
  }
  const auto take = [&](char c) { return at < text.size() && text[at] == c && (++at, true); };
  for (const char sign : {'+', '-', ' '})
    if (take(sign)) {
      spec.sign = sign;
      break;
    }
  spec.alternate = take('#');
  if (take('0') && spec.align == 0) {
    spec.fill = "0";
    spec.align = '=';
  }
  spec.width = std::max<int64_t>(0, take_number(text, at, kMaxWidth));
  for (const char grouping : {',', '_'})
    if (take(grouping)) spec.grouping = grouping;
  if (take('.')) {
    spec.precision = take_number(text, at, kMaxPrecision);
    if (spec.precision < 0) throw Failure{"format: the precision is missing"};
  }
  if (at < text.size()) spec.type = text[at++];
  if (at != text.size()) throw Failure{"format: the specification is not understood"};
  return spec;
}

// Separators between groups of digits of the whole part.
std::string group(std::string digits, char separator, size_t every) {
  if (separator == 0) return digits;
  const size_t whole = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
  for (size_t at = whole; at > every;) digits.insert(at -= every, 1, separator);
  return digits;
}

std::string int_digits(uint64_t magnitude, char type, bool alternate) {
  switch (type) {
    case 'x': return alternate ? fmt::format("{:#x}", magnitude) : fmt::format("{:x}", magnitude);
    case 'X': return alternate ? fmt::format("{:#X}", magnitude) : fmt::format("{:X}", magnitude);
    case 'o': return (alternate ? "0o" : "") + fmt::format("{:o}", magnitude);
    case 'b': return alternate ? fmt::format("{:#b}", magnitude) : fmt::format("{:b}", magnitude);
    default: return fmt::format("{}", magnitude);
  }
}

std::string c_format(double magnitude, char type, int64_t precision, bool alternate) {
  const std::string pattern = std::string(alternate ? "%#.*" : "%.*") + type;
  std::string text(static_cast<size_t>(precision) + 400, '\0');
  const int n = std::snprintf(text.data(), text.size(), pattern.c_str(), static_cast<int>(precision), magnitude);
  text.resize(static_cast<size_t>(n));
  return text;
}

std::string float_digits(double magnitude, char type, int64_t precision, bool alternate) {
  if (type == '%') return float_digits(magnitude * 100, 'f', precision, alternate) + "%";
  if (std::isnan(magnitude)) return type == 'F' || type == 'E' || type == 'G' ? "NAN" : "nan";
  if (std::isinf(magnitude)) return type == 'F' || type == 'E' || type == 'G' ? "INF" : "inf";
  if (type == 0 && precision < 0) return repr_of(magnitude);
  if (type == 0) {
    // As 'g', but with at least one digit past the point.
    std::string text = c_format(magnitude, 'g', std::max<int64_t>(precision, 1), alternate);
    const double rounded = std::strtod(text.c_str(), nullptr);
    const bool scientific =
        rounded != 0 && rounded >= std::pow(10, static_cast<double>(std::max<int64_t>(precision, 1)) - 1);
    if (scientific && text.find('e') == std::string::npos && text.find('.') == std::string::npos)
      return c_format(magnitude, 'e', std::max<int64_t>(precision, 1) - 1, alternate);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }
  return c_format(magnitude, type == 'n' ? 'g' : type, precision < 0 ? 6 : precision, alternate);
}

Text padded(Interpreter& in, const Spec& spec, const std::string& sign, const Text& body, char default_align) {
  const size_t length = sign.size() + count_characters(body.bytes());
  const size_t missing = static_cast<size_t>(spec.width) > length ? static_cast<size_t>(spec.width) - length : 0;
  const char align = spec.align ? spec.align : default_align;
  in.spend(missing, spec.fill.size());
  in.spend(body.size());
  const auto fill = [&](size_t n) {
    std::string text;
    for (size_t idx = 0; idx < n; ++idx) text += spec.fill;
    return text;
  };
  const size_t before = align == '<' || align == '=' ? 0 : align == '^' ? missing / 2 : missing;
  Text text(fill(before) + sign + (align == '=' ? fill(missing) : ""));
  text.append(body);
  text.append(fill(align == '=' ? 0 : missing - before));
  return text;
}

std::string sign_of(bool is_negative, char sign) {
  return is_negative ? "-" : sign == '+' ? "+" : sign == ' ' ? " " : "";
}

// Python's format(value, spec).
Text format_value(Interpreter& in, const Value& value, std::string_view text) {
  if (text.empty()) return in.str(value);
  const Spec spec = parse_spec(text);
  in.step(static_cast<size_t>(std::max<int64_t>(16, spec.precision)) >> 3);
  const bool as_float = spec.type != 0 && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (value.is_float() || (as_float && value.is_number())) {
    const double number = value.to_double();
    if (spec.type != 0 && !as_float && spec.type != 'n') throw Failure{"format: no format for a float"};
    const bool is_negative = std::signbit(number) && !std::isnan(number);
    const std::string digits = float_digits(std::fabs(number), spec.type, spec.precision, spec.alternate);
    return padded(in, spec, sign_of(is_negative, spec.sign), group(digits, spec.grouping, 3), '>');
  }
  if (value.is_int() || value.is_bool()) {
    if (spec.precision >= 0) throw Failure{"format: an integer has no precision"};
    if (spec.type != 0 && std::string_view("dxXobn").find(spec.type) == std::string_view::npos)
      throw Failure{"format: no format for an integer"};
    const int64_t number = value.to_int("");
    const uint64_t magnitude = number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
    const bool is_decimal = spec.type == 0 || spec.type == 'd' || spec.type == 'n';
    return padded(in, spec, sign_of(number < 0, spec.sign),
                  group(int_digits(magnitude, spec.type, spec.alternate), spec.grouping, is_decimal ? 3 : 4), '>');
  }
  if (!value.text()) throw Failure{fmt::format("format: none for {}", value.type_name())};
  if ((spec.type != 0 && spec.type != 's') || spec.align == '=' || spec.sign != '-' || spec.grouping || spec.alternate)
    throw Failure{"format: no format for a string"};
  Text body = in.str(value);
  if (spec.precision >= 0) body = body.slice(0, byte_of_character(body.bytes(), static_cast<size_t>(spec.precision)));
  return padded(in, spec, "", body, '<');
}

// The conversions of one "..." % arguments.
class PercentFormatter {
 public:
  PercentFormatter(Interpreter& in, const Text& format, const Value& arguments)
      : in_(in), format_(format), arguments_(arguments) {
    is_tuple_ = arguments.list() && arguments.sequence() == Sequence::tuple;
  }

  Text run() {
    const std::string_view bytes = format_.bytes();
    size_t at = 0;
    while (true) {
      const size_t percent = std::min(bytes.find('%', at), bytes.size());
      text_.append(format_, at, percent - at);
      if (percent == bytes.size()) break;
      at = percent + 1;
      convert(bytes, at);
      in_.step();
    }
    const size_t n_all = is_tuple_ ? arguments_.list()->size() : 1;
    const bool may_be_left = arguments_.dict() || (arguments_.list() && !is_tuple_) || arguments_.is_undefined();
    if (n_used_ < n_all && !(may_be_left && !is_tuple_)) throw Failure{"format: not all arguments were used"};
    return std::move(text_);
  }

 private:
  const Value& next() {
    if (named_) return *named_;
    if (n_used_ >= (is_tuple_ ? arguments_.list()->size() : 1)) throw Failure{"format: not enough arguments"};
    const Value& value = is_tuple_ ? (*arguments_.list())[n_used_] : arguments_;
    ++n_used_;
    return value;
  }

  void convert(std::string_view bytes, size_t& at) {
    Spec spec;
    spec.align = '>';
    bool zero = false;
    named_ = nullptr;
    if (at < bytes.size() && bytes[at] == '(') {
      const size_t end = bytes.find(')', at);
      if (end == std::string_view::npos || !arguments_.dict()) throw Failure{"format: a mapping is needed"};
      named_ = arguments_.dict()->find_name(bytes.substr(at + 1, end - at - 1));
      if (!named_) throw Failure{"format: no such key"};
      at = end + 1;
    }
    for (; at < bytes.size() && std::string_view("-+ 0#").find(bytes[at]) != std::string_view::npos; ++at) {
      if (bytes[at] == '-') spec.align = '<';
      if (bytes[at] == '+' || (bytes[at] == ' ' && spec.sign != '+')) spec.sign = bytes[at];
      zero |= bytes[at] == '0';
      spec.alternate |= bytes[at] == '#';
    }
    spec.width = std::max<int64_t>(0, take_number(bytes, at, kMaxWidth));
    if (at < bytes.size() && bytes[at] == '.')
      spec.precision = std::max<int64_t>(0, take_number(bytes, ++at, kMaxPrecision));
    if (at >= bytes.size()) throw Failure{"format: it ends too early"};
    spec.type = bytes[at++];
    if (zero && spec.align == '>' && std::string_view("srac%").find(spec.type) == std::string_view::npos) {
      spec.align = '=';
      spec.fill = "0";
    }
    write(spec);
  }

  void write(Spec& spec) {
    in_.step(static_cast<size_t>(std::max<int64_t>(16, spec.precision)) >> 3);
    switch (spec.type) {
      case '%': return text_.append("%");
      case 's': return write_text(spec, in_.str(next()));
      case 'r': return write_text(spec, repr_of(next(), in_));
      case 'c': return write_character(spec);
      case 'd':
      case 'i':
      case 'u': return write_int(spec, true);
      case 'x':
      case 'X':
      case 'o': return write_int(spec, false);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G': {
        const double number = next().to_double();
        const std::string digits = float_digits(std::fabs(number), spec.type, spec.precision, spec.alternate);
        return text_.append(
            padded(in_, spec, sign_of(std::signbit(number) && !std::isnan(number), spec.sign), digits, '>'));
      }
      default: throw Failure{fmt::format("format: '%{}' is not supported", in_quotes_of(spec.type))};
    }
  }
  static std::string in_quotes_of(char c) { return c >= ' ' && c < 0x7F ? std::string(1, c) : "?"; }

  void write_text(Spec& spec, Text body) {
    if (spec.precision >= 0) body = body.slice(0, byte_of_character(body.bytes(), static_cast<size_t>(spec.precision)));
    text_.append(padded(in_, spec, "", body, '>'));
  }

  void write_character(Spec& spec) {
    const Value& value = next();
    if (value.text() && value.length() == 1) return text_.append(padded(in_, spec, "", *value.text(), '>'));
    const int64_t code = value.text() ? -1 : value.to_int("%c");
    if (code < 0 || code > 0x10FFFF) throw Failure{"format: %c needs one character"};
    std::string character;
    append_utf8(character, static_cast<char32_t>(code));
    text_.append(padded(in_, spec, "", Text(character, true), '>'));
  }

  void write_int(Spec& spec, bool from_float) {
    const Value& value = next();
    if (value.is_float() && !from_float) throw Failure{"format: an integer is needed"};
    if (value.is_float() && !(std::fabs(value.to_double()) < 9.2e18)) throw Failure{"format: a number is too large"};
    const int64_t number = value.is_float() ? static_cast<int64_t>(value.to_double()) : value.to_int("format");
    const uint64_t magnitude = number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
    std::string digits = int_digits(magnitude, from_float ? 'd' : spec.type, false);
    const auto precision = static_cast<size_t>(std::max<int64_t>(0, spec.precision));
    if (digits.size() < precision) digits.insert(0, precision - digits.size(), '0');
    std::string sign = sign_of(number < 0, spec.sign);
    if (spec.alternate && !from_float) sign += spec.type == 'o' ? "0o" : spec.type == 'x' ? "0x" : "0X";
    text_.append(padded(in_, spec, sign, digits, '>'));
  }

  Interpreter& in_;
  const Text& format_;
  const Value& arguments_;
  bool is_tuple_ = false;
  size_t n_used_ = 0;
  const Value* named_ = nullptr;
  Text text_;
};

// The value a replacement field names: "", "0", "name", "0.attribute[item]".
Value field_value(Interpreter& in, std::string_view field, const Arguments& a, size_t& n_used) {
  const size_t end = std::min(field.find_first_of(".["), field.size());
  const std::string_view first = field.substr(0, end);
  size_t idx = 0;
  const auto [tail, error] = std::from_chars(first.data(), first.data() + first.size(), idx);
  const bool is_index = error == std::errc() && tail == first.data() + first.size();
  Value value;
  if (first.empty() || is_index) {
    if (first.empty()) idx = n_used++;
    if (idx >= a.positional.size()) throw Failure{"format: not enough arguments"};
    value = a.positional[idx];
  } else {
    const auto found = std::ranges::find(a.named, first, &std::pair<std::string, Value>::first);
    if (found == a.named.end()) throw Failure{"format: an argument is missing"};
    value = found->second;
  }
  for (std::string_view rest = field.substr(end); !rest.empty();) {
    const bool is_item = rest[0] == '[';
    const size_t stop = is_item ? rest.find(']') : std::min(rest.find_first_of(".[", 1), rest.size());
    if (stop == std::string_view::npos || stop < 2) throw Failure{"format: a field is not understood"};
    const std::string part(rest.substr(1, stop - 1));
    if (is_item) {
      int64_t number = 0;
      const auto [last, problem] = std::from_chars(part.data(), part.data() + part.size(), number);
      const bool is_number = problem == std::errc() && last == part.data() + part.size();
      value = in.item_of(value, is_number ? Value(number) : Value(part));
    } else {
      value = in.attribute_of(value, part);
    }
    rest.remove_prefix(stop + (is_item ? 1 : 0));
  }
  return value;
}

}  // namespace

Text format_percent(Interpreter& in, const Text& format, const Value& arguments) {
  in.spend(format.size());
  in.step(format.size() >> 7);
  return PercentFormatter(in, format, arguments).run();
}

Text format_braces(Interpreter& in, const Text& format, const Arguments& a) {
  const std::string_view bytes = format.bytes();
  in.spend(format.size());
  in.step(format.size() >> 5);
  Text text;
  size_t n_used = 0, at = 0;
  bool by_order = false, by_number = false;
  while (at < bytes.size()) {
    in.step();
    const size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
    text.append(format, at, brace - at);
    if (brace == bytes.size()) break;
    if (brace + 1 < bytes.size() && bytes[brace + 1] == bytes[brace]) {
      text.append(format, brace, 1);
      at = brace + 2;
      continue;
    }
    const size_t end = bytes.find('}', brace);
    if (bytes[brace] == '}' || end == std::string_view::npos) throw Failure{"format: a single brace"};
    std::string_view field = bytes.substr(brace + 1, end - brace - 1), spec;
    if (field.find('{') != std::string_view::npos) throw Failure{"format: nested fields are not supported"};
    if (const size_t colon = field.find(':'); colon != std::string_view::npos) {
      spec = field.substr(colon + 1);
      field = field.substr(0, colon);
    }
    char conversion = 0;
    if (const size_t mark = field.find('!'); mark != std::string_view::npos) {
      if (mark + 2 != field.size()) throw Failure{"format: a conversion is not understood"};
      conversion = field[mark + 1];
      field = field.substr(0, mark);
    }
    by_order |= field.empty() || field[0] == '.' || field[0] == '[';
    by_number |= !field.empty() && is_digit(field[0]);
    if (by_order && by_number) throw Failure{"format: numbered and unnumbered fields are mixed"};
    Value value = field_value(in, field, a, n_used);
    if (conversion == 'r') value = repr_of(value, in);
    if (conversion == 's') value = in.str(value);
    if (conversion != 0 && conversion != 'r' && conversion != 's') throw Failure{"format: no such conversion"};
    Text part = format_value(in, value, spec);
    in.spend(part.size());
    text.append(part);
    at = end + 1;
  }
  return text;
}

}  // namespace ogas::jinja
