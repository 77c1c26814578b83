// Finds added tokens in text: those that stand for themselves as a whole, such as <|im_end|>.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_range.h"
#include "base/function_ref.h"
#include "text/vocab.h"

namespace ogas {

// Whether and where special tokens are looked for.
struct SpecialTokens {
  bool wanted = false;
  std::span<const ByteRange> input = {};  // not in these stretches, nor touching them; sorted, apart from each other
  size_t offset = 0;                      // of the text at hand within that which `input` counts from

  // Whether a special token is allowed at begin..end of this text.
  bool allows(size_t begin, size_t end) const { return wanted && !overlaps_input(begin, end); }
  // Whether the text at hand, `size` bytes of it, has any input in it.
  bool meets_input(size_t size) const { return overlaps_input(0, size); }

 private:
  bool overlaps_input(size_t begin, size_t end) const {
    const auto range = std::ranges::upper_bound(input, offset + begin, {}, &ByteRange::end);
    return range != input.end() && range->begin < offset + end;
  }
};

class AddedTokens {
 public:
  // content: what is looked for; an empty one is never found.
  void insert(std::string_view content, const AddedToken& token);
  bool empty() const { return nodes_.size() == 1; }

  // Splits text into added tokens and the text between them: calls on_token(id) and on_text(stretch, from) in order.
  // Stretches are never empty; `from` is the offset of their first byte. The longest token wins at each position. A
  // token that is special and not allowed, or that must be a whole word and is not, stays text.
  using OnText = FunctionRef<void(std::string_view, size_t)>;
  using OnToken = FunctionRef<void(TokenId)>;
  void cut(std::string_view text, const SpecialTokens& special, OnText on_text, OnToken on_token) const;

 private:
  struct Node {
    int32_t token_idx = -1;
    std::vector<std::pair<char, uint32_t>> children;
  };
  struct Match {
    const AddedToken* token = nullptr;
    size_t length = 0;
  };
  uint32_t child(uint32_t node, char c) const;
  Match longest_at(std::string_view text) const;

  std::vector<Node> nodes_{1};
  std::vector<AddedToken> tokens_;
  std::array<bool, 256> begins_{};  // the bytes that any token begins with
};

}  // namespace ogas
