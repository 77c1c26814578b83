// What the fuzz targets of grammars share.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/matcher.h"

namespace ogas {

// What is before the first zero byte, and what is after it.
inline std::pair<std::string_view, std::string_view> split_input(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  if (end == std::string_view::npos) return {input, ""};
  return {input.substr(0, end), input.substr(end + 1)};
}

// Each byte is a token; a last one ends the text.
inline const std::shared_ptr<const grammar::TokenTrie>& byte_trie() {
  static const auto trie = [] {
    std::vector<std::string> tokens;
    for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
    tokens.insert(tokens.end(), {"\":", "\",\"", "}}", "abc", "123", "<end>"});
    const std::vector<std::string_view> views(tokens.begin(), tokens.end());
    return std::make_shared<const grammar::TokenTrie>(views,
                                                      std::vector<TokenId>{static_cast<TokenId>(views.size() - 1)});
  }();
  return trie;
}

inline void follow_text(const Result<std::shared_ptr<const grammar::Grammar>>& compiled, std::string_view text) {
  if (!compiled) return;
  const auto& trie = byte_trie();
  grammar::GrammarMatcher matcher(*compiled, trie);
  std::vector<uint32_t> bits(trie->n_words());
  for (const char c : text.substr(0, 200)) {
    if (!matcher.mask(bits)) return;  // too complex
    bool is_any_allowed = false;
    for (const uint32_t word : bits) is_any_allowed |= word != 0;
    if (!is_any_allowed) std::abort();  // a dead end
    const auto id = static_cast<TokenId>(static_cast<uint8_t>(c));
    const bool is_allowed = grammar::mask_has(bits, id);
    const auto accepted = matcher.accept(id);
    if (!accepted && accepted.error().code != ErrorCode::usage) return;
    if (accepted.has_value() != is_allowed) std::abort();
  }
  (void)matcher.forced_bytes(100);
}

}  // namespace ogas
