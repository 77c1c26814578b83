// How likely given text is to a model: what evaluation harnesses ask for.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"

namespace ogas {

class Engine;

struct TokenScore {
  double logprob = 0;      // natural logarithm, by the log-softmax of the model's own logits
  bool is_greedy = false;  // no token is likelier, and none that is as likely has a lower id
};

struct Score {
  std::vector<TokenScore> tokens;

  double logprob() const;     // of all of them: the sum
  bool is_greedy() const;     // all are: greedy decoding would have given just this
  double perplexity() const;  // e^(-logprob / number of tokens)
};

// How a text longer than a context is cut. Each window scores its last tokens, those that no earlier window has scored,
// and begins as far before them as it may.
struct ScoreWindows {
  uint32_t n_tokens = 0;  // computed in a window; 0: the context's
  uint32_t n_before = 1;  // of these, at least this many come before those that are scored
};

// How likely each token of a continuation is after the context and those before it; all continuations share the
// context's part of the KV cache. Logits are those of compute_logits(), bit for bit. Memory does not grow with the
// number of tokens but for the KV cache, of which one batch's continuations are held at a time. Asking `stop` to stop,
// from any thread and at any time, also before, ends it as Engine::cancel() does: so what waits for an EngineThread can
// be ended. Errors: usage (an empty context or continuation, a token out of range, more tokens than the context by how
// much), out_of_memory, cancelled, io.
Result<std::vector<Score>> score(Engine& engine, std::span<const TokenId> context,
                                 std::span<const std::vector<TokenId>> continuations, const std::stop_token& stop = {});
// The same of every token of a text but the first, however long it is (rolling log-likelihood). Errors: usage (windows
// that do not fit, fewer than two tokens, one out of range), out_of_memory, cancelled, io.
Result<Score> score_text(Engine& engine, std::span<const TokenId> tokens, const ScoreWindows& windows = {},
                         const std::stop_token& stop = {});

// A context and what may follow it, as tokens.
struct EncodedChoices {
  std::vector<TokenId> context;
  std::vector<std::vector<TokenId>> continuations;
};

// Tokens of texts to be scored: BOS before the context where the file asks for it, no EOS. White space at the end of
// the context goes to the continuations, where tokenizers put it, and a continuation's tokens are those of the whole
// text after the context's (as lm-evaluation-harness does); where a token crosses the border the continuation is
// encoded alone. An empty context becomes the token that texts begin with. Errors: unsupported (there is none).
Result<EncodedChoices> encode_choices(const Tokenizer& tokenizer, std::string_view context,
                                      std::span<const std::string> continuations, bool parse_special = false);
// A whole text after the token that texts begin with: BOS, or else EOS. Errors: unsupported (there is neither).
Result<std::vector<TokenId>> encode_to_score(const Tokenizer& tokenizer, std::string_view text,
                                             bool parse_special = false);

}  // namespace ogas
