// A set of Unicode characters: ranges in order that do not touch. Surrogates are never in one.
#pragma once

#include <vector>

namespace ogas::grammar {

struct CharacterRange {
  char32_t first, last;
  bool operator==(const CharacterRange&) const = default;
  auto operator<=>(const CharacterRange&) const = default;
};

class CodePoints {
 public:
  CodePoints() = default;
  CodePoints(std::initializer_list<CharacterRange> ranges) {
    for (const auto& range : ranges) ranges_.push_back(range);
    normalize();
  }
  static CodePoints all() { return {{0, 0x10FFFF}}; }

  void add(char32_t first, char32_t last) { ranges_.push_back({first, last}); }
  void add(const CodePoints& other) { ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end()); }
  // To be called once all is added.
  void normalize();
  CodePoints complement() const;
  CodePoints intersection(char32_t first, char32_t last) const;
  bool has(char32_t c) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<CharacterRange>& ranges() const { return ranges_; }
  bool operator==(const CodePoints&) const = default;
  auto operator<=>(const CodePoints&) const = default;

 private:
  std::vector<CharacterRange> ranges_;
};

}  // namespace ogas::grammar
