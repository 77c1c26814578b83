#include "grammar/pushdown.h"

#include <algorithm>

#include "grammar/hashing.h"
#include "grammar/refusal.h"

namespace ogas::grammar {

// All configurations that can be reached without writing anything.
class Pushdown::Closure {
 public:
  Closure(Pushdown& pushdown, std::optional<std::string_view> written) : pushdown_(pushdown), written_(written) {}

  void start(ItemId item, StackId below) {
    const std::pair key(item, below);
    if (std::ranges::find(started_, key) != started_.end()) return;
    constexpr size_t kMaxStarted = 5000;
    if (started_.size() >= kMaxStarted) refuse("it can be read in too many ways at once");
    started_.push_back(key);
    const ItemExpansion expansion = pushdown_.source_.expand(item);
    for (const NodeId lexeme : expansion.lexemes) {
      if (!pushdown_.automaton_.is_live(lexeme)) continue;
      const StackId stack = pushdown_.push(item, below);
      if (pushdown_.can_continue(lexeme)) add({lexeme, stack});
      if (pushdown_.automaton_.regexes()[lexeme].is_nullable) accept(lexeme, stack);
    }
    for (const std::vector<ItemId>& sequence : expansion.sequences) follow(sequence, below);
  }

  void accept(NodeId lexeme, StackId stack) {
    std::vector<Tag> tags;
    pushdown_.automaton_.regexes().tags_of(lexeme, tags);
    const Stack entries = pushdown_.stacks_[stack];
    for (const Tag tag : tags)
      for (const StackEntry& entry : entries) follow(pushdown_.source_.follow(tag, entry.item, written_), entry.below);
  }

  void add(const Configuration& configuration) {
    for (Configuration& known : state_.configurations) {
      if (known.lexeme != configuration.lexeme) continue;
      known.stack = pushdown_.merge(known.stack, configuration.stack);
      return;
    }
    constexpr size_t kMaxConfigurations = 2000;
    if (state_.configurations.size() >= kMaxConfigurations) refuse("it can be read in too many ways at once");
    state_.configurations.push_back(configuration);
  }

  ParserState take() { return std::move(state_); }

 private:
  void follow(const std::vector<ItemId>& sequence, StackId below) {
    if (sequence.empty()) return pop(below);
    for (size_t idx = sequence.size(); idx-- > 1;) below = pushdown_.push(sequence[idx], below);
    start(sequence[0], below);
  }

  void pop(StackId stack) {
    const Stack entries = pushdown_.stacks_[stack];
    for (const StackEntry& entry : entries) {
      if (entry.item == kBottom) {
        state_.is_complete = true;
      } else {
        start(entry.item, entry.below);
      }
    }
  }

  Pushdown& pushdown_;
  std::optional<std::string_view> written_;
  ParserState state_;
  std::vector<std::pair<ItemId, StackId>> started_;
};

size_t Pushdown::StackHash::operator()(const Stack& stack) const {
  uint64_t hash = 0;
  for (const StackEntry& entry : stack) hash = mix(mix(hash, entry.item), entry.below);
  return hash;
}

StackId Pushdown::intern(Stack stack) {
  const auto [found, is_new] = known_.try_emplace(std::move(stack), static_cast<StackId>(stacks_.size()));
  if (is_new) stacks_.push_back(found->first);
  return found->second;
}

// The stacks of both.
StackId Pushdown::merge(StackId left, StackId right) {
  if (left == right) return left;
  const uint64_t key = uint64_t{std::min(left, right)} << 32 | std::max(left, right);
  if (const auto known = merged_.find(key); known != merged_.end()) return known->second;
  Stack all = stacks_[left];
  all.insert(all.end(), stacks_[right].begin(), stacks_[right].end());
  std::ranges::sort(all);
  Stack result;
  for (const StackEntry& entry : all) {
    if (!result.empty() && result.back().item == entry.item) {
      result.back().below = merge(result.back().below, entry.below);
    } else {
      result.push_back(entry);
    }
  }
  const StackId id = intern(std::move(result));
  merged_.emplace(key, id);
  return id;
}

bool Pushdown::can_continue(NodeId lexeme) const {
  const Regexes& regexes = automaton_.regexes();
  const Node& node = regexes[lexeme];
  const auto is_end = [&](NodeId id) { return regexes[id].kind == NodeKind::accept; };
  if (node.kind == NodeKind::alternative) return !std::ranges::all_of(regexes.children(node), is_end);
  return node.kind != NodeKind::accept;
}

ParserState Pushdown::start(ItemId root) {
  Closure closure(*this, std::string_view());
  closure.start(root, 0);
  return closure.take();
}

ParserState Pushdown::advance(const ParserState& state, uint8_t byte, std::string_view written) {
  Closure closure(*this, written);
  for (const Configuration& configuration : state.configurations) {
    const uint32_t next = automaton_.transitions(configuration.lexeme)[byte];
    if (next == kNothing) continue;
    const NodeId lexeme = next & ~kAccepting;
    if (can_continue(lexeme)) closure.add({lexeme, configuration.stack});
    if (next & kAccepting) closure.accept(lexeme, configuration.stack);
  }
  return closure.take();
}

const ParserState& Pushdown::after_lexeme(NodeId lexeme, StackId stack) {
  const uint64_t key = uint64_t{lexeme} << 32 | stack;
  if (const auto known = closures_.find(key); known != closures_.end()) return known->second;
  Closure closure(*this, std::nullopt);
  closure.accept(lexeme, stack);
  return closures_.emplace(key, closure.take()).first->second;
}

size_t Pushdown::footprint() const {
  constexpr size_t kPerEntry = 96;  // with what the tables take
  return automaton_.footprint() + (stacks_.size() + merged_.size() + closures_.size()) * kPerEntry;
}

}  // namespace ogas::grammar
