// Finds added tokens in text: those that stand for themselves as a whole, such as <|im_end|>.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "text/function_ref.h"
#include "text/vocab.h"

namespace ogas {

class AddedTokens {
 public:
  // content: what is looked for; an empty one is never found.
  void insert(std::string_view content, const AddedToken& token);
  bool empty() const { return nodes_.size() == 1; }

  // Calls on_text(stretch, from) and on_token(id) for what text consists of, in order; stretches are never empty, and
  // `from` is where one begins. At each place the longest token is found; one that is special and not wanted, or no
  // whole word where it must be one, is passed over as text.
  using OnText = FunctionRef<void(std::string_view, size_t)>;
  using OnToken = FunctionRef<void(TokenId)>;
  void cut(std::string_view text, bool with_special, OnText on_text, OnToken on_token) const;

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
