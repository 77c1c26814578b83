#include "grammar/text_check.h"

#include <utility>

#include "grammar/matcher.h"

namespace ogas::grammar {
namespace {

// Each byte is a token.
std::shared_ptr<const TokenTrie> trie_of_bytes() {
  static const auto trie = [] {
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
    std::vector<std::string_view> tokens;
    for (size_t byte = 0; byte < bytes.size(); ++byte) tokens.push_back(std::string_view(bytes).substr(byte, 1));
    return std::make_shared<const TokenTrie>(tokens, std::vector<TokenId>());
  }();
  return trie;
}

}  // namespace

Result<TextCheck> check_text(std::shared_ptr<const Grammar> grammar, std::string_view text) {
  const auto trie = trie_of_bytes();
  GrammarMatcher matcher(std::move(grammar), trie);
  TextCheck check;
  for (; check.n_taken < text.size(); ++check.n_taken) {
    const auto taken = matcher.accept_bytes(text.substr(check.n_taken, 1));
    if (taken) continue;
    if (taken.error().code != ErrorCode::usage) return std::unexpected(taken.error());
    break;
  }
  check.is_complete = matcher.is_complete();
  std::vector<uint32_t> bits(trie->n_words());
  OGAS_TRY(matcher.mask(bits));
  for (uint32_t byte = 0; byte < 256; ++byte)
    if (mask_has(bits, static_cast<TokenId>(byte))) check.next.push_back(static_cast<uint8_t>(byte));
  return check;
}

CompactJson without_spaces(std::string_view json) {
  constexpr std::string_view kSpaces = " \t\r\n";
  CompactJson compact;
  bool in_string = false;
  for (size_t idx = 0; idx < json.size(); ++idx) {
    if (!in_string && kSpaces.contains(json[idx])) continue;
    const bool escapes = in_string && json[idx] == '\\' && idx + 1 < json.size();
    if (json[idx] == '"') in_string = !in_string;
    for (size_t end = idx + (escapes ? 2 : 1); idx < end; ++idx) {
      compact.text += json[idx];
      compact.offsets.push_back(idx);
    }
    --idx;
  }
  compact.offsets.push_back(json.size());
  return compact;
}

}  // namespace ogas::grammar
