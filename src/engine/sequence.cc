#include "engine/sequence.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "engine/reasoning_mask.h"

namespace ogas {
namespace {

constexpr size_t kPagePositions = KvLayout::kPagePositions;

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::unique_ptr<TokenMask> make_mask(const ModelText& text, const Request& request) {
  auto content = request.make_mask ? request.make_mask() : nullptr;
  if (!text.tokenizer()) return content;
  return mask_of_answer(*text.tokenizer(), text.answer_ends().ids(), request.start, request.thinking_budget,
                        std::move(content));
}

}  // namespace

Result<> Sequence::check(const LoadedModel& model, const Request& request) {
  OGAS_TRY(model.check_tokens(request.prompt));
  OGAS_TRY(request.sampling.validate());
  if (request.thinking_budget >= 0 && !has_reasoning(request.start.format))
    return fail(ErrorCode::usage, "thinking_budget is {}: {}", request.thinking_budget, kNoReasoning);
  return request.sampling.check_tokens(model.facts().n_vocab);
}

Sequence::Sequence(EngineCore& core, Session& session, const Request& request)
    : core_(core),
      tokenizer_(core.model.text.tokenizer()),
      session_(session),
      request_(request),
      sequence_(request.prompt),
      n_prompt_(request.prompt.size()),
      sampler_(request.sampling, make_mask(core.model.text, request)),
      drafter_(request.make_drafter ? request.make_drafter() : std::make_unique<NoDrafter>()),
      filter_(request.stop) {
  if (tokenizer_) decoder_.emplace(*tokenizer_);
  if (request.is_split) marks_ = marks_of(request.start.format);
  if (request.is_split && !request.stop.empty() && has_reasoning(request.start.format))
    finder_ = finder_of(request.start, request.start.may_call);
  // The last prompt token is always computed: its logits are what the answer starts from. Recurrent layers have fewer
  // positions to go back to.
  const auto common = std::ranges::mismatch(session.tokens, request.prompt).in1 - session.tokens.begin();
  size_t n_cached = std::min<size_t>(static_cast<size_t>(common), request.prompt.size() - 1);
  if (!core.kv.reuses_generated()) n_cached = std::min(n_cached, session.n_prompt_tokens);
  if (request.prompt_logprobs) n_cached = 0;
  n_cached = session.kv.rewindable_to(n_cached);
  session.truncate(n_cached);
  choose_prompt_snapshot();
  answer_.stats.n_prompt = static_cast<uint32_t>(request.prompt.size());
  answer_.stats.n_cached = static_cast<uint32_t>(n_cached);
  reserve();
}

// Reserves all memory that an answer of the requested length needs, so that its steps do not allocate. Where no length
// is given, memory grows with the answer.
void Sequence::reserve() {
  constexpr size_t kTokenBytes = 8;  // of text; four or five are usual
  const size_t n_full = size_t{core_.options().n_ctx} + 1, n_answer = std::min<size_t>(request_.max_tokens, n_full);
  sequence_.reserve(std::min(sequence_.size() + n_answer, n_full));
  session_.tokens.reserve(sequence_.capacity());
  answer_.tokens.reserve(n_answer);
  if (decoder_) answer_.text.reserve(n_answer * kTokenBytes);
  if (request_.sampling.wants_logprobs()) answer_.logprobs.reserve(n_answer);
  if (request_.prompt_logprobs) answer_.prompt_logprobs.resize(n_prompt_ - 1);
}

// At least the last token is left to compute: its logits are what comes next.
void Sequence::match_prefix() {
  if (wants_prompt_logprobs()) return;
  const size_t n = core_.kv.reuses_generated() ? sequence_.size() : n_prompt_;
  const size_t n_before = session_.tokens.size();
  const size_t n_cached =
      core_.kv.match_prefix(session_, std::span(sequence_).first(std::min(n, sequence_.size() - 1)));
  if (needs_snapshots()) end_of_cached_ = n_cached;  // where this one parts from others, more may do so
  if (answer_.tokens.empty()) answer_.stats.n_cached += static_cast<uint32_t>(session_.tokens.size() - n_before);
}

void Sequence::choose_prompt_snapshot() {
  end_of_cached_ = 0;
  wanted_.clear();
  last_in_prompt_ =
      needs_snapshots() && n_prompt_ > kPromptTail ? (n_prompt_ - kPromptTail) / kPagePositions * kPagePositions : 0;
}

void Sequence::want_snapshot(size_t position) {
  if (needs_snapshots() && position > session_.tokens.size() && position <= n_prompt_) wanted_.push_back(position);
}

void Sequence::preempt() {
  if (session_.tokens.size() % kPagePositions == 0) session_.kv.snapshot();
  core_.kv.insert_last_snapshot(session_);
  session_.truncate(0);
}

// The next position after this one that is to have a snapshot; none: the largest number.
size_t Sequence::next_snapshot(size_t begin) const {
  size_t next = std::numeric_limits<size_t>::max();
  const auto consider = [&](size_t position) {
    if (position > begin) next = std::min(next, position);
  };
  consider(last_in_prompt_);
  consider(end_of_cached_);
  for (const size_t position : wanted_) consider(position);
  if (const size_t stride = core_.kv.snapshot_stride(); stride > 0) consider((begin / stride + 1) * stride);
  return next;
}

// Windows of all positions that were just computed are still held; states are those at the end, or where that was
// planned.
void Sequence::take_snapshots() {
  if (is_recurrent()) return take_snapshot_of_states();
  const size_t end = session_.tokens.size(), begin = end - planned_.tokens.size();
  for (size_t position = next_snapshot(begin); position <= end; position = next_snapshot(position))
    core_.kv.insert_snapshot(session_, position);
}

// Of the prompt where that was planned. Of the answer at the end of each page, and the last one is cached once the
// answer ends.
void Sequence::take_snapshot_of_states() {
  if (session_.kv.keep_snapshot_within()) core_.kv.insert_last_snapshot(session_);
  const size_t position = session_.tokens.size();
  if (position % kPagePositions != 0) return;
  const bool is_planned = next_snapshot(position - 1) == position;
  if (!is_planned && (position <= n_prompt_ || !core_.kv.reuses_generated())) return;
  session_.kv.snapshot();
  if (is_planned) core_.kv.insert_last_snapshot(session_);
}

const BatchItem& Sequence::plan(size_t n_max) {
  const size_t begin = session_.tokens.size();
  OGAS_CHECK(!done_ && begin < sequence_.size(), "{} of {} tokens", begin, sequence_.size());
  const bool is_prompt = begin < n_prompt_;
  // One snapshot of states within a chunk costs no further pass; a second one ends it.
  const size_t end_of_kind = is_prompt ? n_prompt_ : sequence_.size();
  const size_t snapshot = is_prompt && is_recurrent() ? std::min(n_prompt_, next_snapshot(begin)) : end_of_kind;
  const size_t end = snapshot < n_prompt_ ? std::min(n_prompt_, next_snapshot(snapshot)) : snapshot;
  const size_t n = std::min(n_max, end - begin);
  session_.kv.plan_snapshot(snapshot < begin + n ? snapshot : 0);
  planned_ = {.session = &session_,
              .tokens = std::span<const TokenId>(sequence_).subspan(begin, n),
              .kind = is_prompt ? RowKind::prefill : RowKind::decode,
              .n_logits = begin + n == sequence_.size() ? 1U : 0U};
  const size_t n_max_drafts = max_drafts(n_max);
  const auto drafts = n_max_drafts > 0 ? drafter_->propose(sequence_, n_max_drafts) : std::span<const TokenId>();
  if (drafts.empty()) return planned_;
  with_drafts_.assign({sequence_.back()});
  with_drafts_.insert(with_drafts_.end(), drafts.begin(), drafts.end());
  planned_.tokens = with_drafts_;
  planned_.n_logits = static_cast<uint32_t>(with_drafts_.size());
  return planned_;
}

// As many as the context and the answer have positions for, while single tokens are decoded. None where layers cannot
// give a token back.
size_t Sequence::max_drafts(size_t n_max) const {
  const size_t n_held = session_.tokens.size();
  if (!is_decoding() || is_recurrent()) return 0;
  size_t n = std::min(n_max, size_t{core_.options().n_ctx} - n_held) - 1;
  if (request_.max_tokens > 0) n = std::min(n, request_.max_tokens - answer_.tokens.size() - 1);
  return n;
}

// The session holds these rows already; the row of a token says how likely the next one is.
void Sequence::take_prompt_rows(const Pass& pass, size_t row, size_t n_rows) {
  const size_t begin = session_.tokens.size() - n_rows, end = std::min(begin + n_rows, n_prompt_ - 1);
  if (begin >= end) return;
  std::vector<uint32_t> rows(end - begin);
  std::iota(rows.begin(), rows.end(), static_cast<uint32_t>(row));
  core_.runner.for_logits_of(pass, rows, [&](size_t idx, std::span<const float> logits) {
    answer_.prompt_logprobs[begin + idx] = logprobs_of(logits, sequence_[begin + idx + 1], *request_.prompt_logprobs);
  });
}

void Sequence::take(std::span<const float> logits) {
  core_.kv.insert_prefix(session_, session_.tokens.size() - n_drafts());
  if (needs_snapshots()) take_snapshots();
  if (session_.tokens.size() == n_prompt_) core_.kv.insert_end(session_);
  if (planned_.n_logits == 0) return;  // not all is there yet
  const size_t n_vocab = logits.size() / planned_.n_logits;
  size_t n_accepted = 0;
  take_next(logits.first(n_vocab));
  while (!done_ && n_accepted < n_drafts() && answer_.tokens.back() == with_drafts_[n_accepted + 1]) {
    ++n_accepted;
    take_next(logits.subspan(n_accepted * n_vocab, n_vocab));
  }
  if (n_drafts() > 0) drafter_->learn(n_accepted);
  if (n_accepted < n_drafts()) session_.truncate(session_.tokens.size() - (n_drafts() - n_accepted));
  take_forced();
  if (done_)
    core_.kv.insert_end(session_);
  else
    sampler_.prepare();
}

// With the logits after the last token of the sequence.
void Sequence::take_next(std::span<const float> logits) {
  if (answer_.stats.n_generated == 0) {
    prefilled_ = Clock::now();
    if (request_.on_prompt) request_.on_prompt(answer_.stats);
  }
  if (request_.only_prompt) return end(FinishReason::length);
  std::optional<TokenId> id = next_forced();
  if (!id) {
    const auto drawn = sampler_.sample(logits, sequence_);
    if (!drawn) {
      error_ = drawn.error();
      return end(FinishReason::cancelled);
    }
    id = *drawn;
    asked_for_forced_ = false;
  }
  std::optional<Logprobs> logprobs;
  if (request_.sampling.wants_logprobs()) logprobs = logprobs_of(logits, *id, request_.sampling.n_logprobs);
  add_token(*id, std::move(logprobs));
}

// The next token where it need not be drawn.
std::optional<TokenId> Sequence::next_forced() {
  if (n_forced_ == forced_.size() && !asked_for_forced_) {
    forced_ = sampler_.forced();
    n_forced_ = 0;
    asked_for_forced_ = forced_.empty();
  }
  if (n_forced_ == forced_.size()) return std::nullopt;
  const TokenId id = forced_[n_forced_++];
  sampler_.accept(id);
  return id;
}

// All that come next without being drawn, so that one pass computes them. Log-probabilities take the logits of each.
void Sequence::take_forced() {
  if (request_.sampling.wants_logprobs()) return;
  while (!done_) {
    const std::optional<TokenId> id = next_forced();
    if (!id) return;
    add_token(*id, std::nullopt);
  }
}

void Sequence::add_token(TokenId id, std::optional<Logprobs> logprobs) {
  if (++answer_.stats.n_generated == 1) answer_.stats.first_token_seconds = seconds_between(start_, Clock::now());
  if (request_.on_token) request_.on_token(id, logprobs ? &*logprobs : nullptr);
  if (!request_.ignore_eos && core_.model.text.answer_ends().contains(id)) return end(FinishReason::stop);
  if (logprobs) answer_.logprobs.push_back(*std::move(logprobs));
  accept(id);
}

// Whether a control token is part of the text, since the reader of the text looks for it.
bool Sequence::shows(TokenId id) const {
  if (!tokenizer_->is_control(id)) return true;
  const std::string_view name = tokenizer_->bytes_of(id);
  return std::ranges::any_of(marks_, [&](const std::string& mark) { return !name.empty() && mark.contains(name); });
}

void Sequence::accept(TokenId id) {
  sequence_.push_back(id);
  answer_.tokens.push_back(id);
  if (tokenizer_ && shows(id)) show(decoder_->push(id));
  if (filter_.found()) return end(FinishReason::stop_text);
  const bool enough = request_.max_tokens > 0 && answer_.tokens.size() >= request_.max_tokens;
  const bool is_full = sequence_.size() > core_.options().n_ctx;
  if (enough || (is_full && !request_.context_shift)) return end(FinishReason::length);
  if (is_full) shift_context();
}

// What is kept of both ends is computed again: rarely, and faster than it was generated.
void Sequence::shift_context() {
  const size_t n_latest = (size_t{core_.options().n_ctx} + 1) / 2;
  const size_t n_first = std::min<size_t>(request_.n_keep, core_.options().n_ctx - n_latest);
  sequence_.erase(sequence_.begin() + static_cast<ptrdiff_t>(n_first),
                  sequence_.end() - static_cast<ptrdiff_t>(n_latest));
  n_prompt_ = sequence_.size();
  choose_prompt_snapshot();
  session_.truncate(session_.kv.rewindable_to(std::min(n_first, session_.n_prompt_tokens)));
  match_prefix();
}

// What the stop strings leave of it.
void Sequence::show(std::string_view text) {
  if (!finder_) return emit(filter_.push(text));
  shown_.clear();
  for (const char c : text) {
    add_found(finder_->push(c));
    if (filter_.found()) break;
  }
  emit(shown_);
}

void Sequence::add_found(const ReasoningFinder::Found& found) {
  if (found.text.empty()) return;
  shown_ += found.is_content ? filter_.push(found.text) : filter_.flush();
  if (!found.is_content) shown_ += found.text;
}

void Sequence::emit(std::string_view text) {
  if (text.empty()) return;
  answer_.text += text;
  if (request_.on_text) request_.on_text(text);
}

void Sequence::end(FinishReason reason) {
  // Bytes that are not a character are shown as such where the model ended with them. A character that was cut is left
  // out.
  const bool is_models_own = reason == FinishReason::stop || reason == FinishReason::stop_text;
  if (decoder_ && is_models_own) show(decoder_->flush());
  shown_.clear();
  if (finder_ && !filter_.found()) add_found(finder_->flush());
  if (!filter_.found()) shown_ += filter_.flush();
  emit(shown_);
  answer_.finish = reason;
  if (reason == FinishReason::stop_text) answer_.stop_text = filter_.stop();
  done_ = true;
  core_.kv.insert_last_snapshot(session_);
  core_.kv.save_prefix(session_, n_prompt_);
}

Result<Answer> Sequence::take_answer() {
  if (error_) return std::unexpected(*std::move(error_));
  const auto now = Clock::now();
  if (answer_.stats.n_generated == 0) prefilled_ = now;
  answer_.stats.prefill_seconds = seconds_between(start_, prefilled_);
  answer_.stats.decode_seconds = seconds_between(prefilled_, now);
  return std::move(answer_);
}

}  // namespace ogas
