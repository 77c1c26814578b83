// Regular expressions over bytes as nodes of an arena. Equal expressions are one node, so that the derivatives of an
// expression (derivative.h) are finitely many and serve as states of an automaton (automaton.h).
//
// Beyond the usual operators there are intersection and complement, which make schemas' allOf and not exact; counted
// repetition that takes one node however large its counts are; `accept`, which matches nothing further and carries a
// tag; `branch`, a node of a trie; and `multiple`, decimal numbers that are multiples of a number.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/byte_set.h"

namespace ogas::grammar {

using NodeId = uint32_t;
using Tag = uint32_t;

inline constexpr NodeId kNothing = 0;   // matches no text
inline constexpr NodeId kEmpty = 1;     // matches the empty text
inline constexpr NodeId kAnything = 2;  // matches every text
inline constexpr uint32_t kUnbounded = UINT32_MAX;
inline constexpr unsigned kUniverses = 2;

enum class NodeKind : uint8_t {
  nothing,
  empty,
  bytes,         // a: index of the ByteSet
  concat,        // a, b
  alternative,   // a: first of its children, b: how many
  intersection,  // a: first of its children, b: how many
  complement,    // a
  repeat,        // a, from b to c times
  accept,        // a: the tag
  branch,        // a: first of its edges, b: how many
  multiple,      // a: index of the divisor, b: phase, c: remainder (decimal_multiple.h)
};

struct Node {
  NodeKind kind = NodeKind::nothing;
  bool is_nullable = false;
  bool is_searched = false;  // holds intersection or complement: whether it matches anything takes a search
  uint8_t universes = 0;     // bits: matches only texts of these universes (set_text_universe())
  uint32_t a = 0, b = 0, c = 0;
  bool operator==(const Node&) const = default;
};

// One byte of a trie and what follows.
struct Edge {
  uint8_t byte;
  NodeId node;
  bool operator==(const Edge&) const = default;
};

// value = p / 10^q
struct Divisor {
  uint32_t p = 1;
  uint32_t q = 0;
  bool operator==(const Divisor&) const = default;
};

class Regexes {
 public:
  // max_nodes: more are refused.
  explicit Regexes(size_t max_nodes);

  NodeId bytes(const ByteSet& set);
  NodeId byte(char c);
  NodeId literal(std::string_view text);
  NodeId concat(NodeId first, NodeId second);
  NodeId concat(std::initializer_list<NodeId> nodes);
  NodeId alternative(NodeId first, NodeId second);
  NodeId alternative(std::vector<NodeId> nodes);
  NodeId intersection(NodeId first, NodeId second);
  NodeId intersection(std::vector<NodeId> nodes);
  NodeId complement(NodeId node);
  NodeId repeat(NodeId node, uint32_t min, uint32_t max = kUnbounded);
  NodeId optional(NodeId node) { return alternative(node, kEmpty); }
  NodeId accept(Tag tag);
  // Edges in the order of their bytes, each byte once.
  NodeId branch(std::span<const Edge> edges);
  NodeId multiple(uint32_t divisor, uint32_t phase, uint32_t remainder, bool is_nullable);
  uint32_t divisor(const Divisor& divisor);

  const Node& operator[](NodeId id) const { return nodes_[id]; }
  size_t size() const { return nodes_.size(); }
  std::span<const NodeId> children(const Node& node) const { return {children_.data() + node.a, node.b}; }
  std::span<const Edge> edges(const Node& node) const { return {edges_.data() + node.a, node.b}; }
  const ByteSet& set_of(const Node& node) const { return sets_[node.a]; }
  const Divisor& divisor_of(const Node& node) const { return divisors_[node.a]; }
  // Tags of a node that may end here.
  void tags_of(NodeId id, std::vector<Tag>& tags) const;

  // The texts of whole characters: node is any character, any number of times. An alternative with all of them absorbs
  // other texts, which keeps automata of patterns small.
  // There may be two: texts as they are, and as JSON strings have them.
  void set_text_universe(unsigned universe, NodeId node) { text_universes_[universe] = node; }
  void mark_text(unsigned universe, NodeId node) { nodes_[node].universes |= static_cast<uint8_t>(1u << universe); }
  // How much work may be done from now on, in steps of some 20 ns; what takes more is refused. So neither compiling nor
  // a mask takes long, however a grammar is made, and the limit does not depend on the clock.
  void set_work_limit(uint64_t n_steps) { n_steps_left_ = n_steps; }
  void spend(uint64_t n_steps) {
    if (n_steps > n_steps_left_) refuse_work();
    n_steps_left_ -= n_steps;
  }

  // Bytes of memory, about.
  size_t footprint() const;

 private:
  NodeId add(const Node& node, uint64_t hash);
  NodeId add_simple(const Node& node);
  NodeId add_list(NodeKind kind, const std::vector<NodeId>& nodes);
  bool equals(NodeId id, const Node& node, std::span<const NodeId> list, std::span<const Edge> edges) const;
  NodeId find_or_add(Node node, uint64_t hash, std::span<const NodeId> list, std::span<const Edge> edges);
  void grow_table();
  [[noreturn]] static void refuse_work();
  uint32_t set_index(const ByteSet& set);
  void flatten(NodeKind kind, std::vector<NodeId>& nodes);
  void merge_bytes(NodeKind kind, std::vector<NodeId>& nodes);
  // nodes: in order.
  bool holds_universe(unsigned universe, const std::vector<NodeId>& nodes) const;
  // Whether it matches only texts of a universe, but not all of them as one node.
  bool is_part_of(unsigned universe, NodeId id) const {
    return id != text_universes_[universe] && (nodes_[id].universes >> universe & 1) != 0;
  }

  size_t max_nodes_;
  uint64_t n_steps_left_ = UINT64_MAX;
  std::array<NodeId, kUniverses> text_universes_{kNothing, kNothing};
  std::vector<Node> nodes_;
  std::vector<uint64_t> hashes_;  // by node
  std::vector<NodeId> children_;
  std::vector<Edge> edges_;
  std::vector<ByteSet> sets_;
  std::vector<Divisor> divisors_;
  std::vector<NodeId> table_;        // open addressing by hash
  std::vector<uint32_t> set_table_;  // the same for sets_
};

}  // namespace ogas::grammar
