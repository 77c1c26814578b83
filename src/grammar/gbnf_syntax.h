// Grammars as llama.cpp writes them (GBNF), as trees.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/code_points.h"

namespace ogas::grammar {

struct GbnfNode {
  enum class Kind { text, set, rule, sequence, alternatives, repeat };
  Kind kind = Kind::sequence;
  std::u32string text = {};
  CodePoints set = {};
  uint32_t rule = 0;  // index
  uint32_t min = 0, max = 0;
  std::vector<GbnfNode> children = {};
};

struct GbnfRule {
  std::string name;
  GbnfNode body = {};
  bool is_defined = false;
};

// Every rule that is mentioned is defined; one of them is "root". Throws Refusal.
std::vector<GbnfRule> parse_gbnf(std::string_view text);

}  // namespace ogas::grammar
