#include "engine/prefix_key.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ogas {
namespace {

PrefixKey key_of(XXH128_hash_t hash) { return {hash.high64, hash.low64}; }

}  // namespace

PrefixKey PrefixKey::of_model(std::string_view identity) {
  return key_of(XXH3_128bits(identity.data(), identity.size()));
}

PrefixKey PrefixKey::then(PageTokens tokens) const {
  std::array<std::byte, sizeof(PrefixKey) + PageTokens::extent * sizeof(TokenId)> all;
  std::memcpy(all.data(), this, sizeof *this);
  std::memcpy(all.data() + sizeof *this, tokens.data(), tokens.size_bytes());
  return key_of(XXH3_128bits(all.data(), all.size()));
}

std::string PrefixKey::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

uint64_t checksum(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace ogas
