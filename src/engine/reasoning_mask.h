// Follows an answer through its reasoning: limits that, and constrains what comes after it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/answer_start.h"
#include "sampling/token_mask.h"
#include "text/tokenizer.h"

namespace ogas {

class ReasoningMask final : public TokenMask {
 public:
  // budget: how many tokens of reasoning there may be; negative: any number. content: constrains what comes after the
  // reasoning, which has no end of the answer in it then; null: nothing does. ends: the tokens that end an answer.
  ReasoningMask(const Tokenizer& tokenizer, std::span<const TokenId> ends, AnswerStart start, int budget,
                std::unique_ptr<TokenMask> content);

  // Errors: as those of `content`.
  Result<> apply(std::span<float> logits) override;
  void accept(TokenId id) override;
  void prepare() override {
    if (phase_ != Phase::free) content_->prepare();
  }
  // Where the budget is used up: what ends the reasoning. The last token before it leaves no character unfinished.
  std::vector<TokenId> forced() override;

 private:
  // Without a mask of the content an answer is free to its end.
  enum class Phase : uint8_t {
    free,     // reasoning, and in channels all that comes before the last message
    open,     // reasoning if it begins with the token that may begin it, else content
    gap,      // after reasoning: one token of new lines, or content
    content,  // what `content` constrains, be there reasoning in it or not
  };

  bool is_used_up() const { return budget_ >= 0 && n_thought_ >= budget_; }
  Result<> apply_with(std::span<const TokenId> others, std::span<float> logits);
  void limit(std::span<float> logits) const;
  size_t n_missing_after(std::string_view text) const;
  void read(TokenId id);
  bool is_over(bool was_within) const;
  void begin_content(std::string_view text);
  void read_forced(TokenId id);
  std::string end_of_reasoning() const;
  std::string rest_of_header() const;

  const Tokenizer& tokenizer_;
  std::vector<TokenId> ends_;
  AnswerStart start_;
  int64_t budget_, n_thought_ = 0;
  std::unique_ptr<TokenMask> content_;
  ReasoningFinder finder_;
  Phase phase_ = Phase::free;
  std::string last_;              // bytes of the reasoning, which may end within a character
  std::vector<TokenId> others_;   // of the last apply(): tokens that the content could not begin with
  std::vector<TokenId> closing_;  // what was forced, of which n_closed_ tokens have come
  size_t n_closed_ = 0;
  std::vector<float> kept_;  // scratch
};

// The mask of an answer, as its request asks for it; null where any token may come.
std::unique_ptr<TokenMask> mask_of_answer(const Tokenizer& tokenizer, std::span<const TokenId> ends,
                                          const AnswerStart& start, int budget, std::unique_ptr<TokenMask> content);

}  // namespace ogas
