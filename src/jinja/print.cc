// How values print: Python's str(), repr() and json.dumps().
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/unicode.h"
#include "jinja/value.h"

namespace ogas::jinja {
namespace {

// Python's str.isprintable() of one character.
bool is_printable(char32_t c) {
  if (c == ' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
  }
}

// The bytes a text begins with for which holds(char) is true.
template <class Holds>
std::string_view take_while(std::string_view text, const Holds& holds) {
  size_t n = 0;
  while (n < text.size() && holds(text[n])) ++n;
  return text.substr(0, n);
}

std::string escape_for_repr(std::string_view text, char quote) {
  std::string result;
  while (!text.empty()) {
    const auto plain = take_while(text, [quote](char c) { return c >= ' ' && c < 0x7F && c != quote && c != '\\'; });
    result += plain;
    text.remove_prefix(plain.size());
    if (text.empty()) break;
    const Utf8Step step = next_utf8(text);
    const std::string_view character = text.substr(0, step.length);
    text.remove_prefix(step.length);
    const char c = character[0];
    const auto code = static_cast<uint32_t>(step.kind == Utf8Kind::valid ? step.code_point : 0xFFFD);
    if (c == quote || c == '\\')
      result += {'\\', c};
    else if (c == '\n')
      result += "\\n";
    else if (c == '\r')
      result += "\\r";
    else if (c == '\t')
      result += "\\t";
    else if (is_printable(code))
      result += character;
    else if (code < 0x100)
      result += fmt::format("\\x{:02x}", code);
    else
      result += code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
  }
  return result;
}

Text repr_of_text(const Text& text) {
  const bool has_single = text.bytes().find('\'') != std::string::npos;
  const char quote = has_single && text.bytes().find('"') == std::string::npos ? '"' : '\'';
  Text result(std::string(1, quote));
  result.append(text.mapped([quote](std::string_view run) { return escape_for_repr(run, quote); }));
  result.append(std::string_view(&quote, 1));
  return result;
}

class ReprWriter {
 public:
  explicit ReprWriter(Budget& budget) : budget_(budget) {}

  void write(const Value& value) {
    budget_.step();
    if (const Text* text = value.text()) {
      budget_.spend(text->size());
      budget_.step(text->size() >> 4);
      if (value.is_markup()) out.append("Markup(");
      const Text escaped = repr_of_text(*text);
      budget_.spend(escaped.size());
      budget_.step((escaped.size() - text->size()) >> 3);
      out.append(escaped);
      if (value.is_markup()) out.append(")");
    } else if (value.list()) {
      write_list(value);
    } else if (const Dict* dict = value.dict()) {
      out.append("{");
      for (size_t idx = 0; idx < dict->items.size(); ++idx) {
        if (idx > 0) out.append(", ");
        write(dict->items[idx].first);
        out.append(": ");
        write(dict->items[idx].second);
      }
      out.append("}");
    } else {
      out.append(plain(value));
    }
    budget_.spend(8);
  }

  Text out;

 private:
  static std::string plain(const Value& value) {
    if (value.is_none()) return "None";
    if (value.is_undefined()) return "Undefined";
    if (value.is_bool()) return value.truthy() ? "True" : "False";
    if (value.is_int()) return fmt::format("{}", value.to_int(""));
    if (value.is_float()) return repr_of(value.to_double());
    if (const LoopState* loop = value.loop())
      return fmt::format("<LoopContext {}/{}>", loop->idx + 1, loop->elements->size());
    if (const Callable* callable = value.callable(); callable && !callable->shown.empty()) return callable->shown;
    // Python prints an address, which no text for a model can mean.
    throw Failure{fmt::format("a value of type {} cannot be printed", value.type_name())};
  }

  void write_list(const Value& value) {
    constexpr std::pair<std::string_view, std::string_view> kBrackets[] = {
        {"[", "]"}, {"(", ")"}, {"", ""}, {"dict_keys([", "])"}, {"dict_values([", "])"}, {"dict_items([", "])"}};
    const List& list = *value.list();
    if (value.sequence() == Sequence::range) {
      const auto& [start, stop, step] = value.elements()->range;
      return out.append(step == 1 ? fmt::format("range({}, {})", start, stop)
                                  : fmt::format("range({}, {}, {})", start, stop, step));
    }
    const auto& [open, close] = kBrackets[static_cast<size_t>(value.sequence())];
    out.append(open);
    for (size_t idx = 0; idx < list.size(); ++idx) {
      if (idx > 0) out.append(", ");
      write(list[idx]);
    }
    if (value.sequence() == Sequence::tuple && list.size() == 1) out.append(",");
    out.append(close);
  }

  Budget& budget_;
};

// Everything beyond ASCII as UTF-16 code units, which is how JSON escapes it.
std::string escape_beyond_ascii(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto plain = take_while(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    result += plain;
    text.remove_prefix(plain.size());
    if (text.empty()) break;
    const Utf8Step step = next_utf8(text);
    auto c = static_cast<uint32_t>(step.kind == Utf8Kind::valid ? step.code_point : 0xFFFD);
    if (c < 0x10000)
      result += fmt::format("\\u{:04x}", c);
    else
      result += fmt::format("\\u{:04x}\\u{:04x}", 0xD7C0 + (c >> 10), 0xDC00 + (c & 0x3FF));
    text.remove_prefix(step.length);
  }
  return result;
}

std::string escape_for_json(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto plain =
        take_while(text, [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != '"' && c != '\\'; });
    result += plain;
    text.remove_prefix(plain.size());
    if (text.empty()) break;
    const char c = text[0];
    text.remove_prefix(1);
    switch (c) {
      case '"': result += "\\\""; break;
      case '\\': result += "\\\\"; break;
      case '\n': result += "\\n"; break;
      case '\r': result += "\\r"; break;
      case '\t': result += "\\t"; break;
      case '\b': result += "\\b"; break;
      case '\f': result += "\\f"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          result += fmt::format("\\u{:04x}", static_cast<int>(c));
        else
          result += c;
    }
  }
  return result;
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}

  void write(const Value& value, size_t depth) {
    budget_.step();
    budget_.spend(8);
    if (const Text* text = value.text()) return write_string(*text);
    if (value.list() && value.sequence() <= Sequence::tuple) return write_list(*value.list(), depth);
    if (const auto* dict = value.dict()) return write_dict(*dict, depth);
    out.append(plain(value));
  }

  Text out;

 private:
  static std::string plain(const Value& value) {
    if (value.is_none()) return "null";
    if (value.is_bool()) return value.truthy() ? "true" : "false";
    if (value.is_int()) return fmt::format("{}", value.to_int(""));
    if (!value.is_float()) throw Failure{fmt::format("tojson: a value of type {} is not JSON", value.type_name())};
    const double number = value.to_double();
    if (std::isnan(number)) return "NaN";
    return std::isinf(number) ? (number > 0 ? "Infinity" : "-Infinity") : repr_of(number);
  }

  void write_string(const Text& text) {
    budget_.spend(text.size());
    budget_.step(text.size() >> 6);
    const Text escaped = text.mapped([&](std::string_view run) {
      std::string shown = escape_for_json(run);
      return style_.ensure_ascii ? escape_beyond_ascii(shown) : shown;
    });
    budget_.spend(escaped.size());
    budget_.step((escaped.size() - text.size()) >> 4);
    out.append("\"");
    out.append(escaped);
    out.append("\"");
  }

  void write_list(const List& list, size_t depth) {
    out.append("[");
    for (size_t idx = 0; idx < list.size(); ++idx) {
      separate(idx, depth + 1);
      write(list[idx], depth + 1);
    }
    if (!list.empty()) break_line(depth);
    out.append("]");
  }

  void write_dict(const Dict& dict, size_t depth) {
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (style_.sort_keys)
      std::ranges::stable_sort(items, [&](const auto* a, const auto* b) { return a->first.less(b->first, budget_); });
    out.append("{");
    for (size_t idx = 0; idx < items.size(); ++idx) {
      const auto& [key, value] = *items[idx];
      separate(idx, depth + 1);
      if (key.text())
        write_string(*key.text());
      else if (key.is_none() || key.is_number())
        write_string(Text(plain(key)));
      else
        throw Failure{fmt::format("tojson: a key of type {} is not JSON", key.type_name())};
      budget_.spend(style_.key_separator.size());
      out.append(style_.key_separator);
      write(value, depth + 1);
    }
    if (!items.empty()) break_line(depth);
    out.append("}");
  }

  void separate(size_t idx, size_t depth) {
    budget_.spend(style_.item_separator.size());
    if (idx > 0) out.append(style_.item_separator);
    break_line(depth);
  }

  void break_line(size_t depth) {
    if (style_.indent < 0) return;
    out.append("\n");
    const size_t width = style_.margin.size() == 0 ? static_cast<size_t>(style_.indent) : style_.margin.size();
    budget_.spend(depth, width);
    if (style_.margin.size() == 0) return out.append(std::string(depth * width, ' '));
    for (size_t idx = 0; idx < depth; ++idx) out.append(style_.margin);
  }

  const JsonStyle& style_;
  Budget& budget_;
};

}  // namespace

std::string repr_of(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // The shortest digits that read back the same, in Python's choice of notation.
  const double magnitude = std::fabs(value);
  const bool scientific = magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16);
  char buffer[400];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value,
                                    scientific ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(buffer, result.ptr);
  if (!scientific && text.find('.') == std::string::npos) text += ".0";
  return text;
}

Text str_of(const Value& value, Budget& budget) {
  if (value.is_undefined()) return {};
  if (const Text* text = value.text()) return *text;
  return repr_of(value, budget);
}

Text repr_of(const Value& value, Budget& budget) {
  ReprWriter writer(budget);
  writer.write(value);
  return std::move(writer.out);
}

Text to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  writer.write(value, 0);
  return std::move(writer.out);
}

}  // namespace ogas::jinja
