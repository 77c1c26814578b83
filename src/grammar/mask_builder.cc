#include "grammar/mask_builder.h"

#include <algorithm>
#include <array>

#include "grammar/plain_text.h"

namespace ogas::grammar {
namespace {

void add_bits(std::span<uint32_t> bits, std::span<const uint32_t> others) {
  for (size_t idx = 0; idx < others.size(); ++idx) bits[idx] |= others[idx];
}

}  // namespace

MaskBuilder::MaskBuilder(Pushdown& pushdown, std::shared_ptr<const TokenTrie> trie)
    : pushdown_(pushdown), automaton_(pushdown.automaton()), trie_(std::move(trie)), path_(trie_->max_depth() + 1) {}

void MaskBuilder::build(const ParserState& state, std::span<uint32_t> bits) {
  std::ranges::fill(bits, 0);
  for (const Configuration& configuration : state.configurations) add(configuration, bits);
  for (const auto& [first, second] : trie_->duplicates())
    if (mask_has(bits, first)) add_to_mask(bits, second);
  if (state.is_complete)
    for (const TokenId id : trie_->ends()) add_to_mask(bits, id);
}

void MaskBuilder::add(const Configuration& configuration, std::span<uint32_t> bits) {
  const LexemeMask& mask = lexeme_mask(configuration.lexeme);
  add_bits(bits, mask.bits);
  for (const TokenId id : mask.tokens) add_to_mask(bits, id);
  if (&mask == &scratch_) {
    const std::vector<Crossing> crossings = std::move(scratch_.crossings);
    follow(crossings, configuration.stack, bits);
  } else {
    follow(mask.crossings, configuration.stack, bits);
  }
}

// Tokens that go beyond a lexeme's end.
void MaskBuilder::follow(const std::vector<Crossing>& crossings, StackId stack, std::span<uint32_t> bits) {
  std::vector<Crossing> further;
  const auto take = [&](TokenId id) { add_to_mask(bits, id); };
  const ParserState* after = nullptr;
  NodeId last = kNothing;
  for (const Crossing& crossing : crossings) {
    if (!after || crossing.lexeme != last) after = &pushdown_.after_lexeme(crossing.lexeme, stack);
    last = crossing.lexeme;
    for (const Configuration& next : after->configurations) {
      further.clear();
      walk(*crossing.trie, crossing.node + 1, (*crossing.trie)[crossing.node].end, next.lexeme, further, take);
      if (!further.empty()) follow(further, next.stack, bits);
    }
  }
}

const MaskBuilder::LexemeMask& MaskBuilder::lexeme_mask(NodeId lexeme) {
  if (const auto known = kept_.find(lexeme); known != kept_.end()) return known->second;
  constexpr size_t kMaxFootprint = 32u << 20, kWorthKeeping = 500;
  scratch_ = {};
  if (compute(lexeme, scratch_) < kWorthKeeping) return scratch_;
  if (footprint_ > kMaxFootprint) {
    kept_.clear();
    is_free_.clear();
    footprint_ = 0;
  }
  footprint_ += scratch_.bits.size() * sizeof(uint32_t) + scratch_.tokens.size() * sizeof(TokenId) +
                scratch_.crossings.size() * sizeof(Crossing);
  return kept_.emplace(lexeme, std::move(scratch_)).first->second;
}

// The state that most letters lead to, if all plain text may follow there.
std::optional<NodeId> MaskBuilder::free_state_after(NodeId lexeme) {
  const Transitions& row = automaton_.transitions(lexeme);
  std::array<uint32_t, 26> states{};
  std::copy_n(row.begin() + 'a', states.size(), states.begin());
  std::ranges::sort(states);
  const uint32_t most = states[states.size() / 2];  // if more than half are one state, the median is
  if (most == kNothing) return std::nullopt;
  const NodeId state = most & ~kAccepting;
  const auto [known, is_new] = is_free_.try_emplace(state, false);
  if (is_new) known->second = plain_text_after(automaton_, state, TokenTrie::kMaxPlain).n_characters == kUnbounded;
  return known->second ? std::optional(state) : std::nullopt;
}

// Removes the tokens of a plain trie that leave the lexeme. Nothing is removed, nor looked at, once the free state is
// reached: a token that could go beyond the lexeme's end there is allowed without it.
size_t MaskBuilder::remove_tokens(const Trie& trie, NodeId lexeme, NodeId free, LexemeMask& mask) {
  const Transitions& free_row = automaton_.transitions(free);
  path_[0] = &automaton_.transitions(lexeme);
  size_t n_visited = 0;
  for (uint32_t idx = 0; idx < trie.size();) {
    const TrieNode& node = trie[idx];
    ++n_visited;
    const uint32_t next = (*path_[node.depth])[node.byte];
    if (next == kNothing) {
      for (; idx < node.end; ++idx)
        if (trie[idx].token >= 0) remove_from_mask(mask.bits, trie[idx].token);
      continue;
    }
    if (next == free_row[node.byte]) {  // the free state, or one within a character that leads there
      idx = node.end;
      continue;
    }
    const NodeId after = next & ~kAccepting;
    if (next & kAccepting) mask.crossings.push_back({&trie, idx, after});
    path_[node.depth + 1u] = &automaton_.transitions(after);
    ++idx;
  }
  return n_visited;
}

// Returns how many nodes were looked at.
size_t MaskBuilder::compute(NodeId lexeme, LexemeMask& mask) {
  size_t n_visited = 0;
  const auto take = [&](TokenId id) { mask.tokens.push_back(id); };
  const auto walk_all = [&](const Trie& trie) {
    n_visited += walk(trie, 0, static_cast<uint32_t>(trie.size()), lexeme, mask.crossings, take);
  };
  walk_all(trie_->other());
  const auto free = free_state_after(lexeme);
  const PlainText plain = !free             ? plain_text_after(automaton_, lexeme, TokenTrie::kMaxPlain)
                          : *free == lexeme ? PlainText{.n_characters = kUnbounded}
                                            : PlainText{};
  if (plain.n_characters > 0 || free) {
    const bool is_all = plain.n_characters == kUnbounded || free;
    const size_t n_characters = is_all ? TokenTrie::kMaxPlain + 1 : plain.n_characters;
    const auto all = trie_->plain_up_to(n_characters);
    mask.bits.assign(all.begin(), all.end());
    if (free && *free != lexeme)
      for (const Trie* trie : {&trie_->plain_short(), &trie_->plain_long()})
        n_visited += remove_tokens(*trie, lexeme, *free, mask);
    if (!is_all && !plain.ends_there) {
      if (n_characters < TokenTrie::kMaxPlain) walk_all(trie_->plain_short());
      walk_all(trie_->plain_long());
    }
  } else {
    walk_all(trie_->plain_short());
    walk_all(trie_->plain_long());
  }
  if (mask.bits.empty() && mask.tokens.size() * 2 > trie_->n_words()) mask.bits.resize(trie_->n_words());
  if (!mask.bits.empty()) {
    for (const TokenId id : mask.tokens) add_to_mask(mask.bits, id);
    mask.tokens = {};
  }
  std::ranges::stable_sort(mask.crossings, {}, &Crossing::lexeme);
  return n_visited;
}

template <class Take>
size_t MaskBuilder::walk(const Trie& trie, uint32_t begin, uint32_t end, NodeId lexeme,
                         std::vector<Crossing>& crossings, const Take& take) {
  if (begin >= end) return 0;
  const uint16_t depth = trie[begin].depth;
  path_[0] = &automaton_.transitions(lexeme);
  size_t n_visited = 0;
  for (uint32_t idx = begin; idx < end;) {
    const TrieNode& node = trie[idx];
    ++n_visited;
    const uint32_t next = (*path_[static_cast<size_t>(node.depth - depth)])[node.byte];
    if (next == kNothing) {
      idx = node.end;
      continue;
    }
    if (node.token >= 0) take(node.token);
    const uint32_t child = idx + 1;
    if (child == node.end) {
      idx = child;
      continue;
    }
    const NodeId after = next & ~kAccepting;
    if (next & kAccepting) {
      crossings.push_back({&trie, idx, after});
      if (!pushdown_.can_continue(after)) {
        idx = node.end;
        continue;
      }
    }
    path_[static_cast<size_t>(node.depth - depth + 1)] = &automaton_.transitions(after);
    idx = child;
  }
  return n_visited;
}

}  // namespace ogas::grammar
