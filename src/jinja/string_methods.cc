// Methods of strings, as Python's str has them.
#include <fmt/format.h>

#include <algorithm>

#include "base/unicode.h"
#include "jinja/builtins.h"
#include "jinja/spaces.h"

namespace ogas::jinja {
namespace {

constexpr size_t kNowhere = std::string::npos;

const Text& self_text(const Value& self) { return *self.text(); }

// The part of a text between two positions in characters, Python's slice rules applied; bytes.
struct Window {
  size_t begin, end;
  bool is_empty_past_end;  // start lies beyond the text: nothing is found, not even ""
};
Window window_of(const std::string& text, const Bound& a, size_t first) {
  if (!a.given(first) && !a.given(first + 1)) return {0, text.size(), false};
  const auto n = static_cast<int64_t>(count_characters(text));
  const auto clamp = [n](const Value* v, int64_t fallback) {
    if (!v) return fallback;
    const int64_t at = v->to_int("a position");
    return at < 0 ? std::max<int64_t>(0, at + n) : at;
  };
  const int64_t start = clamp(a.given(first), 0), end = std::min(n, clamp(a.given(first + 1), n));
  if (start > n || start > end) return {0, 0, true};
  const size_t begin = byte_of_character(text, static_cast<size_t>(start));
  return {begin, byte_of_character(text, static_cast<size_t>(end)), false};
}

size_t find_within(Interpreter& in, const std::string& text, const std::string& sub, const Window& w, bool last) {
  if (w.is_empty_past_end) return kNowhere;
  const std::string_view part = std::string_view(text).substr(w.begin, w.end - w.begin);
  const size_t found = last ? find_last_bytes(in, part, sub) : find_bytes(part, sub);
  return found == std::string_view::npos ? kNowhere : found + w.begin;
}

Value find(Interpreter& in, const Value& self, const Bound& a, bool last, bool must) {
  const std::string& text = *self.string();
  in.step(text.size() >> 6);
  const size_t found = find_within(in, text, text_of(*a[0], "find").bytes(), window_of(text, a, 1), last);
  if (found == kNowhere && must) throw Failure{"index: the text was not found"};
  return found == kNowhere ? int64_t{-1}
                           : static_cast<int64_t>(count_characters(std::string_view(text).substr(0, found)));
}

Value has_affix(Interpreter& in, const Value& self, const Bound& a, bool at_end) {
  const std::string& text = *self.string();
  if (a.given(1) || a.given(2)) in.step(text.size() >> 6);
  const Window w = window_of(text, a, 1);
  const std::string_view part = std::string_view(text).substr(w.begin, w.end - w.begin);
  const auto matches = [&](const Value& affix) {
    const std::string& bytes = text_of(affix, "startswith or endswith").bytes();
    in.step(1 + (std::min(bytes.size(), part.size()) >> 8));
    return !w.is_empty_past_end && (at_end ? part.ends_with(bytes) : part.starts_with(bytes));
  };
  if (a[0]->list() && a[0]->sequence() == Sequence::tuple) return std::ranges::any_of(*a[0]->list(), matches);
  return matches(*a[0]);
}

class Splitter {
 public:
  Splitter(Interpreter& in, const Value& self) : in_(in), self_(self), text_(self_text(self)) {}

  List by(const std::string& mark, int64_t limit) {
    if (mark.empty()) throw Failure{"split: the separator is empty"};
    size_t at = 0;
    for (; limit != 0; --limit) {
      const size_t found = find_bytes(text_.bytes(), mark, at);
      if (found == kNowhere) break;
      add(at, found);
      at = found + mark.size();
    }
    add(at, text_.size());
    return std::move(parts_);
  }
  List by_from_the_right(const std::string& mark, int64_t limit) {
    if (mark.empty()) throw Failure{"rsplit: the separator is empty"};
    size_t end = text_.size();
    for (; limit != 0; --limit) {
      // Steps for what was searched: the text from where the mark was found.
      const size_t found = end < mark.size() ? kNowhere : text_.bytes().rfind(mark, end - mark.size());
      in_.step(((end - (found == kNowhere ? 0 : found)) * (mark.size() + 16)) >> 10);
      if (found == kNowhere) break;
      add(found + mark.size(), end);
      end = found;
    }
    add(0, end);
    std::ranges::reverse(parts_);
    return std::move(parts_);
  }
  List by_space(int64_t limit) {
    const std::string_view all = text_.bytes();
    for (size_t at = leading_space(all); at < all.size();) {
      if (limit-- == 0) {
        add(at, all.size());  // as Python has it: spaces at the far end stay with the rest
        break;
      }
      size_t end = at;
      while (end < all.size() && leading_space(all.substr(end)) == 0) end += next_utf8(all.substr(end)).length;
      add(at, end);
      at = end + leading_space(all.substr(end));
    }
    return std::move(parts_);
  }
  List by_space_from_the_right(int64_t limit) {
    const std::string_view all = text_.bytes();
    for (size_t end = all.size() - trailing_space(all); end > 0;) {
      if (limit-- == 0) {
        add(0, end);
        break;
      }
      size_t at = end;
      while (at > 0 && trailing_space(all.substr(0, at)) == 0) --at;
      add(at, end);
      end = at - trailing_space(all.substr(0, at));
    }
    std::ranges::reverse(parts_);
    return std::move(parts_);
  }
  List lines(bool keep_ends) {
    const std::string_view all = text_.bytes();
    constexpr std::string_view kEnds[] = {"\r\n", "\n",   "\r",       "\v",           "\f",          "\x1C",
                                          "\x1D", "\x1E", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};
    size_t begin = 0;
    for (size_t at = 0; at < all.size();) {
      const auto* end = std::ranges::find_if(kEnds, [&](std::string_view e) { return all.substr(at).starts_with(e); });
      if (end == std::end(kEnds)) {
        ++at;
        continue;
      }
      add(begin, keep_ends ? at + end->size() : at);
      begin = at += end->size();
    }
    if (begin < all.size()) add(begin, all.size());
    return std::move(parts_);
  }

 private:
  void add(size_t begin, size_t end) {
    in_.step();
    in_.spend(end - begin + sizeof(Value) + 80);
    parts_.push_back(keep_markup(self_, text_.slice(begin, end - begin)));
  }

  Interpreter& in_;
  const Value& self_;
  const Text& text_;
  List parts_;
};

Value split(Interpreter& in, const Value& self, const Bound& a, bool from_right) {
  const int64_t limit = a.number(1, -1);
  in.step(self.string()->size() >> 4);
  Splitter splitter(in, self);
  if (!a.given(0)) return from_right ? splitter.by_space_from_the_right(limit) : splitter.by_space(limit);
  const std::string& mark = text_of(*a[0], "split").bytes();
  return from_right ? splitter.by_from_the_right(mark, limit) : splitter.by(mark, limit);
}

Value partition(Interpreter& in, const Value& self, const Bound& a, bool last) {
  const Text& text = self_text(self);
  const Text& mark = text_of(*a[0], "partition");
  if (mark.size() == 0) throw Failure{"partition: the separator is empty"};
  in.spend(text.size() + 3 * (sizeof(Value) + 80));
  in.step(text.size() >> 6);
  const size_t found = last ? find_last_bytes(in, text.bytes(), mark.bytes()) : find_bytes(text.bytes(), mark.bytes());
  if (found == kNowhere) return Value(last ? List{"", "", self} : List{self, "", ""}, Sequence::tuple);
  const size_t rest = found + mark.size();
  return Value(List{text.slice(0, found), text.slice(found, mark.size()), text.slice(rest, text.size() - rest)},
               Sequence::tuple);
}

Value stripped(Interpreter& in, const Value& self, const Bound& a, bool left, bool right) {
  in.spend(self.string()->size());
  if (a.given(0)) in.step(self.string()->size() >> 4);
  return keep_markup(self, strip(self_text(self), a.given(0), left, right));
}

Value justified(Interpreter& in, const Value& self, const Bound& a, bool left) {
  in.spend(self.string()->size());
  const size_t n = self.length();
  const int64_t width = a.number(0, 0);
  const Text fill = a[1] ? text_of(*a[1], "fill") : Text(" ");
  if (count_characters(fill.bytes()) != 1) throw Failure{"the fill must be one character"};
  if (width <= static_cast<int64_t>(n)) return self;
  const size_t missing = static_cast<size_t>(width) - n;
  in.spend(missing, fill.size());
  Text padding;
  for (size_t idx = 0; idx < missing; ++idx) padding.append(fill);
  Text text = left ? self_text(self) : padding;
  text.append(left ? padding : self_text(self));
  return keep_markup(self, std::move(text));
}

Value zero_filled(Interpreter& in, const Value& self, const Bound& a) {
  in.spend(self.string()->size());
  const size_t n = self.length();
  const int64_t width = a.number(0, 0);
  if (width <= static_cast<int64_t>(n)) return self;
  const size_t missing = static_cast<size_t>(width) - n;
  in.spend(missing);
  const Text& text = self_text(self);
  const size_t sign = text.bytes().starts_with("+") || text.bytes().starts_with("-") ? 1 : 0;
  Text result = text.slice(0, sign);
  result.append(std::string(missing, '0'));
  result.append(text, sign, text.size() - sign);
  return result;
}

Value join(Interpreter& in, const Value& self, const Bound& a) {
  Text text;
  if (a[0]->is_undefined()) return text;
  const List elements = in.elements_of(*a[0]);
  for (size_t idx = 0; idx < elements.size(); ++idx) {
    const Text& part = text_of(elements[idx], "join");
    in.spend(self_text(self).size() + part.size());
    if (idx > 0) text.append(self_text(self));
    text.append(part);
  }
  return keep_markup(self, std::move(text));
}

Value count(Interpreter& in, const Value& self, const Bound& a) {
  const std::string& text = *self.string();
  const std::string& sub = text_of(*a[0], "count").bytes();
  const Window w = window_of(text, a, 1);
  if (w.is_empty_past_end) return int64_t{0};
  in.step(text.size() >> 6);
  const std::string_view part = std::string_view(text).substr(w.begin, w.end - w.begin);
  if (sub.empty()) return static_cast<int64_t>(count_characters(part) + 1);
  int64_t n = 0;
  for (size_t at = find_bytes(part, sub); at != kNowhere; at = find_bytes(part, sub, at + sub.size())) ++n;
  return n;
}

template <bool kUpper>
Value is_in_case(Interpreter& in, const Value& self, const Bound&) {
  in.step(self.string()->size() >> 3);
  return is_cased_as(*self.string(), kUpper);
}

template <CharacterClass kClass>
Value is_of(Interpreter& in, const Value& self, const Bound&) {
  in.step(self.string()->size() >> 3);
  return all_characters(*self.string(), kClass);
}

template <Text (*kChange)(const Text&)>
Value changed(Interpreter& in, const Value& self, const Bound&) {
  in.spend(self.string()->size());
  in.step(self.string()->size() >> 3);
  return keep_markup(self, kChange(self_text(self)));
}

constexpr Builtin kMethods[] = {
    {"strip", "/ chars?",
     [](Interpreter& in, const Value& s, const Bound& a) { return stripped(in, s, a, true, true); }},
    {"lstrip", "/ chars?",
     [](Interpreter& in, const Value& s, const Bound& a) { return stripped(in, s, a, true, false); }},
    {"rstrip", "/ chars?",
     [](Interpreter& in, const Value& s, const Bound& a) { return stripped(in, s, a, false, true); }},
    {"lower", "/", changed<to_lower>},
    {"upper", "/", changed<to_upper>},
    {"title", "/", changed<to_title>},
    {"capitalize", "/", changed<capitalize>},
    {"startswith", "/ prefix start? end?",
     [](Interpreter& in, const Value& s, const Bound& a) { return has_affix(in, s, a, false); }},
    {"endswith", "/ suffix start? end?",
     [](Interpreter& in, const Value& s, const Bound& a) { return has_affix(in, s, a, true); }},
    {"split", "sep? maxsplit?", [](Interpreter& in, const Value& s, const Bound& a) { return split(in, s, a, false); }},
    {"rsplit", "sep? maxsplit?", [](Interpreter& in, const Value& s, const Bound& a) { return split(in, s, a, true); }},
    {"splitlines", "keepends?",
     [](Interpreter& in, const Value& s, const Bound& a) {
       in.step(s.string()->size() >> 5);
       return Value(Splitter(in, s).lines(a.flag(0)));
     }},
    {"partition", "/ sep", [](Interpreter& in, const Value& s, const Bound& a) { return partition(in, s, a, false); }},
    {"rpartition", "/ sep", [](Interpreter& in, const Value& s, const Bound& a) { return partition(in, s, a, true); }},
    {"replace", "/ old new count?",
     [](Interpreter& in, const Value& s, const Bound& a) {
       return keep_markup(
           s, replace(in, self_text(s), text_of(*a[0], "replace"), text_of(*a[1], "replace"), a.number(2, -1)));
     }},
    {"join", "/ iterable", join},
    {"format", "*",
     [](Interpreter& in, const Value& s, const Bound& a) { return Value(format_braces(in, self_text(s), a.all)); }},
    {"find", "/ sub start? end?",
     [](Interpreter& in, const Value& s, const Bound& a) { return find(in, s, a, false, false); }},
    {"rfind", "/ sub start? end?",
     [](Interpreter& in, const Value& s, const Bound& a) { return find(in, s, a, true, false); }},
    {"index", "/ sub start? end?",
     [](Interpreter& in, const Value& s, const Bound& a) { return find(in, s, a, false, true); }},
    {"rindex", "/ sub start? end?",
     [](Interpreter& in, const Value& s, const Bound& a) { return find(in, s, a, true, true); }},
    {"count", "/ sub start? end?", count},
    {"center", "/ width fillchar?",
     [](Interpreter& in, const Value& s, const Bound& a) {
       if (a[1]) throw Failure{"center: another fill is not supported"};
       return keep_markup(s, center(in, self_text(s), a.number(0, 0)));
     }},
    {"ljust", "/ width fillchar?",
     [](Interpreter& in, const Value& s, const Bound& a) { return justified(in, s, a, true); }},
    {"rjust", "/ width fillchar?",
     [](Interpreter& in, const Value& s, const Bound& a) { return justified(in, s, a, false); }},
    {"zfill", "/ width", zero_filled},
    {"isalpha", "/", is_of<CharacterClass::alpha>},
    {"isdigit", "/", is_of<CharacterClass::digit>},
    {"isdecimal", "/", is_of<CharacterClass::decimal>},
    {"isnumeric", "/", is_of<CharacterClass::numeric>},
    {"isalnum", "/", is_of<CharacterClass::alphanumeric>},
    {"isspace", "/",
     [](Interpreter& in, const Value& s, const Bound&) {
       in.step(s.string()->size() >> 5);
       return Value(!s.string()->empty() && leading_space(*s.string()) == s.string()->size());
     }},
    {"isascii", "/",
     [](Interpreter& in, const Value& s, const Bound&) {
       in.step(s.string()->size() >> 6);
       return Value(std::ranges::all_of(*s.string(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
     }},
    {"isupper", "/", is_in_case<true>},
    {"islower", "/", is_in_case<false>},
    {"removeprefix", "/ prefix",
     [](Interpreter& in, const Value& s, const Bound& a) {
       in.spend(s.string()->size());
       const std::string& prefix = text_of(*a[0], "removeprefix").bytes();
       if (!s.string()->starts_with(prefix)) return s;
       return keep_markup(s, self_text(s).slice(prefix.size(), s.string()->size() - prefix.size()));
     }},
    {"removesuffix", "/ suffix",
     [](Interpreter& in, const Value& s, const Bound& a) {
       in.spend(s.string()->size());
       const std::string& suffix = text_of(*a[0], "removesuffix").bytes();
       if (!s.string()->ends_with(suffix)) return s;
       return keep_markup(s, self_text(s).slice(0, s.string()->size() - suffix.size()));
     }},
};

}  // namespace

std::span<const Builtin> string_methods() { return kMethods; }

List split_lines(Interpreter& in, const Value& text) {
  in.step(text.string()->size() >> 5);
  return Splitter(in, text).lines(false);
}

Text strip(const Text& text, const Value* characters, bool left, bool right) {
  std::string_view rest = text.bytes();
  size_t begin = 0;
  if (!characters) {
    if (left) begin = leading_space(rest);
    rest.remove_prefix(begin);
    return text.slice(begin, rest.size() - (right ? trailing_space(rest) : 0));
  }
  const std::string& set = text_of(*characters, "strip").bytes();
  const auto is_in_set = [&](std::string_view c) { return set.find(c) != std::string::npos; };
  while (left && begin < rest.size()) {
    const std::string_view c = rest.substr(begin, next_utf8(rest.substr(begin)).length);
    if (!is_in_set(c)) break;
    begin += c.size();
  }
  size_t end = rest.size();
  while (right && end > begin) {
    size_t start = end - 1;
    while (start > begin && (static_cast<unsigned char>(rest[start]) & 0xC0) == 0x80) --start;
    if (!is_in_set(rest.substr(start, end - start))) break;
    end = start;
  }
  return text.slice(begin, end - begin);
}

Text replace(Interpreter& in, const Text& text, const Text& from, const Text& to, int64_t n) {
  const std::string_view bytes = text.bytes();
  Text result;
  size_t at = 0;
  while (n != 0) {
    const size_t found = from.size() > 0      ? find_bytes(bytes, from.bytes(), at)
                         : at <= bytes.size() ? at
                                              : std::string_view::npos;
    if (found == std::string_view::npos) break;
    const size_t copied = from.size() == 0 && at < bytes.size() ? next_utf8(bytes.substr(at)).length : 0;
    in.spend(found - at + to.size() + copied);
    in.step();
    result.append(text, at, found - at);
    result.append(to);
    result.append(text, found, copied);
    at = from.size() == 0 ? found + std::max<size_t>(copied, 1) : found + from.size();
    --n;
  }
  in.spend(bytes.size());
  if (at < bytes.size()) result.append(text, at, bytes.size() - at);
  return result;
}

Text center(Interpreter& in, const Text& text, int64_t width) {
  in.spend(text.size());
  const auto n = static_cast<int64_t>(count_characters(text.bytes()));
  if (width <= n) return text;
  const auto missing = static_cast<size_t>(width - n);
  in.spend(missing);
  // CPython puts the odd one to the left where both the gap and the width are odd.
  const size_t left = missing / 2 + (missing & static_cast<size_t>(width) & 1);
  Text result(std::string(left, ' '));
  result.append(text);
  result.append(std::string(missing - left, ' '));
  return result;
}

}  // namespace ogas::jinja
