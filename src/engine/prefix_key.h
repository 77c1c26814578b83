// What names a prefix: 128 bits of a hash over the model and all tokens up to the end of a page.
//
// What is found by a key has its page's tokens compared, too, so that tokens made to collide find nothing that belongs
// to others.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "nn/kv_cache.h"
#include "text/vocab.h"

namespace ogas {

// Tokens of a whole page of the cache.
using PageTokens = std::span<const TokenId, KvLayout::kPagePositions>;

struct PrefixKey {
  uint64_t high = 0, low = 0;

  auto operator<=>(const PrefixKey&) const = default;
  // Of no tokens: what the KV cache depends on besides them.
  static PrefixKey of_model(std::string_view identity);
  // Of this prefix and one page more.
  PrefixKey then(PageTokens tokens) const;
  std::string hex() const;  // 32 digits
};

struct PrefixKeyHash {
  size_t operator()(const PrefixKey& key) const { return key.low; }
};

// 64 bits that damage changes; no protection against those who write on purpose.
uint64_t checksum(std::span<const std::byte> bytes);

}  // namespace ogas
