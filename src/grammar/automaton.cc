#include "grammar/automaton.h"

#include <algorithm>

#include "grammar/refusal.h"

namespace ogas::grammar {

Automaton::Row& Automaton::row(NodeId id) {
  if (id < rows_.size() && rows_[id]) return *rows_[id];
  if (n_rows_ >= max_rows_) refuse("it is too complex: its automaton has more than {} states", max_rows_);
  regexes_.spend(100);
  auto made = std::make_unique<Row>();
  for (const ByteSet& bytes : byte_classes(regexes_, id)) {
    uint32_t next = derive(regexes_, id, bytes.first());
    if (next != kNothing && std::ranges::find(made->successors, next) == made->successors.end())
      made->successors.push_back(next);
    if (regexes_[next].is_nullable) next |= kAccepting;
    bytes.for_each([&](uint8_t byte) { made->next[byte] = next; });
  }
  if (rows_.size() <= id) rows_.resize(std::max<size_t>(regexes_.size(), id + 1));
  rows_[id] = std::move(made);
  ++n_rows_;
  return *rows_[id];
}

const Transitions& Automaton::prune(NodeId id) {
  Row& found = row(id);
  if (found.is_pruned) return found.next;
  std::vector<NodeId> dead;
  for (const NodeId successor : found.successors)
    if (!is_live(successor)) dead.push_back(successor);
  if (!dead.empty()) {
    for (uint32_t& next : found.next)
      if (std::ranges::find(dead, next & ~kAccepting) != dead.end()) next = kNothing;
    std::erase_if(found.successors, [&](NodeId each) { return std::ranges::find(dead, each) != dead.end(); });
  }
  found.is_pruned = true;
  return found.next;
}

Automaton::Life& Automaton::life(NodeId id) {
  if (lives_.size() <= id) lives_.resize(std::max<size_t>(regexes_.size(), id + 1), Life::unknown);
  return lives_[id];
}

bool Automaton::is_live(NodeId id) {
  const Node node = regexes_[id];
  if (node.is_nullable) return true;
  if (!node.is_searched) return id != kNothing;  // the constructors leave no other dead node
  if (life(id) != Life::unknown) return life(id) == Life::live;
  bool result = false;
  if (node.kind == NodeKind::concat) {
    result = is_live(node.a) && is_live(node.b);
  } else if (node.kind == NodeKind::repeat) {
    result = is_live(node.a);
  } else if (node.kind == NodeKind::alternative) {
    for (uint32_t idx = 0; idx < node.b && !result; ++idx) result = is_live(regexes_.children(node)[idx]);
  } else if (node.kind == NodeKind::branch) {
    for (uint32_t idx = 0; idx < node.b && !result; ++idx) result = is_live(regexes_.edges(node)[idx].node);
  } else {
    result = search_live(id);
  }
  life(id) = result ? Life::live : Life::dead;
  return result;
}

// Breadth first, until a state that may end or is known to be live.
bool Automaton::search_live(NodeId id) {
  constexpr size_t kMaxStates = 50'000;
  std::vector<NodeId> reached = {id};
  std::vector<size_t> parents = {0};  // by index in `reached`
  std::vector<bool> seen(regexes_.size());
  seen[id] = true;
  for (size_t idx = 0; idx < reached.size(); ++idx) {
    if (reached.size() > kMaxStates) refuse("it is too complex: a search for a text that it allows took too long");
    const Row& found = row(reached[idx]);
    regexes_.spend(10);
    if (seen.size() < regexes_.size()) seen.resize(regexes_.size());
    for (const NodeId successor : found.successors) {
      if (seen[successor]) continue;
      seen[successor] = true;
      const Life known = life(successor);
      if (known == Life::dead) continue;
      const Node& node = regexes_[successor];
      if (known == Life::live || node.is_nullable || !node.is_searched) {
        // All on the path to it are live.
        for (size_t at = idx; at != 0; at = parents[at]) life(reached[at]) = Life::live;
        return true;
      }
      reached.push_back(successor);
      parents.push_back(idx);
    }
  }
  for (const NodeId dead : reached) life(dead) = Life::dead;
  return false;
}

size_t Automaton::count_texts(NodeId id, size_t limit) {
  if (!is_live(id)) return 0;
  size_t count = 0, n_steps = 0;
  std::vector<NodeId> pending = {id};
  // No two pending states lead to the same text, and each leads to one.
  while (!pending.empty() && count + pending.size() < limit) {
    const NodeId node = pending.back();
    pending.pop_back();
    if (regexes_[node].is_nullable) ++count;
    if (++n_steps > 100'000) refuse("it is too complex: counting the texts that it allows took too long");
    for (const uint32_t next : transitions(node))
      if (next != kNothing) pending.push_back(next & ~kAccepting);
  }
  return std::min(limit, count + pending.size());
}

}  // namespace ogas::grammar
