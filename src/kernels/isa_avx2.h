// AVX2 with FMA and F16C: eight floats, or 32 bytes, at a time (Haswell 2013, Zen 2017 and later).
//
// Only what generic.h requires of an instruction set; the algorithms are there.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "quant/unpacked.h"

namespace ogas {
namespace {

struct Avx2 {
  using Floats = __m256;  // kWidth floats
  using Ints = __m256i;   // kWidth 32-bit integers
  static constexpr size_t kWidth = 8;

  static OGAS_INLINE Floats zero() { return _mm256_setzero_ps(); }
  static OGAS_INLINE Floats set1(float x) { return _mm256_set1_ps(x); }
  static OGAS_INLINE Floats load(const float* p) { return _mm256_loadu_ps(p); }
  static OGAS_INLINE Floats load_f16(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static OGAS_INLINE Floats load_bf16(const uint16_t* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
  static OGAS_INLINE void store(float* p, Floats x) { _mm256_storeu_ps(p, x); }
  static OGAS_INLINE void store_f16(uint16_t* p, Floats x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static OGAS_INLINE Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static OGAS_INLINE Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static OGAS_INLINE Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static OGAS_INLINE Floats div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
  static OGAS_INLINE Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static OGAS_INLINE Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
  static OGAS_INLINE Floats abs(Floats x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), x); }
  // a * b + c, rounded once.
  static OGAS_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  // Rows of plain weights that are multiplied with four tokens at once.
  static constexpr size_t kPlainRows = 1;
  // What attention processes at once for its four rows: keys to score, or vectors of a value to add.
  static constexpr size_t kKeysTogether = 2;
  // One number for all lanes.
  using Scalar = Floats;
  static OGAS_INLINE Scalar load_scalar(const float* p) { return set1(*p); }
  static OGAS_INLINE Floats fma_scalar(Floats a, Scalar b, Floats c) { return fma(a, b, c); }
  static OGAS_INLINE Floats round(Floats x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  // 2^n of whole numbers -126 <= n <= 127.
  static OGAS_INLINE Floats power_of_two(Floats n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
  }
  static OGAS_INLINE float sum(Floats x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  // The sums of four vectors, each as sum() forms it.
  static OGAS_INLINE void store_sums(const Floats* x, float* sums) {
    const auto halves_of_two = [](Floats a, Floats b) OGAS_LAMBDA_INLINE {
      return _mm256_add_ps(_mm256_insertf128_ps(a, _mm256_castps256_ps128(b), 1), _mm256_permute2f128_ps(a, b, 0x31));
    };
    const Floats first = halves_of_two(x[0], x[1]), second = halves_of_two(x[2], x[3]);
    // Per half: two of first, two of second.
    const Floats pairs = _mm256_add_ps(_mm256_shuffle_ps(first, second, 0x44), _mm256_shuffle_ps(first, second, 0xEE));
    const Floats all = _mm256_add_ps(pairs, _mm256_movehdup_ps(pairs));  // 0 _ 2 _ | 1 _ 3 _
    _mm_storeu_ps(sums, _mm_blend_ps(_mm256_castps256_ps128(all), _mm_moveldup_ps(_mm256_extractf128_ps(all, 1)), 10));
  }
  static OGAS_INLINE float largest(Floats x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
  }
  static OGAS_INLINE Floats to_floats(Ints x) { return _mm256_cvtepi32_ps(x); }
  // `low` in the lanes that hold the first 16 of 32 products (dot32), `high` in the others.
  static OGAS_INLINE Floats halves(float low, float high) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_set1_ps(low)), _mm_set1_ps(high), 1);
  }

  // 32 weights, as maddubs needs them: unsigned magnitudes, and the signs to apply to the other factor.
  struct Codes {
    __m256i magnitudes, signs;
  };
  static OGAS_INLINE Codes load_codes(const int8_t* p) {
    const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_abs_epi8(codes), codes};
  }
  // Eight sums of four products each, in order. Exact: a pair is at most 2 * 128 * 127 < 2^15, so maddubs never
  // saturates.
  static OGAS_INLINE Ints dot32(Codes weights, const int8_t* x) {
    const __m256i signed_x = _mm256_sign_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)), weights.signs);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(weights.magnitudes, signed_x), _mm256_set1_epi16(1));
  }
  // Rounds kWidth floats in -127..127 to bytes; returns their sum.
  static OGAS_INLINE int store_codes(int8_t* p, Floats x) {
    const __m256i wide = _mm256_cvtps_epi32(x);
    const __m128i narrow = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(narrow, narrow));
    __m128i total = _mm_madd_epi16(narrow, _mm_set1_epi16(1));
    total = _mm_add_epi32(total, _mm_shuffle_epi32(total, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(total, _mm_shuffle_epi32(total, 0xB1)));
  }

  // Panels (panels.h, multiply_panels.h): kWidth rows, four bytes of each in a vector. 16 registers hold the sums of
  // 2 x 4, their factors and little else.
  using Bytes = __m256i;
  static constexpr size_t kTilePanels = 2, kTileTokens = 4, kTileTokensBy16 = 3;
  static constexpr size_t direct_tokens(bool /*has_offset*/) { return 4; }
  static constexpr size_t max_directly(size_t bits) { return bits == 6 ? 8 : 24; }
  static OGAS_INLINE Bytes load_bytes(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static OGAS_INLINE void store_bytes(std::byte* p, Bytes x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static OGAS_INLINE Bytes and_bytes(Bytes x, uint8_t mask) {
    return _mm256_and_si256(x, _mm256_set1_epi8(static_cast<char>(mask)));
  }
  static OGAS_INLINE Bytes or_bytes(Bytes a, Bytes b) { return _mm256_or_si256(a, b); }
  // Shifts pairs of bytes: the caller masks out the bits that cross from one byte to the other.
  template <int kBits>
  static OGAS_INLINE Bytes shift_right(Bytes x) {
    return _mm256_srli_epi16(x, kBits);
  }
  template <int kBits>
  static OGAS_INLINE Bytes shift_left(Bytes x) {
    return _mm256_slli_epi16(x, kBits);
  }
  static OGAS_INLINE Ints set1_int(int x) { return _mm256_set1_epi32(x); }
  static OGAS_INLINE Ints add_ints(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
  template <int kBits>
  static OGAS_INLINE Ints shift_ints_left(Ints x) {
    return _mm256_slli_epi32(x, kBits);
  }
  // Bytes 4 k..4 k + 3 at x in every lane.
  static OGAS_INLINE Bytes four_at(const int8_t* x, size_t k) {
    int four;
    __builtin_memcpy(&four, x + 4 * k, sizeof four);
    return _mm256_set1_epi32(four);
  }
  using Pairs = Ints;
  // Products of bytes, added by twos: shorts. The first factor is unsigned, at most 127.
  static OGAS_INLINE Pairs unsigned_pairs(Bytes weights, Bytes x) { return _mm256_maddubs_epi16(weights, x); }
  // Both are signed; the first is -128 at least, the second -127.
  static OGAS_INLINE Pairs signed_pairs(Bytes weights, Bytes x) {
    return _mm256_maddubs_epi16(_mm256_abs_epi8(weights), _mm256_sign_epi8(x, weights));
  }
  static OGAS_INLINE Pairs add_shorts(Pairs a, Pairs b) { return _mm256_add_epi16(a, b); }
  static OGAS_INLINE void keep_in_order(Pairs& sum) { asm("" : "+x"(sum)); }
  // Shorts, added by twos.
  static OGAS_INLINE Ints add_neighbours(Pairs shorts) { return _mm256_madd_epi16(shorts, _mm256_set1_epi16(1)); }
  static OGAS_INLINE Floats load_u8(const uint8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static OGAS_INLINE Floats load_s8(const int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static OGAS_INLINE void prefetch(const std::byte* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }
  static OGAS_INLINE void prefetch_to_l2(const std::byte* p) {
    _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1);
  }
};

// And with AVX-VNNI (Alder Lake 2021, Zen 5 and later), or, in tests only, with the same instruction of AVX-512 VNNI at
// 256 bits.
#if defined(__AVXVNNI__) || (defined(__AVX512VNNI__) && defined(__AVX512VL__))
struct AvxVnni : Avx2 {
#if defined(__AVXVNNI__)
  static OGAS_INLINE Ints add_products(Ints sums, __m256i a, __m256i b) { return _mm256_dpbusd_avx_epi32(sums, a, b); }
#else
  static OGAS_INLINE Ints add_products(Ints sums, __m256i a, __m256i b) { return _mm256_dpbusd_epi32(sums, a, b); }
#endif
  static OGAS_INLINE Ints dot32(Codes weights, const int8_t* x) {
    const __m256i signed_x = _mm256_sign_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)), weights.signs);
    return add_products(_mm256_setzero_si256(), weights.magnitudes, signed_x);
  }
  // Adds to each lane four unsigned bytes times four signed ones.
  static OGAS_INLINE Ints dot4(Ints sums, Bytes weights, Bytes x) { return add_products(sums, weights, x); }
};
#endif

}  // namespace
}  // namespace ogas
