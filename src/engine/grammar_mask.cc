#include "engine/grammar_mask.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ogas {
namespace {

constexpr size_t kBits = 32;  // of a word of a mask

void keep_only(std::span<const uint32_t> bits, std::span<float> logits) {
  for (size_t word_idx = 0; word_idx < bits.size(); ++word_idx) {
    const auto some = logits.subspan(std::min(word_idx * kBits, logits.size()));
    const size_t n = std::min(kBits, some.size());
    if (bits[word_idx] == 0) {
      std::ranges::fill(some.first(n), -INFINITY);
    } else if (bits[word_idx] != UINT32_MAX) {
      for (size_t idx = 0; idx < n; ++idx)
        if ((bits[word_idx] >> idx & 1) == 0) some[idx] = -INFINITY;
    }
  }
  if (logits.size() > bits.size() * kBits) std::ranges::fill(logits.subspan(bits.size() * kBits), -INFINITY);
}

}  // namespace

GrammarMask::GrammarMask(std::shared_ptr<const grammar::Grammar> grammar,
                         std::shared_ptr<const grammar::TokenTrie> trie, const Tokenizer& tokenizer, AnswerStart start)
    : trie_(std::move(trie)),
      tokenizer_(tokenizer),
      start_(std::move(start)),
      matcher_(std::move(grammar), trie_),
      phase_(start_.phase),
      bits_(trie_->n_words()) {}

Result<> GrammarMask::apply(std::span<float> logits) {
  OGAS_TRY(status_);
  if (phase_ == Phase::reasoning) {
    for (const TokenId id : trie_->ends()) logits[static_cast<size_t>(id)] = -INFINITY;
    return {};
  }
  OGAS_TRY(matcher_.mask(bits_));
  if (phase_ == Phase::gap) std::erase_if(start_.gap, [&](TokenId id) { return allows(id); });  // then it is content
  if (phase_ == Phase::open) allow(*start_.begin);
  if (phase_ == Phase::gap) std::ranges::for_each(start_.gap, [&](TokenId id) { allow(id); });
  keep_only(bits_, logits);
  return {};
}

void GrammarMask::accept(TokenId id) {
  if (!status_) return;
  if (phase_ == Phase::open) phase_ = id == *start_.begin ? Phase::reasoning : Phase::content;
  if (phase_ == Phase::reasoning) return add_reasoning(id);
  if (std::exchange(phase_, Phase::content) == Phase::gap && std::ranges::count(start_.gap, id) > 0) return;
  status_ = matcher_.accept(id);
  last_ = id;
}

// What a token has after the mark is content, but for the white space that models put there.
void GrammarMask::add_reasoning(TokenId id) {
  const size_t n_before = reasoning_.size();
  reasoning_ += tokenizer_.bytes_of(id);
  const size_t mark = reasoning_.find(start_.end, n_before - std::min(n_before, start_.end.size() - 1));
  if (mark == std::string::npos) {
    if (reasoning_.size() > start_.end.size()) reasoning_.erase(0, reasoning_.size() - start_.end.size());
    return;
  }
  const std::string_view after = std::string_view(reasoning_).substr(mark + start_.end.size());
  const size_t content = after.find_first_not_of(" \t\r\n");
  phase_ = after.empty() && !start_.gap.empty() ? Phase::gap : Phase::content;
  if (content != std::string_view::npos) status_ = matcher_.accept_bytes(after.substr(content));
}

std::vector<TokenId> GrammarMask::forced() {
  if (!status_ || phase_ != Phase::content || matcher_.is_ended()) return {};
  const auto bytes = matcher_.forced_bytes();
  if (!bytes || bytes->empty()) return {};
  // The token before decides where the first one begins.
  const std::string before(last_ ? tokenizer_.bytes_of(*last_) : std::string_view());
  std::vector<TokenId> tokens = tokenizer_.encode(before + *bytes);
  if (tokens.empty() || (last_ && tokens.front() != *last_)) return {};
  if (last_) tokens.erase(tokens.begin());
  if (!tokens.empty()) tokens.pop_back();
  // What a tokenizer changes, or has no token for, is left to the mask.
  std::string_view rest = *bytes;
  for (size_t idx = 0; idx < tokens.size(); ++idx) {
    const std::string_view text = trie_->bytes_of(tokens[idx]);
    if (text.empty() || !rest.starts_with(text)) {
      tokens.resize(idx);
      break;
    }
    rest.remove_prefix(text.size());
  }
  return tokens;
}

}  // namespace ogas
