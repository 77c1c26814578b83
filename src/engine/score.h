// How likely a model holds given text: what evaluation harnesses ask for (Engine::score, Engine::score_text).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"

namespace ogas {

struct TokenScore {
  double logprob = 0;      // natural logarithm, by the log-softmax of the model's own logits
  bool is_greedy = false;  // none is likelier, and none that is as likely has a lower id
};

struct Score {
  std::vector<TokenScore> tokens;

  double logprob() const;     // of all of them: the sum
  bool is_greedy() const;     // all are: greedy decoding would have said just this
  double perplexity() const;  // e^(-logprob / number of tokens)
};

// How a text longer than a context is cut. Each window scores the tokens that none before it has, the last ones of it,
// and reaches as far back as it may.
struct ScoreWindows {
  uint32_t n_tokens = 0;  // computed in a window; 0: the context's
  uint32_t n_before = 1;  // of these, so many stand before those that are scored, at least
};

// A context and what may follow it, as tokens.
struct EncodedChoices {
  std::vector<TokenId> context;
  std::vector<std::vector<TokenId>> continuations;
};

// Tokens of texts to be scored: BOS before the context where the file asks for it, no EOS. White space at the end of
// the context goes to the continuations, where tokenizers put it, and a continuation's tokens are those of the whole
// text behind the context's (as lm-evaluation-harness does); where a token crosses the border the continuation is
// encoded alone. An empty context becomes the token that texts begin with. Errors: unsupported (there is none).
Result<EncodedChoices> encode_choices(const Tokenizer& tokenizer, std::string_view context,
                                      std::span<const std::string> continuations, bool parse_special = false);
// A whole text behind the token that texts begin with: BOS, or else EOS. Errors: unsupported (there is neither).
Result<std::vector<TokenId>> encode_to_score(const Tokenizer& tokenizer, std::string_view text,
                                             bool parse_special = false);

}  // namespace ogas
