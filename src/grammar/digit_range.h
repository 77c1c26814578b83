// All sequences of digits from one to another, both of the same length, as an expression.
#pragma once

#include <span>

#include "grammar/regex.h"

namespace ogas::grammar {

// Digits after the first run from min to max. node_of(position, first, last) gives the expression of one digit.
template <class NodeOf>
NodeId digit_range(Regexes& regexes, std::span<const uint32_t> low, std::span<const uint32_t> high, uint32_t min,
                   uint32_t max, const NodeOf& node_of, size_t position = 0) {
  if (low.size() == 1) return node_of(position, low[0], high[0]);
  const auto rest = [&](std::span<const uint32_t> from, std::span<const uint32_t> to) {
    return digit_range(regexes, from, to, min, max, node_of, position + 1);
  };
  if (low[0] == high[0])
    return regexes.concat(node_of(position, low[0], low[0]), rest(low.subspan(1), high.subspan(1)));
  const std::vector<uint32_t> zeros(low.size() - 1, min), nines(low.size() - 1, max);
  std::vector<NodeId> parts;
  uint32_t first = low[0], last = high[0];
  if (!std::equal(zeros.begin(), zeros.end(), low.begin() + 1)) {
    parts.push_back(regexes.concat(node_of(position, first, first), rest(low.subspan(1), nines)));
    ++first;
  }
  if (!std::equal(nines.begin(), nines.end(), high.begin() + 1)) {
    parts.push_back(regexes.concat(node_of(position, last, last), rest(zeros, high.subspan(1))));
    --last;
  }
  if (first <= last) parts.push_back(regexes.concat(node_of(position, first, last), rest(zeros, nines)));
  return regexes.alternative(std::move(parts));
}

}  // namespace ogas::grammar
