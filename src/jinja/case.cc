// Upper and lower case as Python's str methods have it, by Unicode.
#include <utf8proc.h>

#include <algorithm>

#include "base/unicode.h"
#include "jinja/builtins.h"
#include "jinja/spaces.h"

namespace ogas::jinja {
namespace {

utf8proc_category_t category_of(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

// ASCII is most of what there is, and its letters take no table.
bool is_between(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

char32_t lower_of(char32_t c) {
  if (c < 0x80) return is_between(c, 'A', 'Z') ? c + 0x20 : c;
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}
char32_t upper_of(char32_t c) {
  if (c < 0x80) return is_between(c, 'a', 'z') ? c - 0x20 : c;
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c)));
}
char32_t title_of(char32_t c) {
  return c < 0x80 ? upper_of(c) : static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c)));
}

bool is_cased(char32_t c) {
  if (c < 0x80) return is_between(c | 0x20, 'a', 'z');
  const auto category = category_of(c);
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT ||
         lower_of(c) != c || upper_of(c) != c;
}

// Letters whose capital is several (Unicode's SpecialCasing.txt), those that texts have.
struct Special {
  char32_t c;
  std::string_view upper, title;
};
constexpr Special kSpecial[] = {
    {0xDF, "SS", "Ss"},
    {0x149, "\u02BCN", "\u02BCN"},
    {0x1F0, "J\u030C", "J\u030C"},
    {0xFB00, "FF", "Ff"},
    {0xFB01, "FI", "Fi"},
    {0xFB02, "FL", "Fl"},
    {0xFB03, "FFI", "Ffi"},
    {0xFB04, "FFL", "Ffl"},
    {0xFB05, "ST", "St"},
    {0xFB06, "ST", "St"},
    {0x587, "\u0535\u0552", "\u0535\u0582"},
    {0x390, "\u0399\u0308\u0301", "\u0399\u0308\u0301"},
    {0x3B0, "\u03A5\u0308\u0301", "\u03A5\u0308\u0301"},
};

enum class Case { lower, upper, title };

void append_as(std::string& out, char32_t c, Case to, bool ends_word) {
  if (to == Case::lower) {
    if (c == 0x130) {
      out += "i\u0307";
      return;
    }
    return append_utf8(out, c == 0x3A3 && ends_word ? 0x3C2 : lower_of(c));
  }
  const auto* special = c < 0x80 ? std::end(kSpecial) : std::ranges::find(kSpecial, c, &Special::c);
  if (special != std::end(kSpecial))
    out += to == Case::upper ? special->upper : special->title;
  else
    append_utf8(out, to == Case::upper ? upper_of(c) : title_of(c));
}

// What does not end or start a word for the form of a sigma: marks, apostrophes and the like.
bool is_case_ignorable(char32_t c) {
  if (c < 0x80) return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`';
  const auto category = category_of(c);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_LM || category == UTF8PROC_CATEGORY_SK || c == 0xB7 || c == 0x2018 ||
         c == 0x2019 || c == 0x2024 || c == 0x2027;
}

bool goes_on_cased(std::string_view rest) {
  for (; !rest.empty(); rest.remove_prefix(next_utf8(rest).length)) {
    const char32_t c = next_utf8(rest).code_point;
    if (!is_case_ignorable(c)) return is_cased(c);
  }
  return false;
}

// Each character in the case that choose(the character before, or 0) asks for. by_word: what follows a capital is a
// string of its own for the form of a sigma.
template <class Choose>
Text recased(const Text& text, const Choose& choose, bool by_word = false) {
  Text result;
  char32_t before = 0;
  bool follows_cased = false;
  std::string_view rest = text.bytes();
  text.for_each_run([&](std::string_view run, bool is_input) {
    std::string changed;
    for (size_t at = 0; at < run.size();) {
      const Utf8Step step = next_utf8(rest);
      at += step.length;
      const std::string_view character = rest.substr(0, step.length);
      rest.remove_prefix(step.length);
      const char32_t c = step.kind == Utf8Kind::valid ? step.code_point : 0xFFFD;
      const Case to = choose(before);
      if (step.kind != Utf8Kind::valid)
        changed += character;
      else
        append_as(changed, c, to, c == 0x3A3 && follows_cased && !goes_on_cased(rest));
      if (!is_case_ignorable(c)) follows_cased = is_cased(c);
      if (by_word && to == Case::upper) follows_cased = false;
      before = c;
    }
    result.append(changed, is_input);
  });
  return result;
}

}  // namespace

Text to_lower(const Text& text) {
  return recased(text, [](char32_t) { return Case::lower; });
}
Text to_upper(const Text& text) {
  return recased(text, [](char32_t) { return Case::upper; });
}
Text capitalize(const Text& text) {
  return recased(text, [](char32_t before) { return before == 0 ? Case::title : Case::lower; });
}
Text to_title(const Text& text) {
  return recased(text, [](char32_t before) { return is_cased(before) ? Case::lower : Case::title; });
}
// Words start after white space, opening brackets and '-'.
Text title_words(const Text& text) {
  return recased(
      text,
      [](char32_t before) {
        std::string character;
        append_utf8(character, before);
        const bool divides = before == 0 || leading_space(character) > 0 ||
                             (before < 0x80 && std::string_view("-({[<").find(character) != std::string_view::npos);
        return divides ? Case::upper : Case::lower;
      },
      /*by_word=*/true);
}

bool is_cased_as(std::string_view text, bool upper) {
  bool has_cased = false;
  for (; !text.empty(); text.remove_prefix(next_utf8(text).length)) {
    const Utf8Step step = next_utf8(text);
    if (step.kind != Utf8Kind::valid) continue;
    const auto category = category_of(step.code_point);
    const bool is_upper = category == UTF8PROC_CATEGORY_LU, is_lower = category == UTF8PROC_CATEGORY_LL;
    if (category == UTF8PROC_CATEGORY_LT || (upper ? is_lower : is_upper)) return false;
    has_cased |= upper ? is_upper : is_lower;
  }
  return has_cased;
}

bool all_characters(std::string_view text, CharacterClass which) {
  if (text.empty()) return false;
  for (; !text.empty(); text.remove_prefix(next_utf8(text).length)) {
    const Utf8Step step = next_utf8(text);
    const char32_t c = step.kind == Utf8Kind::valid ? step.code_point : 0xFFFD;
    const auto category = category_of(c);
    const bool is_alpha = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
    const bool is_decimal = category == UTF8PROC_CATEGORY_ND;
    const bool is_digit = is_decimal || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
                          (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468);
    const bool is_numeric = is_digit || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
    const bool holds = which == CharacterClass::alpha     ? is_alpha
                       : which == CharacterClass::decimal ? is_decimal
                       : which == CharacterClass::digit   ? is_digit
                       : which == CharacterClass::numeric ? is_numeric
                                                          : is_alpha || is_numeric;
    if (!holds) return false;
  }
  return true;
}

}  // namespace ogas::jinja
