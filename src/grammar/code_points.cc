#include "grammar/code_points.h"

#include <algorithm>

namespace ogas::grammar {
namespace {

constexpr char32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

// Without surrogates; at most two ranges.
void add_characters(std::vector<CharacterRange>& ranges, CharacterRange range) {
  if (range.first < kFirstSurrogate)
    ranges.push_back({range.first, std::min<char32_t>(range.last, kFirstSurrogate - 1)});
  if (range.last > kLastSurrogate) ranges.push_back({std::max<char32_t>(range.first, kLastSurrogate + 1), range.last});
}

}  // namespace

void CodePoints::normalize() {
  std::ranges::sort(ranges_);
  std::vector<CharacterRange> joined;
  for (const CharacterRange& range : ranges_) {
    if (range.first > range.last) continue;
    if (!joined.empty() && range.first <= joined.back().last + 1) {
      joined.back().last = std::max(joined.back().last, range.last);
    } else {
      joined.push_back(range);
    }
  }
  ranges_.clear();
  for (const CharacterRange& range : joined) add_characters(ranges_, range);
}

CodePoints CodePoints::complement() const {
  CodePoints result;
  char32_t next = 0;
  for (const CharacterRange& range : ranges_) {
    if (range.first > next) result.add(next, range.first - 1);
    next = range.last + 1;
  }
  if (next <= 0x10FFFF) result.add(next, 0x10FFFF);
  result.normalize();
  return result;
}

CodePoints CodePoints::intersection(char32_t first, char32_t last) const {
  CodePoints result;
  for (const CharacterRange& range : ranges_)
    if (range.last >= first && range.first <= last)
      result.add(std::max(first, range.first), std::min(last, range.last));
  return result;
}

bool CodePoints::has(char32_t c) const {
  return std::ranges::any_of(ranges_, [c](const CharacterRange& range) { return range.first <= c && c <= range.last; });
}

}  // namespace ogas::grammar
