// Whether a text is what a grammar asks for, and where it stops being so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/grammar.h"

namespace ogas::grammar {

struct TextCheck {
  size_t n_taken = 0;              // bytes that the grammar takes
  bool is_complete = false;        // the text may end after these
  std::vector<uint8_t> next = {};  // bytes that may come then

  bool takes(std::string_view text) const { return is_complete && n_taken == text.size(); }
};

// Errors: unsupported (the grammar became too complex meanwhile).
Result<TextCheck> check_text(std::shared_ptr<const Grammar> grammar, std::string_view text);

// JSON without white space between its parts, and where each of its bytes was, then the end. What is not JSON comes out
// as it went in, but for that.
struct CompactJson {
  std::string text;
  std::vector<size_t> offsets;
};
CompactJson without_spaces(std::string_view json);

}  // namespace ogas::grammar
