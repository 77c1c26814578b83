// Log-probabilities as OpenAI's two APIs show them.
#pragma once

#include <span>

#include "server/answer/answer_feed.h"

namespace ogas::server {

// A token's text for display: invalid UTF-8 becomes U+FFFD.
std::string token_text(const Tokenizer& tokenizer, TokenId id);

// Of the chat API: {"token", "logprob", "bytes", "top_logprobs": [...]}.
Json chat_logprobs(const Tokenizer& tokenizer, std::span<const DrawnToken> tokens);

// Of the completions API: {"tokens", "token_logprobs", "top_logprobs", "text_offset"}, arrays that grow together.
class CompletionLogprobs {
 public:
  explicit CompletionLogprobs(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}
  // The first token of a prompt, of which nothing is known, has none.
  void add(TokenId id, const Logprobs* logprobs);
  // What was added since the last time.
  Json take();

 private:
  const Tokenizer* tokenizer_;
  Json tokens_ = Json::array(), logprobs_ = Json::array(), top_ = Json::array(), offsets_ = Json::array();
  size_t offset_ = 0;  // in characters
};

}  // namespace ogas::server
