#include "grammar/matcher.h"

#include <algorithm>

#include "base/check.h"
#include "base/quote.h"
#include "grammar/engine.h"
#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

bool is_stuck(const ParserState& state) { return state.configurations.empty() && !state.is_complete; }

}  // namespace

GrammarMatcher::GrammarMatcher(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie)
    : grammar_(std::move(grammar)), trie_(std::move(trie)), engine_(grammar_->engine()), sizes_{0} {
  const std::lock_guard lock(engine_->mutex());
  engine_->begin_operation();
  try {
    states_.push_back(engine_->pushdown().start(engine_->root()));
  } catch (const Refusal&) {  // the grammar's engine has grown too large since it was compiled
    states_.push_back({});
  }
}

Result<> GrammarMatcher::extend(std::string_view bytes) {
  const std::lock_guard lock(engine_->mutex());
  engine_->begin_operation();
  ParserState state = states_.back();
  const size_t size = written_.size();
  for (const char byte : bytes) {
    written_ += byte;
    try {
      state = engine_->pushdown().advance(state, static_cast<uint8_t>(byte), written_);
    } catch (const Refusal& refusal) {
      states_.back() = {};
      return fail(refusal.code, "{}", refusal.reason);
    }
    if (is_stuck(state)) {
      const size_t n_taken = written_.size() - size - 1;
      written_.resize(size);
      return fail(ErrorCode::usage, "{} may not come next: it breaks the grammar at byte {}", in_quotes(bytes),
                  n_taken);
    }
  }
  states_.push_back(std::move(state));
  sizes_.push_back(written_.size());
  return {};
}

Result<> GrammarMatcher::accept_bytes(std::string_view bytes) {
  if (is_ended_) return fail(ErrorCode::usage, "the text has ended");
  return extend(bytes);
}

Result<> GrammarMatcher::accept(TokenId id) {
  if (is_ended_) return fail(ErrorCode::usage, "the text has ended");
  if (trie_->is_end(id)) {
    if (!is_complete()) return fail(ErrorCode::usage, "the text may not end here");
    states_.push_back(states_.back());
    sizes_.push_back(written_.size());
    is_ended_ = true;
    return {};
  }
  const std::string_view bytes = trie_->bytes_of(id);
  if (bytes.empty()) return fail(ErrorCode::usage, "token {} is not text", id);
  return extend(bytes);
}

Result<> GrammarMatcher::mask(std::span<uint32_t> bits) {
  OGAS_CHECK(bits.size() == trie_->n_words(), "{} words for {} tokens", bits.size(), trie_->n_tokens());
  if (is_ended_) {
    std::ranges::fill(bits, 0);
    return {};
  }
  const std::lock_guard lock(engine_->mutex());
  engine_->begin_operation();
  try {
    engine_->masks(trie_).build(states_.back(), bits);
  } catch (const Refusal& refusal) {
    states_.back() = {};
    std::ranges::fill(bits, 0);
    return fail(refusal.code, "{}", refusal.reason);
  }
  return {};
}

void GrammarMatcher::rollback(size_t n_tokens) {
  OGAS_CHECK(n_tokens < states_.size(), "{} of {} tokens", n_tokens, states_.size() - 1);
  if (n_tokens == 0) return;
  states_.resize(states_.size() - n_tokens);
  sizes_.resize(states_.size());
  written_.resize(sizes_.back());
  is_ended_ = false;
}

// The only byte that may come next, or -1.
int GrammarMatcher::forced_byte(const ParserState& state) {
  if (state.is_complete) return -1;
  int found = -1;
  for (const Configuration& configuration : state.configurations) {
    const Transitions& next = engine_->pushdown().automaton().transitions(configuration.lexeme);
    for (int byte = 0; byte < 256; ++byte) {
      if (next[static_cast<size_t>(byte)] == kNothing || byte == found) continue;
      if (found >= 0) return -1;
      found = byte;
    }
  }
  return found;
}

Result<std::string> GrammarMatcher::forced_bytes(size_t max) {
  const std::lock_guard lock(engine_->mutex());
  engine_->begin_operation();
  std::string forced, written = written_;
  ParserState state = states_.back();
  try {
    for (int byte = forced_byte(state); byte >= 0 && forced.size() < max; byte = forced_byte(state)) {
      forced += static_cast<char>(byte);
      written += static_cast<char>(byte);
      state = engine_->pushdown().advance(state, static_cast<uint8_t>(byte), written);
    }
  } catch (const Refusal& refusal) {
    return fail(refusal.code, "{}", refusal.reason);
  }
  return forced;
}

}  // namespace ogas::grammar
