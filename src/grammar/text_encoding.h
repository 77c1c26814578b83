// How characters are written: as UTF-8, or as UTF-8 within a JSON string.
//
// In a JSON string each character has these spellings, and no others: itself, unless it must be escaped; the short
// escape of those that must (\" \\ \n ...), or \u00XX where there is none; and for characters beyond ASCII \uXXXX, too,
// in one or two parts. So a text's spellings are known, and what is excluded stays excluded however it is written.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/code_points.h"
#include "grammar/regex.h"

namespace ogas::grammar {

// A text, and what follows it.
struct TextWithTail {
  std::u32string text;
  NodeId tail;
};

class TextEncoding {
 public:
  enum class Kind { utf8, json_string };
  TextEncoding(Regexes& regexes, Kind kind);

  NodeId characters(const CodePoints& set);
  NodeId character(char32_t c) { return characters({{c, c}}); }
  NodeId any_character() const { return any_character_; }
  // Every text.
  NodeId universe() const { return universe_; }
  // The universe without those in `texts`, which must be in it.
  NodeId all_but(NodeId texts);
  NodeId text(std::u32string_view text, NodeId tail = kEmpty);
  // One of several texts, each with its tail.
  NodeId texts(std::vector<TextWithTail> texts);
  // One of these texts.
  NodeId texts(const std::vector<std::u32string>& texts);
  // One spelling of a text.
  std::string spell(std::u32string_view text) const;
  // Every text, of JSON strings also with escapes that no constraint could see through.
  NodeId free_text();

  Regexes& regexes() { return regexes_; }

 private:
  NodeId utf8(CharacterRange range);
  NodeId escapes(CharacterRange range);
  NodeId hex_range(uint32_t first, uint32_t last);
  NodeId surrogate_pairs(CharacterRange range);
  NodeId trie(std::span<const TextWithTail> texts, size_t depth);

  Regexes& regexes_;
  Kind kind_;
  std::map<CodePoints, NodeId> known_;
  NodeId any_character_ = kNothing, universe_ = kNothing;
};

// UTF-8 to characters; bytes that are not UTF-8 become U+FFFD.
std::u32string decode_utf8(std::string_view text);

}  // namespace ogas::grammar
