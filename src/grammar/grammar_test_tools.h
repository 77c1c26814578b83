// What tests of grammars share: a small vocabulary, and whether a grammar takes a text.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/matcher.h"

namespace ogas::grammar {

// Every byte is a token with its own number; after them the given ones, and one that ends a text.
inline std::shared_ptr<const TokenTrie> make_test_trie(std::vector<std::string> further = {}) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  tokens.insert(tokens.end(), further.begin(), further.end());
  tokens.emplace_back("<end>");
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  return std::make_shared<const TokenTrie>(views, std::vector<TokenId>{static_cast<TokenId>(views.size() - 1)});
}

using GrammarResult = Result<std::shared_ptr<const Grammar>>;

// Why it was refused, or "" if it was not.
inline std::string refusal_of(const GrammarResult& grammar) { return grammar ? "" : grammar.error().message; }

// Whether the grammar takes the whole text, byte by byte; each byte must be in the mask exactly if it is taken.
inline bool takes(const GrammarResult& grammar, std::string_view text) {
  static const auto trie = make_test_trie();
  EXPECT_TRUE(grammar) << refusal_of(grammar);
  if (!grammar) return false;
  GrammarMatcher matcher(*grammar, trie);
  std::vector<uint32_t> bits(trie->n_words());
  for (const char c : text) {
    EXPECT_TRUE(matcher.mask(bits));
    const auto id = static_cast<TokenId>(static_cast<uint8_t>(c));
    const bool is_allowed = mask_has(bits, id);
    const bool is_taken = matcher.accept(id).has_value();
    EXPECT_EQ(is_allowed, is_taken) << text;
    if (!is_taken) return false;
  }
  return matcher.is_complete();
}

}  // namespace ogas::grammar
