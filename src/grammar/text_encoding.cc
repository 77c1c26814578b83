#include "grammar/text_encoding.h"

#include <algorithm>
#include <span>

#include "base/unicode.h"
#include "grammar/digit_range.h"

namespace ogas::grammar {
namespace {

constexpr std::string_view kShortEscapes = "\b\t\n\f\r\"\\";
constexpr std::string_view kShortEscapeLetters = "btnfr\"\\";

bool must_escape(char32_t c) { return c < 0x20 || c == '"' || c == '\\'; }

std::vector<uint32_t> utf8_bytes(char32_t c) {
  std::string text;
  append_utf8(text, c);
  std::vector<uint32_t> bytes;
  for (const char byte : text) bytes.push_back(static_cast<uint8_t>(byte));
  return bytes;
}

ByteSet hex_digits(uint32_t first, uint32_t last) {
  ByteSet set;
  for (uint32_t digit = first; digit <= last; ++digit) {
    set.add(static_cast<uint8_t>("0123456789abcdef"[digit]));
    set.add(static_cast<uint8_t>("0123456789ABCDEF"[digit]));
  }
  return set;
}

}  // namespace

std::u32string decode_utf8(std::string_view text) {
  std::u32string result;
  while (!text.empty()) {
    const Utf8Step step = next_utf8(text);
    result += step.kind == Utf8Kind::valid ? step.code_point : U'\uFFFD';
    text.remove_prefix(step.length);
  }
  return result;
}

TextEncoding::TextEncoding(Regexes& regexes, Kind kind) : regexes_(regexes), kind_(kind) {
  any_character_ = characters(CodePoints::all());
  universe_ = regexes_.repeat(any_character_, 0);
  regexes_.set_text_universe(static_cast<unsigned>(kind_), universe_);
}

NodeId TextEncoding::characters(const CodePoints& set) {
  if (const auto found = known_.find(set); found != known_.end()) return found->second;
  constexpr CharacterRange kLengths[] = {{0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xFFFF}, {0x10000, 0x10FFFF}};
  std::vector<NodeId> parts;
  for (const CharacterRange& length : kLengths) {
    const CodePoints of_length = set.intersection(length.first, length.last);
    for (const CharacterRange& range : of_length.ranges()) {
      if (kind_ == Kind::utf8) {
        parts.push_back(utf8(range));
        continue;
      }
      CodePoints raw = {{range.first, range.last}};
      CodePoints escaped{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
      CodePoints outside = raw.complement();
      outside.add(escaped);
      outside.normalize();
      const CodePoints inside = outside.complement();
      for (const CharacterRange& each : inside.ranges()) parts.push_back(utf8(each));
      parts.push_back(escapes(range));
    }
  }
  const NodeId node = regexes_.alternative(std::move(parts));
  if (node != kNothing) regexes_.mark_text(static_cast<unsigned>(kind_), node);
  known_.emplace(set, node);
  return node;
}

// All characters of the range have the same number of bytes.
NodeId TextEncoding::utf8(CharacterRange range) {
  const auto node_of = [&](size_t, uint32_t first, uint32_t last) {
    return regexes_.bytes(ByteSet::range(static_cast<uint8_t>(first), static_cast<uint8_t>(last)));
  };
  return digit_range(regexes_, utf8_bytes(range.first), utf8_bytes(range.last), 0x80, 0xBF, node_of);
}

NodeId TextEncoding::escapes(CharacterRange range) {
  const NodeId backslash = regexes_.byte('\\');
  std::vector<NodeId> parts;
  ByteSet letters;
  if (range.first < 0x80) {
    for (size_t idx = 0; idx < kShortEscapes.size(); ++idx) {
      const auto c = static_cast<char32_t>(kShortEscapes[idx]);
      if (range.first <= c && c <= range.last) letters.add(static_cast<uint8_t>(kShortEscapeLetters[idx]));
    }
    parts.push_back(regexes_.bytes(letters));
    for (char32_t c = range.first; c <= std::min<char32_t>(range.last, 0x1F); ++c)
      if (kShortEscapes.find(static_cast<char>(c)) == std::string_view::npos)
        parts.push_back(regexes_.concat(regexes_.byte('u'), hex_range(c, c)));
  } else if (range.first < 0x10000) {
    parts.push_back(regexes_.concat(regexes_.byte('u'), hex_range(range.first, range.last)));
  } else {
    parts.push_back(surrogate_pairs(range));
  }
  return regexes_.concat(backslash, regexes_.alternative(std::move(parts)));
}

// Four hexadecimal digits.
NodeId TextEncoding::hex_range(uint32_t first, uint32_t last) {
  const auto digits = [](uint32_t value) {
    return std::vector<uint32_t>{value >> 12, (value >> 8) & 15, (value >> 4) & 15, value & 15};
  };
  const auto node_of = [&](size_t, uint32_t from, uint32_t to) { return regexes_.bytes(hex_digits(from, to)); };
  return digit_range(regexes_, digits(first), digits(last), 0, 15, node_of);
}

// "uXXXX\uXXXX": the first backslash is before it.
NodeId TextEncoding::surrogate_pairs(CharacterRange range) {
  const auto halves = [](char32_t c) {
    return std::vector<uint32_t>{0xD800 + ((c - 0x10000) >> 10), 0xDC00 + ((c - 0x10000) & 0x3FF)};
  };
  const auto node_of = [&](size_t position, uint32_t from, uint32_t to) {
    return regexes_.concat(regexes_.literal(position == 0 ? "u" : "\\u"), hex_range(from, to));
  };
  return digit_range(regexes_, halves(range.first), halves(range.last), 0xDC00, 0xDFFF, node_of);
}

NodeId TextEncoding::free_text() {
  if (kind_ == Kind::utf8) return universe_;
  const NodeId unit = regexes_.alternative({hex_range(0, 0xD7FF), hex_range(0xE000, 0xFFFF)});
  const NodeId pair = regexes_.concat({hex_range(0xD800, 0xDBFF), regexes_.literal("\\u"), hex_range(0xDC00, 0xDFFF)});
  const NodeId escape = regexes_.alternative({regexes_.bytes(ByteSet::of({'"', '\\', '/', 'b', 'f', 'n', 'r', 't'})),
                                              regexes_.concat(regexes_.byte('u'), regexes_.alternative(unit, pair))});
  return regexes_.repeat(regexes_.alternative(any_character_, regexes_.concat(regexes_.byte('\\'), escape)), 0);
}

NodeId TextEncoding::all_but(NodeId texts) {
  if (texts == kNothing) return universe_;
  if (texts == universe_) return kNothing;
  return regexes_.intersection(universe_, regexes_.complement(texts));
}

NodeId TextEncoding::text(std::u32string_view text, NodeId tail) {
  for (size_t idx = text.size(); idx-- > 0;) tail = regexes_.concat(character(text[idx]), tail);
  return tail;
}

NodeId TextEncoding::texts(const std::vector<std::u32string>& texts) {
  std::vector<TextWithTail> with_tails;
  for (const auto& text : texts) with_tails.push_back({text, kEmpty});
  return this->texts(std::move(with_tails));
}

NodeId TextEncoding::texts(std::vector<TextWithTail> texts) {
  std::ranges::sort(texts, {}, &TextWithTail::text);
  const NodeId node = trie(texts, 0);
  return node;
}

// texts are in order and share their first `depth` characters.
NodeId TextEncoding::trie(std::span<const TextWithTail> texts, size_t depth) {
  if (texts.empty()) return kNothing;
  if (texts.size() == 1) return text(std::u32string_view(texts[0].text).substr(depth), texts[0].tail);
  std::vector<NodeId> parts;
  std::vector<Edge> edges;
  size_t begin = 0;
  for (; begin < texts.size() && texts[begin].text.size() == depth; ++begin) parts.push_back(texts[begin].tail);
  while (begin < texts.size()) {
    const char32_t c = texts[begin].text[depth];
    size_t end = begin;
    while (end < texts.size() && texts[end].text[depth] == c) ++end;
    // What all of them share is taken in one go: long texts must not cost depth of recursion.
    const auto group = texts.subspan(begin, end - begin);
    const std::u32string_view first = group.front().text, last = group.back().text;
    const auto shared = static_cast<size_t>(std::ranges::mismatch(first, last).in1 - first.begin());
    NodeId node = text(first.substr(depth + 1, shared - depth - 1), trie(group, shared));
    if (c < 0x80 && !(kind_ == Kind::json_string && must_escape(c))) {
      edges.push_back({static_cast<uint8_t>(c), node});
    } else {
      parts.push_back(regexes_.concat(character(c), node));
    }
    begin = end;
  }
  parts.push_back(regexes_.branch(edges));
  return regexes_.alternative(std::move(parts));
}

std::string TextEncoding::spell(std::u32string_view text) const {
  std::string result;
  for (const char32_t c : text) {
    if (kind_ == Kind::utf8 || !must_escape(c)) {
      append_utf8(result, c);
    } else if (const size_t at = kShortEscapes.find(static_cast<char>(c)); at != std::string_view::npos) {
      result += '\\';
      result += kShortEscapeLetters[at];
    } else {
      result += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    }
  }
  return result;
}

}  // namespace ogas::grammar
