#include "grammar/derivative.h"

#include <algorithm>

#include "grammar/decimal_multiple.h"

namespace ogas::grammar {
namespace {

NodeId derive_list(Regexes& regexes, const Node& node, uint8_t byte) {
  std::vector<NodeId> results;
  results.reserve(node.b);
  for (uint32_t idx = 0; idx < node.b; ++idx) {
    // The list may move while derivatives are added.
    const NodeId child = regexes.children(node)[idx];
    const NodeId derived = derive(regexes, child, byte);
    if (derived != kNothing) {
      results.push_back(derived);
    } else if (node.kind == NodeKind::intersection) {
      return kNothing;
    }
  }
  if (results.empty()) return kNothing;
  if (node.kind == NodeKind::alternative) return regexes.alternative(std::move(results));
  return regexes.intersection(std::move(results));
}

NodeId derive_branch(const Regexes& regexes, const Node& node, uint8_t byte) {
  const auto edges = regexes.edges(node);
  const auto found = std::ranges::lower_bound(edges, byte, {}, &Edge::byte);
  return found != edges.end() && found->byte == byte ? found->node : kNothing;
}

// A class splits where some of its bytes are in the set and some are not.
void refine(std::vector<ByteSet>& classes, const ByteSet& set) {
  const size_t n_before = classes.size();
  for (size_t idx = 0; idx < n_before; ++idx) {
    const ByteSet inside = classes[idx] & set;
    if (inside.empty() || inside == classes[idx]) continue;
    classes[idx] = classes[idx] & ~set;
    classes.push_back(inside);
  }
}

void refine_classes(const Regexes& regexes, NodeId id, std::vector<ByteSet>& classes) {
  const Node& node = regexes[id];
  switch (node.kind) {
    case NodeKind::nothing:
    case NodeKind::empty:
    case NodeKind::accept: return;
    case NodeKind::bytes: return refine(classes, regexes.set_of(node));
    case NodeKind::concat:
      refine_classes(regexes, node.a, classes);
      if (regexes[node.a].is_nullable) refine_classes(regexes, node.b, classes);
      return;
    case NodeKind::alternative:
    case NodeKind::intersection:
      for (const NodeId child : regexes.children(node)) refine_classes(regexes, child, classes);
      return;
    case NodeKind::complement:
    case NodeKind::repeat: return refine_classes(regexes, node.a, classes);
    case NodeKind::branch:
      for (const Edge& edge : regexes.edges(node)) refine(classes, ByteSet::range(edge.byte, edge.byte));
      return;
    case NodeKind::multiple: {
      const ByteSet bytes = bytes_of_multiple();
      for (unsigned byte = '-'; byte <= '9'; ++byte)
        if (bytes.has(static_cast<uint8_t>(byte)))
          refine(classes, ByteSet::range(static_cast<uint8_t>(byte), static_cast<uint8_t>(byte)));
      return;
    }
  }
}

}  // namespace

NodeId derive(Regexes& regexes, NodeId id, uint8_t byte) {
  const Node node = regexes[id];
  regexes.spend(1);
  switch (node.kind) {
    case NodeKind::nothing:
    case NodeKind::empty:
    case NodeKind::accept: return kNothing;
    case NodeKind::bytes: return regexes.set_of(node).has(byte) ? kEmpty : kNothing;
    case NodeKind::concat: {
      const NodeId first = regexes.concat(derive(regexes, node.a, byte), node.b);
      return regexes[node.a].is_nullable ? regexes.alternative(first, derive(regexes, node.b, byte)) : first;
    }
    case NodeKind::alternative:
    case NodeKind::intersection: return derive_list(regexes, node, byte);
    case NodeKind::complement: return regexes.complement(derive(regexes, node.a, byte));
    case NodeKind::repeat: {
      const NodeId first = derive(regexes, node.a, byte);
      if (first == kNothing) return kNothing;
      const uint32_t max = node.c == kUnbounded ? kUnbounded : node.c - 1;
      return regexes.concat(first, regexes.repeat(node.a, node.b == 0 ? 0 : node.b - 1, max));
    }
    case NodeKind::branch: return derive_branch(regexes, node, byte);
    case NodeKind::multiple: return derive_multiple(regexes, node, byte);
  }
  return kNothing;
}

std::vector<ByteSet> byte_classes(const Regexes& regexes, NodeId id) {
  std::vector<ByteSet> classes = {ByteSet::range(0, 255)};
  refine_classes(regexes, id, classes);
  return classes;
}

bool matches(Regexes& regexes, NodeId id, std::string_view text) {
  for (const char c : text) {
    id = derive(regexes, id, static_cast<uint8_t>(c));
    if (id == kNothing) return false;
  }
  return regexes[id].is_nullable;
}

}  // namespace ogas::grammar
