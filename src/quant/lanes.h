// Vectors of sixteen and thirty-two bytes, as vector extensions of GCC and Clang (any target), so that unpacking
// becomes a few instructions everywhere. Compilers vectorize the same loops over single bytes poorly.
#pragma once

#include "quant/unpacked.h"

namespace ogas {

using Lanes16 = uint8_t __attribute__((vector_size(16)));
using Lanes32 = uint8_t __attribute__((vector_size(32)));

template <class Lanes>
OGAS_INLINE Lanes load_lanes(const std::byte* p) {
  Lanes lanes;
  __builtin_memcpy(&lanes, p, sizeof lanes);
  return lanes;
}

// Differences such as nibble - 8 wrap around, which is how int8_t writes them.
template <class Lanes>
OGAS_INLINE void store_codes(int8_t* p, Lanes lanes) {
  __builtin_memcpy(p, &lanes, sizeof lanes);
}

// All ones in lane i where bit i of `bits` is set.
OGAS_INLINE Lanes32 mask_from_bits(uint32_t bits) {
  uint64_t spread[4];
  for (int byte = 0; byte < 4; ++byte) spread[byte] = (bits >> 8 * byte & 255) * 0x0101010101010101U;
  Lanes32 lanes;
  __builtin_memcpy(&lanes, spread, sizeof lanes);
  constexpr Lanes32 kBit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
                            1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  return reinterpret_cast<Lanes32>((lanes & kBit) != 0);
}

// Both, as one.
OGAS_INLINE Lanes32 join(Lanes16 first, Lanes16 second) {
  return __builtin_shufflevector(first, second, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                                 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
}

// 32 nibbles in 16 bytes: the low ones come first. `bias` is subtracted from each.
OGAS_INLINE void unpack_nibble_halves(const std::byte* p, uint8_t bias, int8_t* codes) {
  const auto packed = load_lanes<Lanes16>(p);
  store_codes(codes, join(packed & 15, packed >> 4) - bias);
}

}  // namespace ogas
