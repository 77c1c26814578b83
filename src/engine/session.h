// A conversation's tokens and what the layers keep of them, and what is computed next of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "nn/kv_cache.h"
#include "ops/row_kind.h"
#include "text/vocab.h"

namespace ogas {

// Made by Engine::new_session, and must not outlive the engine.
class Session {
 public:
  explicit Session(KvCache& cache) : kv(cache) {}

  void append(std::span<const TokenId> computed, RowKind kind) {
    if (kind == RowKind::prefill && n_prompt_tokens == tokens.size()) n_prompt_tokens += computed.size();
    tokens.insert(tokens.end(), computed.begin(), computed.end());
  }
  // Continues with pages that were computed elsewhere, from these tokens, as append() would have it; as
  // KvSequence::add_pages().
  void add_pages(std::span<const KvPage> pages, const KvSnapshot* snapshot, std::span<const TokenId> page_tokens) {
    kv.add_pages(pages, page_tokens.size(), snapshot);
    append(page_tokens, RowKind::prefill);
  }
  // Forgets all from token n on, which the layers must be able to go back to.
  void truncate(size_t n) {
    kv.truncate(n);
    tokens.resize(n);
    n_prompt_tokens = std::min(n_prompt_tokens, n);
    n_in_prefix_cache = std::min(n_in_prefix_cache, n);
  }

  KvSequence kv;
  std::vector<TokenId> tokens;   // those kv holds
  size_t n_prompt_tokens = 0;    // of these, the first ones, up to one that was generated
  size_t n_in_prefix_cache = 0;  // of these, the first ones, in whole pages that the prefix cache has
};

// Tokens to be computed after those that a session holds.
struct BatchItem {
  Session* session = nullptr;
  std::span<const TokenId> tokens = {};
  RowKind kind = RowKind::prefill;  // what they are computed as (ops/row_kind.h)
  uint32_t n_logits = 1;            // of how many of the last ones logits are wanted
};

}  // namespace ogas
