#include "engine/grammar_mask.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ogas {

using grammar::TokenTrie;

namespace {

constexpr TokenId kNoToken = -1;

void keep_only(std::span<const uint32_t> bits, std::span<float> logits) {
  constexpr size_t kBits = grammar::kMaskBits;
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
                         std::shared_ptr<const grammar::TokenTrie> trie, const Tokenizer& tokenizer,
                         std::shared_ptr<Worker> worker)
    : trie_(std::move(trie)),
      tokenizer_(tokenizer),
      matcher_(std::move(grammar), trie_),
      bits_(trie_->n_words()),
      worker_(std::move(worker)) {}

GrammarMask::~GrammarMask() { join(); }

void GrammarMask::join() {
  if (mask_ != Mask::in_work) return;
  is_computed_.acquire();
  mask_ = Mask::ready;
}

void GrammarMask::prepare() {
  if (!status_ || mask_ != Mask::none) return;
  mask_ = Mask::in_work;
  worker_->post([this] {
    computed_ = matcher_.mask(bits_);
    is_computed_.release();
  });
}

Result<> GrammarMask::apply(std::span<float> logits) {
  OGAS_TRY(status_);
  join();
  if (mask_ == Mask::none) computed_ = matcher_.mask(bits_);
  mask_ = Mask::none;
  OGAS_TRY(computed_);
  keep_only(bits_, logits);
  return {};
}

void GrammarMask::begin_with(std::string_view text) {
  join();
  mask_ = Mask::none;
  status_ = matcher_.accept_bytes(text);
}

void GrammarMask::accept(TokenId id) {
  join();
  mask_ = Mask::none;
  if (!status_) return;
  status_ = matcher_.accept(id);
  last_ = id;
}

std::vector<TokenId> GrammarMask::forced() {
  join();
  if (!status_ || matcher_.is_ended()) return {};
  const auto bytes = matcher_.forced_bytes();
  if (!bytes) return {};
  std::vector<TokenId> tokens;
  TokenId before = last_.value_or(kNoToken);
  for (std::string_view rest = *bytes; !rest.empty();) {
    const size_t control = rest.find(TokenTrie::kControlByte);
    if (control > 0) {
      const std::string_view text = rest.substr(0, control);
      if (!add_forced(text, before, /*is_last=*/text.size() == rest.size(), tokens)) break;
      rest.remove_prefix(text.size());
    } else {
      if (rest.size() < 2) break;
      tokens.push_back(trie_->controls()[static_cast<uint8_t>(rest[1])]);
      rest.remove_prefix(2);
    }
    if (!tokens.empty()) before = tokens.back();
  }
  return tokens;
}

// The token before decides where the first one begins, unless it is a control token. The last one may be longer with
// what follows, unless a control token does. Whether all of the text became tokens: what a tokenizer changes, or has no
// token for, is left to the mask.
bool GrammarMask::add_forced(std::string_view text, TokenId before, bool is_last, std::vector<TokenId>& tokens) const {
  const bool is_joined = before != kNoToken && !trie_->bytes_of(before).starts_with(TokenTrie::kControlByte);
  const std::string beginning(is_joined ? tokenizer_.bytes_of(before) : std::string_view());
  std::vector<TokenId> found = tokenizer_.encode(beginning + std::string(text));
  if (found.empty() || (is_joined && found.front() != before)) return false;
  if (is_joined) found.erase(found.begin());
  if (is_last && !found.empty()) found.pop_back();
  for (const TokenId token : found) {
    const std::string_view bytes = trie_->bytes_of(token);
    if (bytes.empty() || !text.starts_with(bytes)) return false;
    text.remove_prefix(bytes.size());
    tokens.push_back(token);
  }
  return text.empty();
}

}  // namespace ogas
