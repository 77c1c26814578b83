// Patterns of ECMA 262 as trees. What has no meaning for a whole text given at once (back references, lookbehind, word
// boundaries) is refused by name.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar/code_points.h"

namespace ogas::grammar {

struct PatternNode {
  enum class Kind { set, sequence, alternatives, repeat, begin, end, look_ahead, look_ahead_not };
  Kind kind = Kind::sequence;
  CodePoints set = {};
  std::vector<PatternNode> children = {};
  uint32_t min = 0, max = 0;   // of a repeat; max may be kUnbounded
  bool has_assertion = false;  // begin, end or look_ahead in it
};

// Throws Refusal.
PatternNode parse_pattern(std::string_view pattern);

}  // namespace ogas::grammar
