// A tokenizer's tokens, so that those which a grammar allows are found together.
//
// There are three tries. Most tokens hold nothing but characters that any JSON string may hold; inside a string that
// allows them all, they are taken at once, by their number of characters (`plain_up_to`). The trie `other` has the
// tokens left.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"
#include "text/vocab.h"

namespace ogas::grammar {

// In the order of a walk that enters each node before its children.
struct TrieNode {
  uint32_t end;    // the first node after its subtree
  TokenId token;   // that ends here, or -1
  uint16_t depth;  // bytes before its own
  uint8_t byte;
};
using Trie = std::vector<TrieNode>;

// A mask has a bit for each token, in words of this many.
inline constexpr size_t kMaskBits = 32;
inline bool mask_has(std::span<const uint32_t> bits, TokenId id) {
  return (bits[static_cast<size_t>(id) / kMaskBits] >> (static_cast<size_t>(id) % kMaskBits) & 1) != 0;
}
inline void add_to_mask(std::span<uint32_t> bits, TokenId id) {
  bits[static_cast<size_t>(id) / kMaskBits] |= uint32_t{1} << (static_cast<size_t>(id) % kMaskBits);
}
inline void remove_from_mask(std::span<uint32_t> bits, TokenId id) {
  bits[static_cast<size_t>(id) / kMaskBits] &= ~(uint32_t{1} << (static_cast<size_t>(id) % kMaskBits));
}

class TokenTrie {
 public:
  // tokens: the bytes of each, by id; empty for those that are never allowed. ends: tokens that end an answer, allowed
  // where the text is complete. controls: control tokens that a grammar may name by their index here. They stand for
  // control_bytes(), which are in no text.
  TokenTrie(std::span<const std::string_view> tokens, std::vector<TokenId> ends, std::vector<TokenId> controls = {});
  static std::shared_ptr<const TokenTrie> of(const Tokenizer& tokenizer, std::vector<TokenId> ends,
                                             std::vector<TokenId> controls = {});
  static constexpr char kControlByte = '\xFF';
  static std::string control_bytes(size_t control) { return {kControlByte, static_cast<char>(control)}; }
  static constexpr size_t kMaxControls = 256;

  size_t n_tokens() const { return bytes_.size(); }
  size_t n_words() const { return (n_tokens() + kMaskBits - 1) / kMaskBits; }
  std::string_view bytes_of(TokenId id) const;
  bool is_end(TokenId id) const;
  std::span<const TokenId> ends() const { return ends_; }
  std::span<const TokenId> controls() const { return controls_; }

  static constexpr size_t kMaxPlain = 16;
  const Trie& plain_short() const { return plain_short_; }  // plain tokens of up to kMaxPlain characters
  const Trie& plain_long() const { return plain_long_; }
  const Trie& other() const { return other_; }
  // Bits of plain tokens of up to this many characters; kMaxPlain + 1: of all.
  std::span<const uint32_t> plain_up_to(size_t n_characters) const { return plain_masks_[n_characters]; }
  size_t max_depth() const { return max_depth_; }
  // Tokens with the same bytes as another that is in a trie: (that one, token).
  std::span<const std::pair<TokenId, TokenId>> duplicates() const { return duplicates_; }

 private:
  std::vector<std::string> bytes_;
  std::vector<TokenId> ends_, controls_;
  Trie plain_short_, plain_long_, other_;
  std::vector<std::vector<uint32_t>> plain_masks_;
  std::vector<std::pair<TokenId, TokenId>> duplicates_;
  size_t max_depth_ = 0;
};

}  // namespace ogas::grammar
