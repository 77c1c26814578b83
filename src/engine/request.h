// What is asked of a model, and its answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/answer_start.h"
#include "engine/drafter.h"
#include "sampling/logprobs.h"
#include "sampling/sampling_options.h"
#include "sampling/token_mask.h"
#include "text/vocab.h"

namespace ogas {

enum class FinishReason {
  stop,       // the model ended its answer
  stop_text,  // one of the request's stop strings came up
  length,     // max_tokens, or the context is full
  cancelled,
  deadline,  // the request's time is over
};
std::string_view name_of(FinishReason reason);

struct AnswerStats;

struct Request {
  std::vector<TokenId> prompt = {};  // the whole sequence; what the session already holds of it is not computed again
  uint32_t max_tokens = 0;           // 0: until the context is full
  SamplingOptions sampling = {};
  std::vector<std::string> stop = {};  // strings that end the answer; they are not part of it
  bool ignore_eos = false;             // continue past the model's own end of answer
  int thinking_budget = -1;            // tokens of reasoning at most, where `start` says what that is; -1: any number
  // Where the prompt leaves the answer (ModelText::start_answer): masks are for what comes after reasoning.
  AnswerStart start = {};
  // The reader of the text splits it by the marks of start.format: those that are control tokens are part of the text,
  // and stop strings count outside of reasoning only.
  bool is_split = false;
  // Log-probabilities of the prompt's own tokens, too, with this many alternatives. The whole prompt is computed then,
  // also what is cached.
  std::optional<uint32_t> prompt_logprobs = {};
  bool only_prompt = false;  // compute the prompt and generate nothing
  // Where the context is full: continue with its first n_keep tokens (attention sinks and what must not be forgotten)
  // and the latest half of it, as if that had been the prompt. No keys are rotated, so that any architecture can.
  bool context_shift = false;
  uint32_t n_keep = 4;
  // Among many (scheduler.h): higher priorities are computed first; clients of one priority get equal shares of the
  // machine; a request ends this many seconds after it was submitted (0: never).
  int priority = 0;
  std::string client = {};
  double deadline_seconds = 0;
  // What else may come next, after reasoning; one mask for each answer; empty: anything.
  std::function<std::unique_ptr<TokenMask>()> make_mask = {};
  // What drafts further tokens, one drafter for each answer; empty: nothing does.
  std::function<std::unique_ptr<Drafter>()> make_drafter = {};
  // Once the prompt is computed, before the first token: what is known of it.
  std::function<void(const AnswerStats&)> on_prompt = {};
  // Text as it becomes certain: valid UTF-8, never half a character, never part of a stop string. May be empty.
  std::function<void(std::string_view)> on_text = {};
  // Each token that is sampled, the ending one included, before its text; the log-probabilities where `sampling` asks
  // for them, else null.
  std::function<void(TokenId, const Logprobs*)> on_token = {};
};

// What passes cost.
struct StepCost {
  uint64_t n_rows = 0;  // tokens computed
  double seconds = 0;   // of the passes

  // Of this, what n of its rows are charged with.
  StepCost share_of(uint64_t n) const;
  StepCost& operator+=(const StepCost& other);
};

struct AnswerStats {
  uint32_t n_prompt = 0;           // tokens of the prompt
  uint32_t n_cached = 0;           // of these, found in the session or the prefix cache and not computed again
  uint32_t n_generated = 0;        // tokens sampled, the ending one included
  double prefill_seconds = 0;      // from submission to the logits of the last prompt token
  double decode_seconds = 0;       // from there to the end
  double first_token_seconds = 0;  // from submission to the first token
  StepCost cost = {};              // its shares of all passes that it was computed in

  // Tokens a second; 0 where nothing was computed.
  double prefill_rate() const;
  double decode_rate() const;
};

struct Answer {
  std::string text;
  std::vector<TokenId> tokens;            // without the ending token
  std::vector<Logprobs> logprobs;         // of each of the tokens; empty unless the request's sampling asks for them
  std::vector<Logprobs> prompt_logprobs;  // of each token of the prompt but the first; empty unless asked for
  FinishReason finish = FinishReason::stop;
  std::string stop_text;  // of the request's stop strings, the one that ended it; else empty
  AnswerStats stats;

  // Of its tokens, by which the best of several is chosen; -infinity where nothing is known of any.
  double mean_logprob() const;
};

}  // namespace ogas
