#include "engine/reasoning_mask.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/utf8.h"

namespace ogas {
namespace {

using At = ReasoningFinder::At;

constexpr std::string_view kFinalHeader = "<|channel|>final<|message|>", kBeforeHeader = "assistant";

// How many bytes the character that text ends within lacks; 0 where it ends with a whole one, or with damage.
size_t n_missing_bytes(std::string_view text) {
  for (size_t n = 1; n <= std::min<size_t>(text.size(), 3); ++n) {
    const auto byte = static_cast<uint8_t>(text[text.size() - n]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::string_view begun = text.substr(text.size() - n);
    if (byte < 0xC0 || next_utf8(begun).kind != Utf8Kind::incomplete) return 0;
    return (byte >= 0xF0 ? 4U : byte >= 0xE0 ? 3U : 2U) - n;
  }
  return 0;
}

// The tokens of a text that follows another one.
std::vector<TokenId> encode_continuation(const Tokenizer& tokenizer, const std::string& text) {
  const std::string before = "x";
  const auto first = tokenizer.encode(before), all = tokenizer.encode(before + text, {.parse_special = true});
  if (std::ranges::mismatch(first, all).in1 != first.end()) return tokenizer.encode(text, {.parse_special = true});
  return {all.begin() + std::ssize(first), all.end()};
}

}  // namespace

ReasoningMask::ReasoningMask(const Tokenizer& tokenizer, std::span<const TokenId> ends, AnswerStart start, int budget,
                             std::unique_ptr<TokenMask> content)
    : tokenizer_(tokenizer),
      ends_(ends.begin(), ends.end()),
      start_(std::move(start)),
      budget_(budget),
      content_(std::move(content)),
      finder_(finder_of(start_, start_.may_call && (!content_ || start_.is_covered))) {
  if (!content_) return;
  if (finder_.at() == At::open) phase_ = start_.begin ? Phase::open : Phase::content;
  if (finder_.is_final() || start_.is_covered) phase_ = Phase::content;
}

Result<> ReasoningMask::apply(std::span<float> logits) {
  switch (phase_) {
    case Phase::content: OGAS_TRY(content_->apply(logits)); break;
    case Phase::open: OGAS_TRY(apply_with({&*start_.begin, 1}, logits)); break;
    case Phase::gap: OGAS_TRY(apply_with(start_.gap, logits)); break;
    case Phase::free:
      if (content_)
        for (const TokenId id : ends_) logits[static_cast<size_t>(id)] = -INFINITY;
  }
  limit(logits);
  return {};
}

// What the content may begin with, or one of these tokens.
Result<> ReasoningMask::apply_with(std::span<const TokenId> others, std::span<float> logits) {
  kept_.clear();
  for (const TokenId id : others) kept_.push_back(logits[static_cast<size_t>(id)]);
  OGAS_TRY(content_->apply(logits));
  others_.clear();
  for (size_t idx = 0; idx < others.size(); ++idx) {
    float& logit = logits[static_cast<size_t>(others[idx])];
    if (logit == -INFINITY) others_.push_back(others[idx]);
    logit = kept_[idx];
  }
  return {};
}

void ReasoningMask::limit(std::span<float> logits) const {
  if (budget_ < 0 || finder_.at() == At::content) return;
  const int64_t n_more = budget_ - n_thought_ - 1;  // after the token that comes now
  constexpr int64_t kMaxMissing = 3;                // bytes of a character that was begun
  const bool is_within = finder_.at() == At::reasoning;
  if (is_within ? n_more >= kMaxMissing : !is_used_up()) return;
  for (size_t idx = 0; idx < logits.size(); ++idx) {
    const std::string_view text = tokenizer_.bytes_of(static_cast<TokenId>(idx));
    const bool is_too_much =
        is_within ? static_cast<int64_t>(n_missing_after(text)) > n_more : finder_.begins_reasoning(text);
    if (is_too_much) logits[idx] = -INFINITY;
  }
}

size_t ReasoningMask::n_missing_after(std::string_view text) const {
  if (text.empty() || static_cast<uint8_t>(text.back()) < 0x80) return 0;
  return n_missing_bytes(last_ + std::string(text));
}

void ReasoningMask::accept(TokenId id) {
  if (n_closed_ < closing_.size()) return read_forced(id);
  if (phase_ == Phase::free) return read(id);
  const Phase before = std::exchange(phase_, Phase::content);
  if (before == Phase::open && id == *start_.begin) {
    phase_ = Phase::free;
    return read(id);
  }
  if (before == Phase::gap && std::ranges::count(others_, id) > 0) return;
  content_->accept(id);
  read(id);
}

// What a token has after the end of what comes before the content is content, but for the white space that models put
// there.
void ReasoningMask::read(TokenId id) {
  constexpr size_t kLastBytes = 8;
  const std::string_view text = tokenizer_.bytes_of(id);
  if (finder_.at() == At::reasoning) ++n_thought_;
  for (size_t idx = 0; idx < text.size(); ++idx) {
    const bool was_within = finder_.at() == At::reasoning;
    finder_.push(text[idx]);
    if (content_ && phase_ == Phase::free && is_over(was_within)) begin_content(text.substr(idx + 1));
  }
  last_ += text;
  if (last_.size() > kLastBytes) last_.erase(0, last_.size() - kLastBytes);
}

// Whether content is next. After a block; a mark that begins one is not that.
bool ReasoningMask::is_over(bool was_within) const {
  return finder_.is_final() || (was_within && finder_.at() == At::open && !start_.format.channels);
}

void ReasoningMask::begin_content(std::string_view text) {
  phase_ = text.empty() && !start_.gap.empty() ? Phase::gap : Phase::content;
  const size_t content = text.find_first_not_of(" \t\r\n");
  if (content != std::string_view::npos) content_->begin_with(text.substr(content));
}

void ReasoningMask::read_forced(TokenId id) {
  if (phase_ == Phase::content) content_->accept(id);
  for (const char c : tokenizer_.bytes_of(id)) finder_.push(c);
  if (++n_closed_ < closing_.size()) return;
  closing_.clear();
  n_closed_ = 0;
  if (content_ && is_over(/*was_within=*/true)) phase_ = Phase::content;
}

std::vector<TokenId> ReasoningMask::forced() {
  if (is_used_up() && closing_.empty()) {
    const std::string text = finder_.at() == At::reasoning ? end_of_reasoning() : rest_of_header();
    if (!text.empty()) return closing_ = encode_continuation(tokenizer_, text);
  }
  return phase_ == Phase::content ? content_->forced() : std::vector<TokenId>();
}

// With no more new lines before it than the template puts there.
std::string ReasoningMask::end_of_reasoning() const {
  std::string_view end = start_.end;
  if (start_.format.channels && start_.may_call) end = end.substr(0, end.find(kFinalHeader));
  if (n_thought_ > 0)
    for (std::string_view last = last_; last.ends_with('\n') && end.starts_with('\n'); last.remove_suffix(1))
      end.remove_prefix(1);
  return std::string(end);
}

// Of a message that begins: without calls only the last one is left.
std::string ReasoningMask::rest_of_header() const {
  if (finder_.at() != At::header || start_.may_call) return {};
  if (finder_.header().empty()) return std::string(kFinalHeader);
  return finder_.header() == ChannelMarks::kStart ? std::string(kBeforeHeader) + std::string(kFinalHeader) : "";
}

std::unique_ptr<TokenMask> mask_of_answer(const Tokenizer& tokenizer, std::span<const TokenId> ends,
                                          const AnswerStart& start, int budget, std::unique_ptr<TokenMask> content) {
  const bool is_separate = has_reasoning(start.format) && !start.is_covered;
  if (budget < 0 && (!content || !is_separate)) return content;
  return std::make_unique<ReasoningMask>(tokenizer, ends, start, budget, std::move(content));
}

}  // namespace ogas
