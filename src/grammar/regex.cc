#include "grammar/regex.h"

#include <algorithm>

#include "grammar/hashing.h"
#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

constexpr uint32_t kFree = UINT32_MAX;
constexpr uint8_t kAllUniverses = (1u << kUniverses) - 1;

uint64_t hash_of(const ByteSet& set) {
  uint64_t hash = 7;
  for (size_t idx = 0; idx < 4; ++idx) hash = mix(hash, set.word(idx));
  return hash;
}

uint64_t hash_of(const Node& node) { return mix(mix(mix(static_cast<uint64_t>(node.kind), node.a), node.b), node.c); }

}  // namespace

Regexes::Regexes(size_t max_nodes) : max_nodes_(max_nodes), table_(1024, kFree), set_table_(64, kFree) {
  add_simple({.kind = NodeKind::nothing});
  add_simple({.kind = NodeKind::empty, .is_nullable = true, .universes = kAllUniverses});
  add_simple({.kind = NodeKind::complement, .is_nullable = true, .a = kNothing});
}

NodeId Regexes::add(const Node& node, uint64_t hash) {
  if (nodes_.size() >= max_nodes_) refuse("it is too complex: its automaton has more than {} states", max_nodes_);
  nodes_.push_back(node);
  hashes_.push_back(hash);
  const auto id = static_cast<NodeId>(nodes_.size() - 1);
  if (nodes_.size() * 2 > table_.size()) {
    grow_table();
  } else {
    size_t slot = hash & (table_.size() - 1);
    while (table_[slot] != kFree) slot = (slot + 1) & (table_.size() - 1);
    table_[slot] = id;
  }
  return id;
}

void Regexes::refuse_work() { refuse("it is too complex: working it out takes too long"); }

void Regexes::grow_table() {
  table_.assign(table_.size() * 2, kFree);
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    size_t slot = hashes_[id] & (table_.size() - 1);
    while (table_[slot] != kFree) slot = (slot + 1) & (table_.size() - 1);
    table_[slot] = id;
  }
}

bool Regexes::equals(NodeId id, const Node& node, std::span<const NodeId> list, std::span<const Edge> edges) const {
  const Node& other = nodes_[id];
  if (other.kind != node.kind) return false;
  if (node.kind == NodeKind::alternative || node.kind == NodeKind::intersection)
    return std::ranges::equal(children(other), list);
  if (node.kind == NodeKind::branch) return std::ranges::equal(this->edges(other), edges);
  return other.a == node.a && other.b == node.b && other.c == node.c;
}

NodeId Regexes::find_or_add(Node node, uint64_t hash, std::span<const NodeId> list, std::span<const Edge> edges) {
  for (size_t slot = hash & (table_.size() - 1); table_[slot] != kFree; slot = (slot + 1) & (table_.size() - 1))
    if (hashes_[table_[slot]] == hash && equals(table_[slot], node, list, edges)) return table_[slot];
  if (!list.empty()) {
    node.a = static_cast<uint32_t>(children_.size());
    node.b = static_cast<uint32_t>(list.size());
    children_.insert(children_.end(), list.begin(), list.end());
  }
  if (!edges.empty()) {
    node.a = static_cast<uint32_t>(edges_.size());
    node.b = static_cast<uint32_t>(edges.size());
    edges_.insert(edges_.end(), edges.begin(), edges.end());
  }
  return add(node, hash);
}

NodeId Regexes::add_simple(const Node& node) { return find_or_add(node, hash_of(node), {}, {}); }

uint32_t Regexes::set_index(const ByteSet& set) {
  if (sets_.size() * 2 >= set_table_.size()) {
    set_table_.assign(set_table_.size() * 2, kFree);
    for (uint32_t idx = 0; idx < sets_.size(); ++idx) {
      size_t slot = hash_of(sets_[idx]) & (set_table_.size() - 1);
      while (set_table_[slot] != kFree) slot = (slot + 1) & (set_table_.size() - 1);
      set_table_[slot] = idx;
    }
  }
  size_t slot = hash_of(set) & (set_table_.size() - 1);
  for (; set_table_[slot] != kFree; slot = (slot + 1) & (set_table_.size() - 1))
    if (sets_[set_table_[slot]] == set) return set_table_[slot];
  set_table_[slot] = static_cast<uint32_t>(sets_.size());
  sets_.push_back(set);
  return set_table_[slot];
}

NodeId Regexes::bytes(const ByteSet& set) {
  if (set.empty()) return kNothing;
  return add_simple({.kind = NodeKind::bytes, .a = set_index(set)});
}

NodeId Regexes::byte(char c) { return bytes(ByteSet::of({c})); }

NodeId Regexes::literal(std::string_view text) {
  NodeId node = kEmpty;
  for (size_t idx = text.size(); idx-- > 0;) node = concat(byte(text[idx]), node);
  return node;
}

NodeId Regexes::concat(NodeId first, NodeId second) {
  if (first == kNothing || second == kNothing) return kNothing;
  if (first == kEmpty) return second;
  if (second == kEmpty) return first;
  if (nodes_[first].kind == NodeKind::concat) {  // to the right, so that equal texts are equal nodes
    std::vector<NodeId> heads;
    for (; nodes_[first].kind == NodeKind::concat; first = nodes_[first].b) heads.push_back(nodes_[first].a);
    NodeId node = concat(first, second);
    for (size_t idx = heads.size(); idx-- > 0;) node = concat(heads[idx], node);
    return node;
  }
  const Node &head = nodes_[first], &tail = nodes_[second];
  return add_simple({.kind = NodeKind::concat,
                     .is_nullable = head.is_nullable && tail.is_nullable,
                     .is_searched = head.is_searched || tail.is_searched,
                     .universes = static_cast<uint8_t>(head.universes & tail.universes),
                     .a = first,
                     .b = second});
}

NodeId Regexes::concat(std::initializer_list<NodeId> nodes) {
  NodeId node = kEmpty;
  for (size_t idx = nodes.size(); idx-- > 0;) node = concat(nodes.begin()[idx], node);
  return node;
}

void Regexes::flatten(NodeKind kind, std::vector<NodeId>& nodes) {
  const size_t size = nodes.size();
  for (size_t idx = 0; idx < size; ++idx) {
    const Node& node = nodes_[nodes[idx]];
    if (node.kind != kind) continue;
    const auto list = children(node);
    nodes[idx] = list[0];
    nodes.insert(nodes.end(), list.begin() + 1, list.end());
  }
  spend(nodes.size());
  std::ranges::sort(nodes);
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
}

// Several sets of bytes become one.
void Regexes::merge_bytes(NodeKind kind, std::vector<NodeId>& nodes) {
  const auto is_bytes = [&](NodeId id) { return nodes_[id].kind == NodeKind::bytes; };
  const auto first = std::ranges::find_if(nodes, is_bytes);
  if (first == nodes.end() || std::find_if(first + 1, nodes.end(), is_bytes) == nodes.end()) return;
  ByteSet merged = set_of(nodes_[*first]);
  uint8_t universes = kAllUniverses;
  for (const NodeId id : nodes) {
    if (!is_bytes(id)) continue;
    merged = kind == NodeKind::alternative ? merged | set_of(nodes_[id]) : merged & set_of(nodes_[id]);
    universes &= nodes_[id].universes;
  }
  std::erase_if(nodes, is_bytes);
  const NodeId node = bytes(merged);
  if (node != kNothing) nodes_[node].universes |= universes;
  nodes.insert(std::ranges::lower_bound(nodes, node), node);
}

NodeId Regexes::add_list(NodeKind kind, const std::vector<NodeId>& nodes) {
  const bool is_alternative = kind == NodeKind::alternative;
  Node result{.kind = kind,
              .is_nullable = !is_alternative,
              .is_searched = !is_alternative,
              .universes = is_alternative ? kAllUniverses : uint8_t{0}};
  uint64_t hash = static_cast<uint64_t>(kind);
  for (const NodeId id : nodes) {
    const Node& node = nodes_[id];
    if (is_alternative) {
      result.is_nullable |= node.is_nullable;
      result.is_searched |= node.is_searched;
      result.universes &= node.universes;
    } else {
      result.is_nullable &= node.is_nullable;
      result.universes |= node.universes;
    }
    hash = mix(hash, id);
  }
  return find_or_add(result, hash, nodes, {});
}

bool Regexes::holds_universe(unsigned universe, const std::vector<NodeId>& nodes) const {
  return text_universes_[universe] != kNothing && std::ranges::binary_search(nodes, text_universes_[universe]);
}

NodeId Regexes::alternative(NodeId first, NodeId second) {
  if (first == second || second == kNothing) return first;
  if (first == kNothing) return second;
  return alternative(std::vector<NodeId>{first, second});
}

NodeId Regexes::alternative(std::vector<NodeId> nodes) {
  flatten(NodeKind::alternative, nodes);
  merge_bytes(NodeKind::alternative, nodes);
  std::erase(nodes, kNothing);
  if (std::ranges::binary_search(nodes, kAnything)) return kAnything;
  for (unsigned universe = 0; universe < kUniverses; ++universe)
    if (nodes.size() > 1 && holds_universe(universe, nodes))
      std::erase_if(nodes, [&](NodeId id) { return is_part_of(universe, id); });
  // The empty text is in one of the others already.
  if (nodes.size() > 1 && nodes[0] == kEmpty && std::any_of(nodes.begin() + 1, nodes.end(), [&](NodeId id) {
        return nodes_[id].is_nullable && nodes_[id].kind != NodeKind::accept;
      }))
    nodes.erase(nodes.begin());
  if (nodes.empty()) return kNothing;
  if (nodes.size() == 1) return nodes[0];
  return add_list(NodeKind::alternative, nodes);
}

NodeId Regexes::intersection(NodeId first, NodeId second) {
  if (first == second || second == kAnything) return first;
  if (first == kAnything) return second;
  return intersection(std::vector<NodeId>{first, second});
}

NodeId Regexes::intersection(std::vector<NodeId> nodes) {
  flatten(NodeKind::intersection, nodes);
  merge_bytes(NodeKind::intersection, nodes);
  std::erase(nodes, kAnything);
  if (nodes.empty()) return kAnything;
  if (nodes[0] == kNothing) return kNothing;
  if (nodes.size() == 1) return nodes[0];
  if (std::ranges::binary_search(nodes, kEmpty))
    return std::ranges::all_of(nodes, [&](NodeId id) { return nodes_[id].is_nullable; }) ? kEmpty : kNothing;
  for (unsigned universe = 0; universe < kUniverses; ++universe) {
    if (!holds_universe(universe, nodes)) continue;
    if (std::ranges::none_of(nodes, [&](NodeId id) { return is_part_of(universe, id); })) continue;
    std::erase(nodes, text_universes_[universe]);
    if (nodes.size() == 1) return nodes[0];
  }
  for (const NodeId id : nodes)  // a text and its complement
    if (nodes_[id].kind == NodeKind::complement && std::ranges::binary_search(nodes, nodes_[id].a)) return kNothing;
  return add_list(NodeKind::intersection, nodes);
}

NodeId Regexes::complement(NodeId node) {
  if (nodes_[node].kind == NodeKind::complement) return nodes_[node].a;
  return add_simple(
      {.kind = NodeKind::complement, .is_nullable = !nodes_[node].is_nullable, .is_searched = true, .a = node});
}

NodeId Regexes::repeat(NodeId node, uint32_t min, uint32_t max) {
  if (max == 0 || node == kEmpty) return kEmpty;
  if (node == kNothing) return min == 0 ? kEmpty : kNothing;
  if (min == 1 && max == 1) return node;
  const Node& inner = nodes_[node];
  if (inner.is_nullable) min = 0;
  if (max == 1) return optional(node);
  if (inner.kind == NodeKind::repeat && inner.b == 0 && inner.c == kUnbounded) return node;
  return add_simple({.kind = NodeKind::repeat,
                     .is_nullable = min == 0,
                     .is_searched = inner.is_searched,
                     .universes = inner.universes,
                     .a = node,
                     .b = min,
                     .c = max});
}

NodeId Regexes::accept(Tag tag) { return add_simple({.kind = NodeKind::accept, .is_nullable = true, .a = tag}); }

NodeId Regexes::branch(std::span<const Edge> edges) {
  if (edges.empty()) return kNothing;
  if (edges.size() == 1) return concat(byte(static_cast<char>(edges[0].byte)), edges[0].node);
  Node node{.kind = NodeKind::branch};
  uint64_t hash = static_cast<uint64_t>(NodeKind::branch);
  for (const Edge& edge : edges) {
    node.is_searched |= nodes_[edge.node].is_searched;
    hash = mix(mix(hash, edge.byte), edge.node);
  }
  return find_or_add(node, hash, {}, edges);
}

NodeId Regexes::multiple(uint32_t divisor, uint32_t phase, uint32_t remainder, bool is_nullable) {
  return add_simple({.kind = NodeKind::multiple, .is_nullable = is_nullable, .a = divisor, .b = phase, .c = remainder});
}

uint32_t Regexes::divisor(const Divisor& divisor) {
  const auto found = std::ranges::find(divisors_, divisor);
  if (found != divisors_.end()) return static_cast<uint32_t>(found - divisors_.begin());
  divisors_.push_back(divisor);
  return static_cast<uint32_t>(divisors_.size() - 1);
}

void Regexes::tags_of(NodeId id, std::vector<Tag>& tags) const {
  const Node& node = nodes_[id];
  if (!node.is_nullable) return;
  if (node.kind == NodeKind::accept) {
    tags.push_back(node.a);
  } else if (node.kind == NodeKind::alternative) {
    for (const NodeId child : children(node)) tags_of(child, tags);
  } else if (node.kind == NodeKind::concat) {
    tags_of(node.b, tags);
  }
}

size_t Regexes::footprint() const {
  return nodes_.capacity() * (sizeof(Node) + sizeof(uint64_t)) + children_.capacity() * sizeof(NodeId) +
         edges_.capacity() * sizeof(Edge) + sets_.capacity() * sizeof(ByteSet) + table_.capacity() * sizeof(NodeId);
}

}  // namespace ogas::grammar
