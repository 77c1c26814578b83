// Holds what a model says after its reasoning to a grammar.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <semaphore>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/worker.h"
#include "grammar/matcher.h"
#include "sampling/token_mask.h"
#include "text/tokenizer.h"

namespace ogas {

// How an answer begins: with reasoning, which no grammar constrains, or with what the grammar constrains.
struct AnswerStart {
  enum class Phase : uint8_t {
    reasoning,  // until `end`
    open,       // reasoning if it begins with the token `begin`
    gap,        // after reasoning: one token of `gap`, or content
    content,
  };
  Phase phase = Phase::content;
  std::optional<TokenId> begin = {};
  std::string end = {};           // the text after which content begins
  std::vector<TokenId> gap = {};  // new lines that may follow it
};

class GrammarMask final : public TokenMask {
 public:
  // The tokenizer must outlive this. worker: computes masks while the model computes logits.
  GrammarMask(std::shared_ptr<const grammar::Grammar> grammar, std::shared_ptr<const grammar::TokenTrie> trie,
              const Tokenizer& tokenizer, AnswerStart start, std::shared_ptr<Worker> worker);
  ~GrammarMask() override;
  GrammarMask(const GrammarMask&) = delete;
  GrammarMask& operator=(const GrammarMask&) = delete;

  // While the model reasons, all tokens but those that end an answer. Errors: unsupported (the grammar became too
  // complex here, or reasoning ended in the middle of a token that is not what the grammar allows).
  Result<> apply(std::span<float> logits) override;
  void accept(TokenId id) override;
  void prepare() override;
  // The text that the grammar leaves no choice about, in the tokens that the tokenizer makes of it. A token of text at
  // its end is left out, since it may be longer with what follows.
  std::vector<TokenId> forced() override;

 private:
  using Phase = AnswerStart::Phase;
  void add_reasoning(TokenId id);
  // Waits until the worker does not use the matcher.
  void join();
  bool add_forced(std::string_view text, TokenId before, bool is_last, std::vector<TokenId>& tokens) const;

  std::shared_ptr<const grammar::TokenTrie> trie_;
  const Tokenizer& tokenizer_;
  AnswerStart start_;
  grammar::GrammarMatcher matcher_;
  Phase phase_;
  std::string reasoning_;        // its last bytes, where the mark may be
  std::optional<TokenId> last_;  // of the content
  std::vector<uint32_t> bits_;   // the mask of the grammar; kept for its capacity
  Result<> status_ = {};
  std::shared_ptr<Worker> worker_;
  std::binary_semaphore is_computed_{0};  // by the worker
  enum class Mask : uint8_t { none, in_work, ready } mask_ = Mask::none;
  Result<> computed_ = {};  // the mask in bits_
};

}  // namespace ogas
