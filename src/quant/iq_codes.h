// Shared by the IQ formats of two and three bits: magnitudes from a code book, with separate signs.
#pragma once

#include "quant/iq_grids.h"
#include "quant/unpacked.h"

namespace ogas {

constexpr int8_t kIq2Levels[4] = {8, 25, 43, 0};  // the last is in no code book
constexpr int8_t kIq3XxsLevels[8] = {4, 12, 20, 28, 36, 44, 52, 62};

// Eight signs in seven bits: the last makes the number of minuses even.
OGAS_INLINE uint8_t even_signs(uint32_t seven_bits) {
  return static_cast<uint8_t>(seven_bits | static_cast<uint32_t>(__builtin_parity(seven_bits)) << 7);
}

OGAS_INLINE int8_t with_sign(int8_t magnitude, uint8_t signs, size_t idx) {
  return static_cast<int8_t>(signs >> idx & 1 ? -magnitude : magnitude);
}

// Eight codes of an entry of two bits a value.
OGAS_INLINE void unpack_entry2(uint16_t entry, uint8_t signs, int8_t* codes) {
  for (size_t l = 0; l < 8; ++l) codes[l] = with_sign(kIq2Levels[entry >> 2 * l & 3], signs, l);
}

// Four codes of an entry of three bits a value; signs start with those of the first.
OGAS_INLINE void unpack_entry3_xxs(uint16_t entry, uint8_t signs, int8_t* codes) {
  for (size_t l = 0; l < 4; ++l) codes[l] = with_sign(kIq3XxsLevels[entry >> 3 * l & 7], signs, l);
}
OGAS_INLINE void unpack_entry3_s(uint16_t entry, uint8_t signs, int8_t* codes) {
  for (size_t l = 0; l < 4; ++l) codes[l] = with_sign(static_cast<int8_t>(2 * (entry >> 3 * l & 7) + 1), signs, l);
}

}  // namespace ogas
