// A request in progress: what is to be computed for it next, and what comes of the logits.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/engine_core.h"
#include "engine/request.h"
#include "sampling/sampler.h"
#include "sampling/stop_filter.h"

namespace ogas {

class Sequence {
 public:
  // Errors: usage (prompt, sampling).
  static Result<> check(const LoadedModel& model, const Request& request);
  // The request must have been checked; all three must outlive this. What the session holds of the prompt is not
  // computed again. Without a tokenizer there are tokens and no text.
  Sequence(EngineCore& core, Session& session, const Request& request);

  // Takes what the prefix cache has of its tokens, so that it is not computed again: before the first step, and where
  // the session has lost its tokens since.
  void match_prefix();

  // With recurrent layers: that the prompt is to have a snapshot at this position, too, from which others with the same
  // beginning can continue. A multiple of a page.
  void want_snapshot(size_t position);
  // Gives up what the session holds, to be computed again later; the prefix cache keeps what it has space for.
  void preempt();

  // Chooses the next tokens to compute, at most n_max: a piece of what the session does not hold yet, or the last token
  // with drafts of those after it. There are some until it is done, whatever the session has lost meanwhile. Valid
  // until the next call.
  const BatchItem& plan(size_t n_max);
  const BatchItem& planned() const { return planned_; }
  // Whether the next token is all that is missing for another one.
  bool is_decoding() const { return session_.tokens.size() + 1 == sequence_.size() && !answer_.tokens.empty(); }
  // So far, of prompt and answer.
  std::span<const TokenId> tokens() const { return sequence_; }
  size_t n_computed() const { return session_.tokens.size(); }
  // After planned() was computed, before take(): the first of these rows of the pass is `row`. Scores the prompt's
  // tokens where that is asked for.
  bool wants_prompt_logprobs() const { return request_.prompt_logprobs && answer_.tokens.empty(); }
  void take_prompt_rows(const Pass& pass, size_t row, size_t n_rows);
  // After planned() was computed: with the logits it wanted, [planned().n_logits, n_vocab]. Samples, verifies drafts,
  // shows and decides whether that was all.
  void take(std::span<const float> logits);
  void add_cost(const StepCost& cost) { answer_.stats.cost += cost; }
  void end(FinishReason reason);

  bool done() const { return done_; }
  // Once done. Errors: those of the request's mask.
  Result<Answer> take_answer();

 private:
  using Clock = std::chrono::steady_clock;
  // The last snapshot of a prompt is of a page that ends this many tokens before the prompt does, or more: templates
  // close it with some that the next turn does not repeat, such as an opened <think>.
  static constexpr size_t kPromptTail = 16;

  void reserve();
  size_t max_drafts(size_t n_max) const;
  bool is_recurrent() const { return session_.kv.layout().n_states() > 0; }
  bool needs_snapshots() const { return session_.kv.layout().needs_snapshots(); }
  void choose_prompt_snapshot();
  size_t next_snapshot(size_t begin) const;
  void take_snapshots();
  void take_snapshot_of_states();
  // Of planned(), whose rows after the last token they are.
  size_t n_drafts() const { return planned_.n_logits > 1 ? planned_.n_logits - 1 : 0; }
  void take_next(std::span<const float> logits);
  std::optional<TokenId> next_forced();
  void take_forced();
  void add_token(TokenId id, std::optional<Logprobs> logprobs);
  bool shows(TokenId id) const;
  void accept(TokenId id);
  void shift_context();
  void show(std::string_view text);
  void add_found(const ReasoningFinder::Found& found);
  void emit(std::string_view text);

  EngineCore& core_;
  const Tokenizer* tokenizer_;
  Session& session_;
  const Request& request_;
  std::vector<TokenId> sequence_;  // prompt and answer, as far as the context holds them
  size_t n_prompt_;                // of these, computed as a prompt
  // Positions in the prompt where a snapshot is taken, in addition to those of snapshot_stride(): near its end, where
  // the pages end that are cached already, and where others want one. 0: none.
  size_t last_in_prompt_ = 0, end_of_cached_ = 0;
  std::vector<size_t> wanted_;
  BatchItem planned_;
  std::vector<TokenId> with_drafts_;  // the last token and drafts of those after it, where planned() has any
  Sampler sampler_;
  std::vector<TokenId> forced_;  // tokens that come next without being drawn, of which the first n_forced_ were taken
  size_t n_forced_ = 0;
  bool asked_for_forced_ = false;  // since the last token; there are no more
  std::optional<Error> error_;
  std::unique_ptr<Drafter> drafter_;
  std::optional<StreamDecoder> decoder_;
  std::vector<std::string> marks_;         // control tokens with these names are text
  std::optional<ReasoningFinder> finder_;  // where stop strings count outside of reasoning only
  StopFilter filter_;
  std::string shown_;  // scratch
  Answer answer_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point prefilled_ = start_;
  bool done_ = false;
};

}  // namespace ogas
