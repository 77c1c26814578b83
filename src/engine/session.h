// A conversation's tokens and what the layers keep of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "nn/kv_cache.h"
#include "nn/row_kind.h"
#include "text/vocab.h"

namespace ogas {

class Session {
 public:
  explicit Session(KvCache& cache) : kv(cache) {}

  void append(std::span<const TokenId> computed, RowKind kind) {
    if (kind == RowKind::prompt && n_given == tokens.size()) n_given += computed.size();
    tokens.insert(tokens.end(), computed.begin(), computed.end());
  }
  // Forgets all from token n on, which the layers must be able to go back to.
  void truncate(size_t n) {
    kv.truncate(n);
    tokens.resize(n);
    n_given = std::min(n_given, n);
  }

  KvSequence kv;
  std::vector<TokenId> tokens;  // those kv holds
  size_t n_given = 0;           // of these, the first ones, up to one that was generated
};

}  // namespace ogas
