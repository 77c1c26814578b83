#include "grammar/token_trie.h"

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"

namespace ogas::grammar {
namespace {

// Characters of a token that any JSON string may hold; 0 if it has others, or parts of characters.
size_t n_plain_characters(std::string_view text) {
  size_t n_characters = 0;
  while (!text.empty()) {
    const Utf8Step step = next_utf8(text);
    if (step.kind != Utf8Kind::valid || step.code_point < 0x20 || step.code_point == '"' || step.code_point == '\\')
      return 0;
    text.remove_prefix(step.length);
    ++n_characters;
  }
  return n_characters;
}

// ids are in the order of their bytes, which all differ.
class TrieBuilder {
 public:
  explicit TrieBuilder(const std::vector<std::string>& bytes) : bytes_(bytes) {}

  Trie build(std::span<const TokenId> ids) {
    std::vector<uint32_t> open;  // nodes on the path to the last token
    std::string_view last;
    for (const TokenId id : ids) {
      const std::string_view text = bytes_[static_cast<size_t>(id)];
      const auto shared = static_cast<size_t>(std::ranges::mismatch(text, last).in1 - text.begin());
      close(open, shared);
      for (size_t depth = shared; depth < text.size(); ++depth) {
        open.push_back(static_cast<uint32_t>(trie_.size()));
        trie_.push_back({.end = 0,
                         .token = depth + 1 == text.size() ? id : -1,
                         .depth = static_cast<uint16_t>(depth),
                         .byte = static_cast<uint8_t>(text[depth])});
      }
      last = text;
    }
    close(open, 0);
    return std::move(trie_);
  }

 private:
  void close(std::vector<uint32_t>& open, size_t size) {
    for (; open.size() > size; open.pop_back()) trie_[open.back()].end = static_cast<uint32_t>(trie_.size());
  }

  const std::vector<std::string>& bytes_;
  Trie trie_;
};

}  // namespace

TokenTrie::TokenTrie(std::span<const std::string_view> tokens, std::vector<TokenId> ends, std::vector<TokenId> controls)
    : bytes_(tokens.begin(), tokens.end()), ends_(std::move(ends)), controls_(std::move(controls)) {
  OGAS_CHECK(controls_.size() <= kMaxControls, "{} control tokens", controls_.size());
  for (size_t idx = 0; idx < controls_.size(); ++idx)
    bytes_.at(static_cast<size_t>(controls_[idx])) = control_bytes(idx);
  constexpr size_t kMaxBytes = 4096;  // longer tokens are never allowed
  for (std::string& bytes : bytes_) {
    if (bytes.size() > kMaxBytes) bytes.clear();
    max_depth_ = std::max(max_depth_, bytes.size());
  }
  for (const TokenId id : ends_) {
    OGAS_CHECK(static_cast<size_t>(id) < bytes_.size(), "token {} of {}", id, bytes_.size());
    bytes_[static_cast<size_t>(id)].clear();
  }
  std::vector<TokenId> order;
  for (size_t id = 0; id < bytes_.size(); ++id)
    if (!bytes_[id].empty()) order.push_back(static_cast<TokenId>(id));
  const auto text_of = [&](TokenId id) -> const std::string& { return bytes_[static_cast<size_t>(id)]; };
  std::ranges::stable_sort(order, {}, text_of);
  plain_masks_.assign(kMaxPlain + 2, std::vector<uint32_t>(n_words()));
  std::vector<TokenId> plain_short, plain_long, other;
  const std::string* last = nullptr;
  TokenId last_id = -1;
  for (const TokenId id : order) {
    if (last && *last == text_of(id)) {
      duplicates_.emplace_back(last_id, id);
      continue;
    }
    last = &text_of(id);
    last_id = id;
    const size_t n_characters = n_plain_characters(*last);
    (n_characters == 0 ? other : n_characters <= kMaxPlain ? plain_short : plain_long).push_back(id);
    if (n_characters == 0) continue;
    for (size_t idx = std::min(n_characters, kMaxPlain + 1); idx < plain_masks_.size(); ++idx)
      add_to_mask(plain_masks_[idx], id);
  }
  plain_short_ = TrieBuilder(bytes_).build(plain_short);
  plain_long_ = TrieBuilder(bytes_).build(plain_long);
  other_ = TrieBuilder(bytes_).build(other);
}

std::shared_ptr<const TokenTrie> TokenTrie::of(const Tokenizer& tokenizer, std::vector<TokenId> ends,
                                               std::vector<TokenId> controls) {
  // A file may have several tokens of one name.
  std::vector<std::string> control_texts;
  for (size_t idx = 0; idx < controls.size(); ++idx) control_texts.push_back(control_bytes(idx));
  const auto text_of_control = [&](std::string_view name) {
    const auto found = std::ranges::find(controls, name, [&](TokenId id) { return tokenizer.bytes_of(id); });
    return found == controls.end() ? ""
                                   : std::string_view(control_texts[static_cast<size_t>(found - controls.begin())]);
  };
  std::vector<std::string_view> tokens;
  const auto n_tokens = static_cast<TokenId>(tokenizer.vocab().tokens.size());
  for (TokenId id = 0; id < n_tokens; ++id) {
    const TokenKind kind = tokenizer.vocab().kinds[static_cast<size_t>(id)];
    const bool is_text = kind == TokenKind::normal || kind == TokenKind::byte || kind == TokenKind::user_defined;
    const bool is_control = tokenizer.is_control(id);
    tokens.push_back(is_text && !is_control ? tokenizer.bytes_of(id)
                     : is_control           ? text_of_control(tokenizer.bytes_of(id))
                                            : "");
  }
  return std::make_shared<const TokenTrie>(tokens, std::move(ends), std::move(controls));
}

std::string_view TokenTrie::bytes_of(TokenId id) const {
  return id >= 0 && static_cast<size_t>(id) < bytes_.size() ? std::string_view(bytes_[static_cast<size_t>(id)]) : "";
}

bool TokenTrie::is_end(TokenId id) const { return std::ranges::find(ends_, id) != ends_.end(); }

}  // namespace ogas::grammar
