// Cuts a template into text and the tokens of its tags, white space control applied as transformers sets it up
// (trim_blocks and lstrip_blocks on, one newline at the end dropped).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ogas::jinja {

enum class TokenType { text, output_begin, output_end, block_begin, block_end, name, integer, real, string, op, end };

struct Token {
  TokenType type;
  std::string text;  // of a string: its value; of an operator: its characters
  size_t line, column;
};

// Throws Failure with line and column. The last token is `end`.
std::vector<Token> tokenize(std::string_view source);

}  // namespace ogas::jinja
