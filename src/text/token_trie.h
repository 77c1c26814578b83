// Finds the longest of a set of tokens at a place in a text.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "text/vocab.h"

namespace ogas {

class TokenTrie {
 public:
  void insert(std::string_view text, TokenId id) {
    uint32_t node = 0;
    for (const char c : text) {
      uint32_t next = child(node, c);
      if (next == 0) {
        next = static_cast<uint32_t>(nodes_.size());
        nodes_.emplace_back();
        nodes_[node].children.emplace_back(c, next);
      }
      node = next;
    }
    nodes_[node].id = id;
  }

  struct Match {
    TokenId id = -1;
    size_t length = 0;  // 0: none
  };
  Match longest_at(std::string_view text) const {
    Match best;
    uint32_t node = 0;
    for (size_t length = 1; length <= text.size(); ++length) {
      node = child(node, text[length - 1]);
      if (node == 0) break;
      if (nodes_[node].id >= 0) best = {nodes_[node].id, length};
    }
    return best;
  }

 private:
  struct Node {
    TokenId id = -1;
    std::vector<std::pair<char, uint32_t>> children;
  };
  uint32_t child(uint32_t node, char c) const {
    for (const auto& [letter, next] : nodes_[node].children)
      if (letter == c) return next;
    return 0;
  }

  std::vector<Node> nodes_{1};
};

}  // namespace ogas
