// AVX-512 (F, BW, DQ, VL): sixteen floats at a time (Skylake-X 2017, Zen 4 and later); and with VNNI, whose vpdpbusd
// adds four products of bytes to a 32-bit sum in one instruction (Cascade Lake 2019, Ice Lake, Zen 4 and later).
//
// Only what generic.h and panels.h require of an instruction set; the algorithms are there.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "quant/unpacked.h"

namespace ogas {
namespace {

struct Avx512 {
  using Floats = __m512;  // kWidth floats
  using Ints = __m512i;   // kWidth 32-bit integers
  static constexpr size_t kWidth = 16;

  static OGAS_INLINE Floats zero() { return _mm512_setzero_ps(); }
  static OGAS_INLINE Floats set1(float x) { return _mm512_set1_ps(x); }
  static OGAS_INLINE Floats load(const float* p) { return _mm512_loadu_ps(p); }
  static OGAS_INLINE Floats load_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static OGAS_INLINE Floats load_bf16(const uint16_t* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
  static OGAS_INLINE void store(float* p, Floats x) { _mm512_storeu_ps(p, x); }
  static OGAS_INLINE void store_f16(uint16_t* p, Floats x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static OGAS_INLINE Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static OGAS_INLINE Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static OGAS_INLINE Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static OGAS_INLINE Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
  static OGAS_INLINE Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static OGAS_INLINE Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  static OGAS_INLINE Floats abs(Floats x) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0F), x); }
  // a * b + c, rounded once.
  static OGAS_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  // Rows of plain weights that are multiplied with four tokens at once.
  static constexpr size_t kPlainRows = 2;
  // What attention processes at once for its four rows: keys to score, or vectors of a value to add.
  static constexpr size_t kKeysTogether = 4;
  // One number for all lanes.
  using Scalar = Floats;
  static OGAS_INLINE Scalar load_scalar(const float* p) { return set1(*p); }
  static OGAS_INLINE Floats fma_scalar(Floats a, Scalar b, Floats c) { return fma(a, b, c); }
  static OGAS_INLINE Floats round(Floats x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT); }
  // 2^n of whole numbers -126 <= n <= 127.
  static OGAS_INLINE Floats power_of_two(Floats n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
  }
  static OGAS_INLINE float sum(Floats x) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
  }
  // The sums of four vectors, each as sum() forms it.
  static OGAS_INLINE void store_sums(const Floats* x, float* sums) {
    const auto halves_of_two = [](Floats a, Floats b) OGAS_LAMBDA_INLINE {
      return _mm512_add_ps(_mm512_insertf32x8(a, _mm512_castps512_ps256(b), 1), _mm512_shuffle_f32x4(a, b, 0xEE));
    };
    const Floats first = halves_of_two(x[0], x[1]), second = halves_of_two(x[2], x[3]);
    Floats quarters =
        _mm512_add_ps(_mm512_shuffle_f32x4(first, second, 0x88), _mm512_shuffle_f32x4(first, second, 0xDD));
    quarters = _mm512_add_ps(quarters, _mm512_permute_ps(quarters, 0x4E));
    quarters = _mm512_add_ps(quarters, _mm512_movehdup_ps(quarters));
    _mm_storeu_ps(sums, _mm512_castps512_ps128(_mm512_maskz_compress_ps(0x1111, quarters)));
  }
  static OGAS_INLINE float largest(Floats x) {
    const __m256 half = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 quarter = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    quarter = _mm_max_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_max_ss(quarter, _mm_movehdup_ps(quarter)));
  }
  static OGAS_INLINE Floats to_floats(Ints x) { return _mm512_cvtepi32_ps(x); }
  // As dot32() lays out its sums: `low` in lanes 0..3, `high` in 4..7, and zeros.
  static OGAS_INLINE Floats halves(float low, float high) {
    const __m256 both = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_set1_ps(low)), _mm_set1_ps(high), 1);
    return _mm512_zextps256_ps512(both);
  }

  // 32 weights, as maddubs and vpdpbusd need them: unsigned magnitudes, and the signs to apply to the other factor.
  struct Codes {
    __m256i magnitudes, signs;
  };
  static OGAS_INLINE Codes load_codes(const int8_t* p) {
    const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_abs_epi8(codes), codes};
  }
  static OGAS_INLINE __m256i signed_for(Codes weights, const int8_t* x) {
    return _mm256_sign_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)), weights.signs);
  }
  // Eight sums of four products each, in order, then eight zeros: signs cost less in 32 bytes than in 64. Exact: a pair
  // is at most 2 * 128 * 127 < 2^15, so maddubs never saturates.
  static OGAS_INLINE Ints dot32(Codes weights, const int8_t* x) {
    const __m256i pairs = _mm256_maddubs_epi16(weights.magnitudes, signed_for(weights, x));
    return _mm512_zextsi256_si512(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  // Rounds kWidth floats in -127..127 to bytes; returns their sum.
  static OGAS_INLINE int store_codes(int8_t* p, Floats x) {
    const __m512i wide = _mm512_cvtps_epi32(x);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(wide));
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(wide), _mm512_extracti64x4_epi64(wide, 1));
    __m128i total = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    total = _mm_add_epi32(total, _mm_shuffle_epi32(total, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(total, _mm_shuffle_epi32(total, 0xB1)));
  }

  // Panels (panels.h, multiply_panels.h): kWidth rows, four bytes of each in a vector. 32 registers hold the sums of
  // 2 x 8, and their operands.
  using Bytes = __m512i;
  static constexpr size_t kTilePanels = 2, kTileTokens = 6, kTileTokensBy16 = 4;
  static constexpr size_t direct_tokens(bool /*has_offset*/) { return 6; }
  static constexpr size_t max_directly(size_t bits) { return bits == 6 ? 16 : SIZE_MAX; }
  static OGAS_INLINE Bytes load_bytes(const std::byte* p) { return _mm512_loadu_si512(p); }
  static OGAS_INLINE void store_bytes(std::byte* p, Bytes x) { _mm512_storeu_si512(p, x); }
  static OGAS_INLINE Bytes and_bytes(Bytes x, uint8_t mask) {
    return _mm512_and_si512(x, _mm512_set1_epi8(static_cast<char>(mask)));
  }
  static OGAS_INLINE Bytes or_bytes(Bytes a, Bytes b) { return _mm512_or_si512(a, b); }
  // Shifts pairs of bytes: the caller masks out the bits that cross from one byte to the other.
  template <int kBits>
  static OGAS_INLINE Bytes shift_right(Bytes x) {
    return _mm512_srli_epi16(x, kBits);
  }
  template <int kBits>
  static OGAS_INLINE Bytes shift_left(Bytes x) {
    return _mm512_slli_epi16(x, kBits);
  }
  static OGAS_INLINE Ints set1_int(int x) { return _mm512_set1_epi32(x); }
  static OGAS_INLINE Ints add_ints(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  template <int kBits>
  static OGAS_INLINE Ints shift_ints_left(Ints x) {
    return _mm512_slli_epi32(x, kBits);
  }
  // Bytes 4 k..4 k + 3 at x in every lane.
  static OGAS_INLINE Bytes four_at(const int8_t* x, size_t k) {
    int four;
    __builtin_memcpy(&four, x + 4 * k, sizeof four);
    return _mm512_set1_epi32(four);
  }
  using Pairs = Ints;
  // Products of bytes, added by twos: shorts. The first factor is unsigned, at most 127.
  static OGAS_INLINE Pairs unsigned_pairs(Bytes weights, Bytes x) { return _mm512_maddubs_epi16(weights, x); }
  // Both are signed; the first is -128 at least, the second -127.
  static OGAS_INLINE Pairs signed_pairs(Bytes weights, Bytes x) {
    const __m512i turned = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(weights), _mm512_setzero_si512(), x);
    return _mm512_maddubs_epi16(_mm512_abs_epi8(weights), turned);
  }
  static OGAS_INLINE Pairs add_shorts(Pairs a, Pairs b) { return _mm512_add_epi16(a, b); }
  static OGAS_INLINE void keep_in_order(Pairs& sum) { asm("" : "+v"(sum)); }
  // Shorts, added by twos.
  static OGAS_INLINE Ints add_neighbours(Pairs shorts) { return _mm512_madd_epi16(shorts, _mm512_set1_epi16(1)); }
  static OGAS_INLINE Floats load_u8(const uint8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static OGAS_INLINE Floats load_s8(const int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static OGAS_INLINE void prefetch(const std::byte* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }
  static OGAS_INLINE void prefetch_to_l2(const std::byte* p) {
    _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1);
  }
};

#ifdef __AVX512VNNI__
struct Avx512Vnni : Avx512 {
  static OGAS_INLINE Ints dot32(Codes weights, const int8_t* x) {
    return _mm512_zextsi256_si512(
        _mm256_dpbusd_epi32(_mm256_setzero_si256(), weights.magnitudes, signed_for(weights, x)));
  }

  static constexpr size_t direct_tokens(bool has_offset) { return has_offset ? 6 : 8; }
  static constexpr size_t max_directly(size_t bits) { return bits == 6 ? 24 : bits == 5 ? 48 : SIZE_MAX; }
  // Adds to each lane four unsigned bytes times four signed ones.
  static OGAS_INLINE Ints dot4(Ints sums, Bytes weights, Bytes x) { return _mm512_dpbusd_epi32(sums, weights, x); }
};
#endif

#ifdef __AVX512BF16__
// VNNI and the dot product of BF16 pairs (Cooper Lake 2020, Zen 4, Sapphire Rapids and later).
struct Avx512Bf16 : Avx512Vnni {
  using Bf16s = __m512bh;  // 2 * kWidth
  static OGAS_INLINE Bf16s load_bf16s(const uint16_t* p) { return reinterpret_cast<Bf16s>(_mm512_loadu_si512(p)); }
  // The first n, n < 2 * kWidth; the others are zeros.
  static OGAS_INLINE Bf16s load_bf16s(const uint16_t* p, size_t n) {
    return reinterpret_cast<Bf16s>(_mm512_maskz_loadu_epi16((uint32_t{1} << n) - 1, p));
  }
  // Adds to each lane two products; numbers below 2^-126 count as zeros.
  static OGAS_INLINE Floats dot_bf16(Floats sums, Bf16s a, Bf16s b) { return _mm512_dpbf16_ps(sums, a, b); }
  // 2 * kWidth numbers, rounded to nearest.
  static OGAS_INLINE void store_bf16s(uint16_t* p, const float* x) {
    _mm512_storeu_si512(p, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(load(x + kWidth), load(x))));
  }

  // Rows, and numbers of a row, of a tile of activations; a tile of weights is a panel's rows and as many numbers.
  static constexpr size_t kTileRows = 16, kTileInputs = 32, kTileNumbers = 512;
  static constexpr bool kTilesAreQuicker = false;
  struct Tiles {};  // nothing to set up

  // after[g] = before[g], or zeros, + n_steps tiles of activations, from x[g] on, times as many of weights, from w[p]
  // on. A tile's sums stay in registers, and its activations are the multiplier's memory operand.
  template <size_t kGroups, size_t kPanels, class Sums>
  static OGAS_INLINE void multiply_tiles(const uint16_t* const (&x)[kGroups], const uint16_t* const (&w)[kPanels],
                                         size_t n_steps, const Sums* before, const Sums (&after)[kGroups]) {
    for (size_t group = 0; group < kGroups; ++group) {
      for (size_t panel = 0; panel < kPanels; ++panel) {
        Floats total[kTileRows];
#pragma GCC unroll 16
        for (size_t row = 0; row < kTileRows; ++row)
          total[row] = before ? load(before[group].at + row * before[group].stride + panel * kWidth) : zero();
        for (size_t at = 0; at < n_steps * kTileNumbers; at += kTileNumbers) {
          for (size_t pair = 0; pair < kTileInputs; pair += 2) {
            const Bf16s weights = load_bf16s(w[panel] + at + pair * kWidth);
#pragma GCC unroll 16
            for (size_t row = 0; row < kTileRows; ++row) {
              int two;
              __builtin_memcpy(&two, x[group] + at + row * kTileInputs + pair, sizeof two);
              total[row] = dot_bf16(total[row], weights, reinterpret_cast<Bf16s>(_mm512_set1_epi32(two)));
            }
          }
        }
#pragma GCC unroll 16
        for (size_t row = 0; row < kTileRows; ++row)
          store(after[group].at + row * after[group].stride + panel * kWidth, total[row]);
      }
    }
  }

  // Lane by lane the first number, then the second, rounded to nearest.
  static OGAS_INLINE __m512i pairs_of(Floats first, Floats second) {
    alignas(64) static constexpr uint16_t kOrder[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_load_si512(kOrder),
                                    reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first)));
  }

  // What codes of a panel become in a tile: two vectors of pairs, of a lane's first and last two codes.
  // scale * (256 + code) + offset; `offset` takes the 256 back. (A code is put into the mantissa of 256, so that no
  // conversion is needed; the product with 256 loses 2^-16 of the scale at most, BF16 2^-9 of the number.)
  static OGAS_INLINE void store_weights(uint16_t* out, Bytes codes, Floats scale, Floats offset) {
    const auto value_of = [&](__m512i placed) OGAS_LAMBDA_INLINE {
      const __m512i with_256 =  // (placed & mask) | exponent
          _mm512_ternarylogic_epi32(placed, _mm512_set1_epi32(0x007F8000), _mm512_set1_epi32(0x43800000), 0xEA);
      return fma(_mm512_castsi512_ps(with_256), scale, offset);
    };
    const Floats first = value_of(_mm512_slli_epi32(codes, 15)), second = value_of(_mm512_slli_epi32(codes, 7));
    const Floats third = value_of(_mm512_srli_epi32(codes, 1)), fourth = value_of(_mm512_srli_epi32(codes, 9));
    _mm512_storeu_si512(out, pairs_of(first, second));
    _mm512_storeu_si512(out + 2 * kWidth, pairs_of(third, fourth));
  }
};
#endif

}  // namespace
}  // namespace ogas
