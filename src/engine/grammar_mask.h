// Has an answer, or what comes after its reasoning, match a grammar.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <semaphore>
#include <span>
#include <string_view>
#include <vector>

#include "base/worker.h"
#include "grammar/matcher.h"
#include "sampling/token_mask.h"
#include "text/tokenizer.h"

namespace ogas {

class GrammarMask final : public TokenMask {
 public:
  // The tokenizer must outlive this. worker: computes masks while the model computes logits.
  GrammarMask(std::shared_ptr<const grammar::Grammar> grammar, std::shared_ptr<const grammar::TokenTrie> trie,
              const Tokenizer& tokenizer, std::shared_ptr<Worker> worker);
  ~GrammarMask() override;
  GrammarMask(const GrammarMask&) = delete;
  GrammarMask& operator=(const GrammarMask&) = delete;

  // Errors: unsupported (the grammar became too complex here, or does not allow what came already).
  Result<> apply(std::span<float> logits) override;
  void begin_with(std::string_view text) override;
  void accept(TokenId id) override;
  void prepare() override;
  // The text that the grammar leaves no choice about, in the tokens that the tokenizer makes of it. A token of text at
  // its end is left out, since it may be longer with what follows.
  std::vector<TokenId> forced() override;

 private:
  // Waits until the worker does not use the matcher.
  void join();
  bool add_forced(std::string_view text, TokenId before, bool is_last, std::vector<TokenId>& tokens) const;

  std::shared_ptr<const grammar::TokenTrie> trie_;
  const Tokenizer& tokenizer_;
  grammar::GrammarMatcher matcher_;
  std::optional<TokenId> last_;  // that was accepted
  std::vector<uint32_t> bits_;   // the mask of the grammar; kept for its capacity
  Result<> status_ = {};
  std::shared_ptr<Worker> worker_;
  std::binary_semaphore is_computed_{0};  // by the worker
  enum class Mask : uint8_t { none, in_work, ready } mask_ = Mask::none;
  Result<> computed_ = {};  // the mask in bits_
};

}  // namespace ogas
