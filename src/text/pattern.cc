#include "text/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

#include "base/check.h"
#include "base/quote.h"
#include "base/unicode.h"
#include "base/unicode_tables.h"

namespace ogas {
namespace {

// White_Space of Unicode, unchanged since 6.3.
constexpr std::string_view kSpaces =
    R"(\t-\r\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kNotSpaces =
    R"(\x00-\x08\x0e-\x1f!-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e})"
    R"(\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff})";

// Turns a pattern into PCRE2's, left to right.
class Rewriter {
 public:
  explicit Rewriter(std::string_view source) : source_(source) {}

  Result<std::string> run() {
    while (at_ < source_.size()) {
      const char c = source_[at_];
      if (c == '\\')
        OGAS_TRY(rewrite_escape());
      else if (in_class_)
        OGAS_TRY(rewrite_in_class(c));
      else if (c == '[')
        open_class();
      else if (c == '(')
        OGAS_TRY(check_group());
      else
        copy(1);
    }
    if (in_class_) return refuse("a class that does not end");
    return std::move(result_);
  }

 private:
  std::string_view rest() const { return source_.substr(at_); }
  void copy(size_t n) {
    result_ += rest().substr(0, n);
    at_ += n;
  }
  std::unexpected<Error> refuse(std::string_view what) const {
    return fail(ErrorCode::unsupported, "pattern {} has {} at byte {}, which ogas does not know", in_quotes(source_),
                what, at_);
  }

  void open_class() {
    in_class_ = true;
    copy(rest().starts_with("[^") ? 2 : 1);
    if (rest().starts_with("]")) copy(1);
  }
  // Oniguruma's classes nest and intersect; PCRE2's do not.
  Result<> rewrite_in_class(char c) {
    if (c == '[') return refuse("a class within a class");
    if (rest().starts_with("&&")) return refuse("an intersection of classes");
    if (c == ']') in_class_ = false;
    copy(1);
    return {};
  }

  Result<> check_group() {
    constexpr std::string_view kKnown[] = {"(?:", "(?i:", "(?i)", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    if (rest().starts_with("(*")) return refuse("'(*'");
    if (rest().starts_with("(?") && std::ranges::none_of(kKnown, [&](auto group) { return rest().starts_with(group); }))
      return refuse("a group of an unknown kind");
    copy(1);
    return {};
  }

  void put_class(std::string_view items, bool negated) {
    if (in_class_)
      result_ += items;
    else
      result_ += fmt::format("[{}{}]", negated ? "^" : "", items);
  }

  Result<> rewrite_escape() {
    if (rest().size() < 2) return refuse("a '\\' at the end");
    const char c = rest()[1];
    if (c == 'p' || c == 'P') return rewrite_property(c == 'P');
    if (c == 's' || c == 'S') {
      put_class(c == 'S' && in_class_ ? kNotSpaces : kSpaces, c == 'S');
    } else if (c == 'd' || c == 'w') {
      put_class(c == 'd' ? items_of("Nd") : items_of("L") + items_of("M") + items_of("N") + items_of("Pc"), false);
    } else if ((c == 'D' || c == 'W') && !in_class_) {
      put_class(c == 'D' ? items_of("Nd") : items_of("L") + items_of("M") + items_of("N") + items_of("Pc"), true);
    } else {
      const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (is_letter && std::string_view("rntfax").find(c) == std::string_view::npos)
        return refuse(fmt::format("'\\{}'", c));
      // Oniguruma lets any character be escaped; PCRE2 only ASCII ones.
      if (static_cast<unsigned char>(c) >= 0x80) ++at_;
      copy(static_cast<unsigned char>(c) >= 0x80 ? 1 : 2);
      return {};
    }
    at_ += 2;
    return {};
  }

  // \p{Lu}, \p{^Lu}, \PL
  Result<> rewrite_property(bool negated) {
    const size_t start = at_ + 2;
    std::string_view name = source_.substr(start, 1);
    size_t end = start + 1;
    if (name == "{") {
      const size_t brace = source_.find('}', start);
      if (brace == std::string_view::npos) return refuse("a property without '}'");
      name = source_.substr(start + 1, brace - start - 1);
      end = brace + 1;
    }
    if (name.starts_with("^")) {
      negated = !negated;
      name.remove_prefix(1);
    }
    const bool sane = !name.empty() && name.size() <= 40 && std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    });
    if (!sane) return refuse("a property without a name");
    // A negated property within a class cannot be narrowed there: it stays what PCRE2 takes for it.
    if (negated && in_class_)
      result_ += fmt::format("\\P{{{}}}", name);
    else
      put_class(items_of(name), negated);
    at_ = end;
    return {};
  }

  // A property as items of a character class: PCRE2's own, and what is newer than PCRE2's Unicode.
  static std::string items_of(std::string_view name) {
    // The script itself, where PCRE2 takes what is used with it, too; and blocks of Unicode 15.
    if (name == "Han") return R"(\p{sc:Han}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})";
    std::string items = fmt::format("\\p{{{}}}", name);
    if (name.size() > 2) return items;
    for (const CategoryRange& range : kSinceUnicode14)
      if (std::string_view(range.category).starts_with(name))
        items += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<uint32_t>(range.first),
                             static_cast<uint32_t>(range.last));
    return items;
  }

  std::string_view source_;
  size_t at_ = 0;
  bool in_class_ = false;
  std::string result_;
};

std::string message_of(int error) {
  PCRE2_UCHAR text[200] = {};
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

Result<std::string> rewrite_pattern(std::string_view source) { return Rewriter(source).run(); }

std::string pattern_of_text(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

void Pattern::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }
void Pattern::Matcher::Free::operator()(pcre2_real_match_data_8* data) const { pcre2_match_data_free(data); }

Result<Pattern> Pattern::compile(std::string_view source) {
  constexpr size_t kMaxBytes = 1U << 16;  // many times the longest known
  if (source.size() > kMaxBytes)
    return fail(ErrorCode::bad_file, "a pattern has {} bytes; at most {} are expected", source.size(), kMaxBytes);
  const std::string text = OGAS_TRY(rewrite_pattern(source));
  int error = 0;
  PCRE2_SIZE offset = 0;
  Pattern pattern;
  pattern.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset,
                                    nullptr));
  if (!pattern.code_)
    return fail(ErrorCode::bad_file, "pattern {} is not a valid regular expression: {}", in_quotes(source),
                message_of(error));
  pcre2_jit_compile(pattern.code_.get(), PCRE2_JIT_COMPLETE);  // without JIT the interpreter gives the same matches
  return pattern;
}

Pattern::Matcher::Matcher(const Pattern& pattern)
    : code_(pattern.code_.get()), data_(pcre2_match_data_create(1, nullptr)) {
  OGAS_CHECK(data_, "out of memory");
}

bool Pattern::Matcher::find(std::string_view text, size_t from, size_t& begin, size_t& end) {
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  int n = pcre2_jit_match(code_, subject, text.size(), from, PCRE2_NO_UTF_CHECK, data_.get(), nullptr);
  // The machine code has 32 KiB of stack; the interpreter takes what it needs.
  if (n == PCRE2_ERROR_JIT_STACKLIMIT || n == PCRE2_ERROR_JIT_BADOPTION)
    n = pcre2_match(code_, subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data_.get(), nullptr);
  if (n < 0) return false;
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data_.get());
  begin = range[0];
  end = range[1];
  return begin >= from && end >= begin;
}

}  // namespace ogas
