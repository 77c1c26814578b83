// The automaton of an arena of expressions: nodes are states, their derivatives transitions. Transitions are computed
// when they are first needed, and kept.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "grammar/derivative.h"
#include "grammar/regex.h"

namespace ogas::grammar {

// By byte: the next state with kAccepting where it may end there. kNothing: no text with this beginning matches.
using Transitions = std::array<uint32_t, 256>;
inline constexpr uint32_t kAccepting = 1u << 31;

class Automaton {
 public:
  explicit Automaton(size_t max_nodes, size_t max_rows) : regexes_(max_nodes), max_rows_(max_rows) {}

  Regexes& regexes() { return regexes_; }
  const Regexes& regexes() const { return regexes_; }

  // Never leads to a state that matches nothing.
  const Transitions& transitions(NodeId id) {
    if (id < rows_.size() && rows_[id] && rows_[id]->is_pruned) return rows_[id]->next;
    return prune(id);
  }
  NodeId next(NodeId id, uint8_t byte) { return transitions(id)[byte] & ~kAccepting; }
  // Whether it matches any text.
  bool is_live(NodeId id);
  // How many texts it matches, but at most `limit`.
  size_t count_texts(NodeId id, size_t limit);
  size_t footprint() const { return regexes_.footprint() + n_rows_ * sizeof(Row) + rows_.capacity() * sizeof(void*); }

 private:
  struct Row {
    Transitions next = {};
    std::vector<NodeId> successors;  // each state in `next` once
    bool is_pruned = false;
  };
  enum class Life : uint8_t { unknown, live, dead };

  Row& row(NodeId id);
  const Transitions& prune(NodeId id);
  bool search_live(NodeId id);
  Life& life(NodeId id);

  Regexes regexes_;
  size_t max_rows_, n_rows_ = 0;
  std::vector<std::unique_ptr<Row>> rows_;  // by node
  std::vector<Life> lives_;                 // by node
};

}  // namespace ogas::grammar
