#include "grammar/character_classes.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <utility>

namespace ogas::grammar {
namespace {

CodePoints spaces() {
  return {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
          {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
}

// Long names of general categories.
constexpr std::array<std::pair<std::string_view, std::string_view>, 38> kCategories = {{
    {"Letter", "L"},
    {"Cased_Letter", "LC"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"Format", "Cf"},
    {"Unassigned", "Cn"},
}};

bool is_category(std::string_view name) {
  return std::ranges::any_of(kCategories, [name](const auto& each) { return each.second == name; });
}

bool in_category(std::string_view category, std::string_view wanted) {
  if (wanted == "LC") return category == "Lu" || category == "Ll" || category == "Lt";
  return category.starts_with(wanted);
}

}  // namespace

std::optional<CodePoints> named_class(char letter) {
  const CodePoints digits = {{'0', '9'}}, words = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  switch (letter) {
    case 'd': return digits;
    case 'D': return digits.complement();
    case 'w': return words;
    case 'W': return words.complement();
    case 's': return spaces();
    case 'S': return spaces().complement();
    default: return std::nullopt;
  }
}

CodePoints any_but_line_ends() { return CodePoints{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}.complement(); }

std::optional<CodePoints> category_class(std::string_view name) {
  if (name == "Any") return CodePoints::all();
  if (name == "ASCII") return CodePoints{{0, 0x7F}};
  for (const std::string_view prefix : {"General_Category=", "gc="})
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  const auto found = std::ranges::find(kCategories, name, &std::pair<std::string_view, std::string_view>::first);
  const std::string_view wanted = found != kCategories.end() ? found->second : name;
  if (!is_category(wanted)) return std::nullopt;
  CodePoints result;
  for (char32_t c = 0; c <= 0x10FFFF; ++c)
    if (in_category(utf8proc_category_string(static_cast<utf8proc_int32_t>(c)), wanted)) result.add(c, c);
  result.normalize();
  return result;
}

}  // namespace ogas::grammar
