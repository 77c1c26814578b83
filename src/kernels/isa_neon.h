// NEON of ARMv8-A, which every 64-bit ARM has: four floats, or 16 bytes, at a time; with the dot product of ARMv8.2,
// whose sdot adds four products of bytes to each sum (Cortex-A55 and A75 of 2017 and later); and with the products of
// matrices of ARMv8.6, whose smmla adds eight to each of two rows times two tokens (Neoverse V1, Cortex-A510 and
// later).
//
// Only what generic.h and panels.h require of an instruction set; the algorithms are there.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "quant/unpacked.h"

namespace ogas {
namespace {

struct Neon {
  using Floats = float32x4_t;  // kWidth floats
  using Ints = int32x4_t;      // kWidth 32-bit integers
  static constexpr size_t kWidth = 4;

  static OGAS_INLINE Floats zero() { return vdupq_n_f32(0); }
  static OGAS_INLINE Floats set1(float x) { return vdupq_n_f32(x); }
  static OGAS_INLINE Floats load(const float* p) { return vld1q_f32(p); }
  static OGAS_INLINE Floats load_f16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static OGAS_INLINE Floats load_bf16(const uint16_t* p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
  static OGAS_INLINE void store(float* p, Floats x) { vst1q_f32(p, x); }
  static OGAS_INLINE void store_f16(uint16_t* p, Floats x) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
  static OGAS_INLINE Floats add(Floats a, Floats b) { return vaddq_f32(a, b); }
  static OGAS_INLINE Floats sub(Floats a, Floats b) { return vsubq_f32(a, b); }
  static OGAS_INLINE Floats mul(Floats a, Floats b) { return vmulq_f32(a, b); }
  static OGAS_INLINE Floats div(Floats a, Floats b) { return vdivq_f32(a, b); }
  static OGAS_INLINE Floats max(Floats a, Floats b) { return vmaxq_f32(a, b); }
  static OGAS_INLINE Floats min(Floats a, Floats b) { return vminq_f32(a, b); }
  static OGAS_INLINE Floats abs(Floats x) { return vabsq_f32(x); }
  // a * b + c, rounded once.
  static OGAS_INLINE Floats fma(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
  // Rows of plain weights that are multiplied with four tokens at once.
  static constexpr size_t kPlainRows = 2;
  // What attention processes at once for its four rows: keys to score, or vectors of a value to add.
  static constexpr size_t kKeysTogether = 4;
  // One number for all lanes. The empty asm keeps it a scalar: a load that fills all lanes takes a slot of the units
  // that multiply, a product with a scalar does not.
  using Scalar = float;
  static OGAS_INLINE Scalar load_scalar(const float* p) {
    float x = *p;
    asm("" : "+w"(x));
    return x;
  }
  static OGAS_INLINE Floats fma_scalar(Floats a, Scalar b, Floats c) { return vfmaq_n_f32(c, a, b); }
  static OGAS_INLINE Floats round(Floats x) { return vrndnq_f32(x); }
  // 2^n of whole numbers -126 <= n <= 127.
  static OGAS_INLINE Floats power_of_two(Floats n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
  }
  static OGAS_INLINE float sum(Floats x) { return vaddvq_f32(x); }
  // The sums of four vectors, each as sum() forms it.
  static OGAS_INLINE void store_sums(const Floats* x, float* sums) {
    vst1q_f32(sums, vpaddq_f32(vpaddq_f32(x[0], x[1]), vpaddq_f32(x[2], x[3])));
  }
  static OGAS_INLINE float largest(Floats x) { return vmaxvq_f32(x); }
  static OGAS_INLINE Floats to_floats(Ints x) { return vcvtq_f32_s32(x); }
  // `low` in the lanes that hold the first 16 of 32 products (dot32), `high` in the others.
  static OGAS_INLINE Floats halves(float low, float high) { return vcombine_f32(vdup_n_f32(low), vdup_n_f32(high)); }

  struct Codes {
    int8x16_t low, high;
  };
  static OGAS_INLINE Codes load_codes(const int8_t* p) { return {vld1q_s8(p), vld1q_s8(p + 16)}; }
  // Sixteen products, added up to four sums. Exact: a pair is at most 2 * 128 * 127 < 2^15.
  static OGAS_INLINE int32x4_t dot16(int8x16_t weights, int8x16_t x) {
    const int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(x));
    return vpaddlq_s16(vpaddq_s16(low, vmull_high_s8(weights, x)));
  }
  // Four sums of eight products each, in order.
  static OGAS_INLINE Ints dot32(Codes weights, const int8_t* x) {
    return vpaddq_s32(dot16(weights.low, vld1q_s8(x)), dot16(weights.high, vld1q_s8(x + 16)));
  }
  // Rounds kWidth floats in -127..127 to bytes; returns their sum.
  static OGAS_INLINE int store_codes(int8_t* p, Floats x) {
    const int32x4_t wide = vcvtnq_s32_f32(x);
    const int16x4_t narrow = vmovn_s32(wide);
    const int8x8_t codes = vmovn_s16(vcombine_s16(narrow, narrow));
    const int32_t four = vget_lane_s32(vreinterpret_s32_s8(codes), 0);
    __builtin_memcpy(p, &four, sizeof four);
    return vaddvq_s32(wide);
  }

  // Panels (panels.h, multiply_panels.h): kWidth rows, four bytes of each in a vector. 32 registers hold pairs and
  // their totals of 2 x 2, and their operands.
  using Bytes = uint8x16_t;
  static constexpr size_t kTilePanels = 2, kTileTokens = 2, kTileTokensBy16 = 2;
  static constexpr size_t direct_tokens(bool /*has_offset*/) { return 4; }
  static constexpr size_t max_directly(size_t /*bits*/) { return 4; }
  static constexpr bool kSignedCodes = true;
  static OGAS_INLINE Bytes load_bytes(const std::byte* p) { return vld1q_u8(reinterpret_cast<const uint8_t*>(p)); }
  static OGAS_INLINE void store_bytes(std::byte* p, Bytes x) { vst1q_u8(reinterpret_cast<uint8_t*>(p), x); }
  static OGAS_INLINE Bytes and_bytes(Bytes x, uint8_t mask) { return vandq_u8(x, vdupq_n_u8(mask)); }
  static OGAS_INLINE Bytes or_bytes(Bytes a, Bytes b) { return vorrq_u8(a, b); }
  static OGAS_INLINE Bytes subtract_from_bytes(Bytes x, uint8_t y) { return vsubq_u8(x, vdupq_n_u8(y)); }
  template <int kBits>
  static OGAS_INLINE Bytes shift_right(Bytes x) {
    if constexpr (kBits == 0)
      return x;
    else
      return vshrq_n_u8(x, kBits);
  }
  template <int kBits>
  static OGAS_INLINE Bytes shift_left(Bytes x) {
    return vshlq_n_u8(x, kBits);
  }
  static OGAS_INLINE Ints set1_int(int x) { return vdupq_n_s32(x); }
  static OGAS_INLINE Ints add_ints(Ints a, Ints b) { return vaddq_s32(a, b); }
  template <int kBits>
  static OGAS_INLINE Ints shift_ints_left(Ints x) {
    return vshlq_n_s32(x, kBits);
  }
  static OGAS_INLINE Floats bits_as_floats(Ints x) { return vreinterpretq_f32_s32(x); }
  static OGAS_INLINE Ints floats_as_bits(Floats x) { return vreinterpretq_s32_f32(x); }
  // A separate register, to be overwritten: a copy of another would take a slot of the units that multiply, a load
  // does not. (volatile keeps compilers from loading once and copying.)
  static OGAS_INLINE Floats reload(const Floats* p) {
    Floats x;
    asm volatile("ldr %q0, %1" : "=w"(x) : "m"(*p));
    return x;
  }

  // Bytes 4 k..4 k + 3 at x in every lane.
  static OGAS_INLINE Bytes four_at(const int8_t* x, size_t k) {
    int32_t four;
    __builtin_memcpy(&four, x + 4 * k, sizeof four);
    return vreinterpretq_u8_s32(vdupq_n_s32(four));
  }
  // Products of bytes, not yet added by twos.
  struct Pairs {
    int16x8_t low, high;
  };
  static OGAS_INLINE Pairs signed_pairs(Bytes weights, Bytes x) {
    const int8x16_t a = vreinterpretq_s8_u8(weights), b = vreinterpretq_s8_u8(x);
    return {vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)};
  }
  static OGAS_INLINE Pairs unsigned_pairs(Bytes weights, Bytes x) { return signed_pairs(weights, x); }
  static OGAS_INLINE Pairs add_shorts(Pairs a, Pairs b) { return {vaddq_s16(a.low, b.low), vaddq_s16(a.high, b.high)}; }
  // Shorts, added by fours; by twos in 16 bits.
  static OGAS_INLINE Ints add_neighbours(Pairs shorts) { return vpaddlq_s16(vpaddq_s16(shorts.low, shorts.high)); }
  static OGAS_INLINE uint8x8_t load4(const void* p) {
    uint32_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return vreinterpret_u8_u32(vdup_n_u32(four));
  }
  static OGAS_INLINE Floats load_u8(const uint8_t* p) {
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(load4(p)))));
  }
  static OGAS_INLINE Floats load_s8(const int8_t* p) {
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(load4(p))))));
  }
  static OGAS_INLINE void prefetch(const std::byte* p) { __builtin_prefetch(p); }
  static OGAS_INLINE void prefetch_to_l2(const std::byte* p) { __builtin_prefetch(p, 0, 2); }
};

#ifdef __ARM_FEATURE_DOTPROD
struct NeonDotprod : Neon {
  // The sums of 2 x 4, their totals, and their operands.
  static constexpr size_t kTilePanels = 2, kTileTokens = 4, kTileTokensBy16 = 2;
  static OGAS_INLINE Ints dot32(Codes weights, const int8_t* x) {
    const Ints low = vdotq_s32(vdupq_n_s32(0), weights.low, vld1q_s8(x));
    return vpaddq_s32(low, vdotq_s32(vdupq_n_s32(0), weights.high, vld1q_s8(x + 16)));
  }

  // Four of sixteen bytes: sdot takes them where they are.
  struct Four {
    int8x16_t sixteen;
    size_t lane;
  };
  static OGAS_INLINE Four four_at(const int8_t* x, size_t k) { return {vld1q_s8(x + k / 4 * 16), k % 4}; }
  // Adds to each lane four signed bytes times four. (The lane is a constant once loops are unrolled.)
  static OGAS_INLINE Ints dot4(Ints sums, Bytes weights, Four x) {
    const int8x16_t codes = vreinterpretq_s8_u8(weights);
    switch (x.lane) {
      case 0: return vdotq_laneq_s32(sums, codes, x.sixteen, 0);
      case 1: return vdotq_laneq_s32(sums, codes, x.sixteen, 1);
      case 2: return vdotq_laneq_s32(sums, codes, x.sixteen, 2);
      default: return vdotq_laneq_s32(sums, codes, x.sixteen, 3);
    }
  }
};
#endif

#ifdef __ARM_FEATURE_MATMUL_INT8
struct NeonI8mm : NeonDotprod {
  // The sums of 6 parts of panels times 2 pairs of tokens, their totals, and their operands.
  static constexpr size_t kTilePanels = 3, kTileTokens = 4, kTileTokensBy16 = 2;
  // Four inputs of four rows, and the next four, to eight inputs of two rows: the first two and the others.
  static OGAS_INLINE void join_fours(Bytes& a, Bytes& b) {
    const uint32x4_t first = vreinterpretq_u32_u8(a), next = vreinterpretq_u32_u8(b);
    a = vreinterpretq_u8_u32(vzip1q_u32(first, next));
    b = vreinterpretq_u8_u32(vzip2q_u32(first, next));
  }
  // Of rows 0, 1 (half 0) or 2, 3 (half 1): lanes are [row][token].
  static OGAS_INLINE Floats each_twice(Floats rows, size_t half) {
    return half == 0 ? vzip1q_f32(rows, rows) : vzip2q_f32(rows, rows);
  }
  static OGAS_INLINE Floats load_two(const float* a, const float* b) {
    const float32x2_t both = vld1_lane_f32(b, vld1_dup_f32(a), 1);
    return vcombine_f32(both, both);
  }
  // Bytes 8 k..8 k + 7 at a and at b.
  static OGAS_INLINE Bytes two_eights_at(const int8_t* a, const int8_t* b, size_t k) {
    const int64x2_t first = vreinterpretq_s64_s8(vld1q_s8(a + k / 2 * 16));
    const int64x2_t second = vreinterpretq_s64_s8(vld1q_s8(b + k / 2 * 16));
    return vreinterpretq_u8_s64(k % 2 == 0 ? vzip1q_s64(first, second) : vzip2q_s64(first, second));
  }
  // Adds to each lane eight signed bytes times eight.
  static OGAS_INLINE Ints dot8(Ints sums, Bytes weights, Bytes x) {
    return vmmlaq_s32(sums, vreinterpretq_s8_u8(weights), vreinterpretq_s8_u8(x));
  }
  // Totals of rows 0, 1 and of 2, 3, [row][token], to those of one token each.
  static OGAS_INLINE void part_tokens(Floats& a, Floats& b) {
    const Floats rows01 = a, rows23 = b;
    a = vuzp1q_f32(rows01, rows23);
    b = vuzp2q_f32(rows01, rows23);
  }
};
#endif

}  // namespace
}  // namespace ogas
