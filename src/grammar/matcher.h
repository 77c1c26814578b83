// Follows a text by a grammar, token by token, and says which tokens may come next.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/grammar.h"
#include "grammar/pushdown.h"
#include "grammar/token_trie.h"

namespace ogas::grammar {

// Belongs to one sequence. After an error that says the grammar became too complex, it allows nothing further.
class GrammarMatcher {
 public:
  GrammarMatcher(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie);

  // A token that was drawn. Errors: usage (it may not come next; nothing has changed), unsupported.
  Result<> accept(TokenId id);
  // The same for text that is not cut into tokens; rollback() takes it as one.
  Result<> accept_bytes(std::string_view bytes);
  // mask_has(bits, i): whether token i may come next; trie.n_words() words.
  Result<> mask(std::span<uint32_t> bits);
  // Whether the text may end here.
  bool is_complete() const { return states_.back().is_complete; }
  // Whether a token that ends the text was accepted.
  bool is_ended() const { return is_ended_; }
  // Takes back the last tokens.
  void rollback(size_t n_tokens);
  // The bytes that must come next, whatever is chosen; at most max. Errors: unsupported.
  Result<std::string> forced_bytes(size_t max = 4096);
  const std::string& written() const { return written_; }

 private:
  Result<> extend(std::string_view bytes);
  int forced_byte(const ParserState& state);

  std::shared_ptr<const Grammar> grammar_;
  std::shared_ptr<const TokenTrie> trie_;
  std::shared_ptr<Engine> engine_;
  std::string written_;
  std::vector<ParserState> states_;  // before each token, and now
  std::vector<size_t> sizes_;        // of written_ at each of them
  bool is_ended_ = false;
};

}  // namespace ogas::grammar
