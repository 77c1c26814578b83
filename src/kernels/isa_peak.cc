#include "kernels/peak.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define OGAS_REGISTER "v"
#elif defined(__aarch64__)
#include <arm_neon.h>
#define OGAS_REGISTER "w"
#endif

namespace ogas {
namespace {

// Independent sums: at least latency times throughput of the instruction (4 to 5 cycles, two a cycle; large ARM cores 3
// to 4, four a cycle).
#if defined(__aarch64__)
constexpr size_t kSums = 16;
#else
constexpr size_t kSums = 12;
#endif

#if defined(OGAS_REGISTER)

// Step(sum) adds to one sum; n values of the sum's type are done for n_ops operations. (The sums pass through an empty
// asm, or they are known to be equal, and one stands for all.)
#define OGAS_PEAK_LOOP(function, features, Vector, zero, step, n_ops)                                        \
  __attribute__((target(features))) double function(size_t n_rounds) {                                       \
    Vector sums[kSums], a = zero, b = zero;                                                                  \
    asm volatile("" : "+" OGAS_REGISTER(a), "+" OGAS_REGISTER(b));                                           \
    _Pragma("GCC unroll 16") for (size_t i = 0; i < kSums; ++i) {                                            \
      sums[i] = zero;                                                                                        \
      asm volatile("" : "+" OGAS_REGISTER(sums[i]));                                                         \
    }                                                                                                        \
    for (size_t round = 0; round < n_rounds; ++round) {                                                      \
      _Pragma("GCC unroll 16") for (size_t i = 0; i < kSums; ++i) sums[i] = step;                            \
    }                                                                                                        \
    _Pragma("GCC unroll 16") for (size_t i = 0; i < kSums; ++i) asm volatile("" : : OGAS_REGISTER(sums[i])); \
    return static_cast<double>(n_rounds) * kSums * (n_ops);                                                  \
  }

#if defined(__x86_64__)
OGAS_PEAK_LOOP(int8_avx512vnni, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(),
               _mm512_dpbusd_epi32(sums[i], a, b), 128)
OGAS_PEAK_LOOP(int8_avxvnni, "avx2,avxvnni", __m256i, _mm256_setzero_si256(), _mm256_dpbusd_avx_epi32(sums[i], a, b),
               64)
OGAS_PEAK_LOOP(bf16_avx512bf16, "avx512f,avx512bf16", __m512, _mm512_setzero_ps(),
               _mm512_dpbf16_ps(sums[i], reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)), 64)
OGAS_PEAK_LOOP(f32_avx512, "avx512f", __m512, _mm512_setzero_ps(), _mm512_fmadd_ps(a, b, sums[i]), 32)
OGAS_PEAK_LOOP(f32_avx2, "avx2,fma", __m256, _mm256_setzero_ps(), _mm256_fmadd_ps(a, b, sums[i]), 16)

// Products of bytes without an instruction that adds four of them: kRun vectors of pairs are added in 16 bits, and then
// in 32. Signed: weights of 8 bits, whose sign goes to the other factor. Five sums of each width fit 16 registers. (An
// empty asm says that weights are new each time; else the products would be formed once.)
#define OGAS_PAIRS_LOOP(function, features, Vector, prefix, suffix, turned)                                 \
  template <size_t kRun, bool kSigned>                                                                      \
  __attribute__((target(features))) double function(size_t n_rounds) {                                      \
    constexpr size_t kPairs = 5;                                                                            \
    Vector sums[kPairs], pairs[kPairs], a = prefix##setzero##suffix(), x = a, ones = prefix##set1_epi16(1); \
    asm volatile("" : "+v"(a), "+v"(x), "+v"(ones));                                                        \
    _Pragma("GCC unroll 8") for (auto& sum : sums) {                                                        \
      sum = prefix##setzero##suffix();                                                                      \
      asm volatile("" : "+v"(sum));                                                                         \
    }                                                                                                       \
    for (size_t round = 0; round < n_rounds; ++round) {                                                     \
      _Pragma("GCC unroll 8") for (size_t k = 0; k < kRun; ++k) {                                           \
        _Pragma("GCC unroll 8") for (size_t i = 0; i < kPairs; ++i) {                                       \
          asm volatile("" : "+v"(a));                                                                       \
          const Vector product = prefix##maddubs_epi16(a, kSigned ? turned : x);                            \
          pairs[i] = k == 0 ? product : prefix##add_epi16(pairs[i], product);                               \
          asm volatile("" : "+v"(pairs[i]));                                                                \
        }                                                                                                   \
      }                                                                                                     \
      _Pragma("GCC unroll 8") for (size_t i = 0; i < kPairs; ++i) {                                         \
        sums[i] = prefix##add_epi32(sums[i], prefix##madd_epi16(pairs[i], ones));                           \
        asm volatile("" : "+v"(sums[i]));                                                                   \
      }                                                                                                     \
    }                                                                                                       \
    return static_cast<double>(n_rounds) * kPairs * kRun * 2 * sizeof(Vector);                              \
  }
OGAS_PAIRS_LOOP(pairs_avx2, "avx2", __m256i, _mm256_, _si256, _mm256_sign_epi8(x, a))
OGAS_PAIRS_LOOP(pairs_avx512, "avx512f,avx512bw", __m512i, _mm512_, _si512,
                _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(a), _mm512_setzero_si512(), x))
#undef OGAS_PAIRS_LOOP
#else
OGAS_PEAK_LOOP(int8_i8mm, "arch=armv8.2-a+i8mm", int32x4_t, vdupq_n_s32(0),
               vmmlaq_s32(sums[i], vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b)), 64)
OGAS_PEAK_LOOP(int8_dotprod, "arch=armv8.2-a+dotprod", int32x4_t, vdupq_n_s32(0),
               vdotq_s32(sums[i], vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b)), 32)
OGAS_PEAK_LOOP(int8_neon, "arch=armv8-a", int16x8_t, vdupq_n_s16(0),
               vmlal_high_s8(sums[i], vreinterpretq_s8_s16(a), vreinterpretq_s8_s16(b)), 16)
OGAS_PEAK_LOOP(f32_neon, "arch=armv8-a", float32x4_t, vdupq_n_f32(0), vfmaq_f32(sums[i], a, b), 8)
#endif

#undef OGAS_PEAK_LOOP
#endif

#if !defined(__aarch64__)
using Floats = float __attribute__((vector_size(16)));

// Keeps the sums from being optimised away.
template <class Vector>
inline __attribute__((always_inline)) void keep(Vector& value) {
  asm volatile("" : "+m"(value));
}

// Whatever the baseline has, 16 bytes wide.
template <class Vector>
double run_baseline(size_t n_rounds) {
  Vector sums[kSums]{}, a{}, b{};
  keep(a);
  keep(b);
  for (Vector& sum : sums) keep(sum);
  for (size_t round = 0; round < n_rounds; ++round)
    for (size_t i = 0; i < kSums; ++i) sums[i] = sums[i] * a + b;
  for (Vector& sum : sums) keep(sum);
  return static_cast<double>(n_rounds) * kSums * 2 * (sizeof(Vector) / sizeof(a[0]));
}
#endif

#if defined(__x86_64__)
// Four tiles of sums, one after the other; each product is one of 16 x 64 and 64 x 16 bytes.
#define OGAS_TILE_LOOP(function, instruction, n_ops)                                                               \
  double function(size_t n_rounds) {                                                                               \
    struct alignas(64) Config {                                                                                    \
      uint8_t palette = 1, start_row = 0, reserved[14] = {};                                                       \
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64};                                                           \
      uint8_t n_rows[16] = {16, 16, 16, 16, 16, 16};                                                               \
    };                                                                                                             \
    const Config config;                                                                                           \
    asm volatile("ldtilecfg %0\n\ttilezero %%tmm4\n\ttilezero %%tmm5" : : "m"(config));                            \
    for (size_t round = 0; round < n_rounds; ++round)                                                              \
      asm volatile(instruction " %%tmm5, %%tmm4, %%tmm0\n\t" instruction " %%tmm5, %%tmm4, %%tmm1\n\t" instruction \
                               " %%tmm5, %%tmm4, %%tmm2\n\t" instruction " %%tmm5, %%tmm4, %%tmm3" ::);            \
    asm volatile("tilerelease");                                                                                   \
    return static_cast<double>(n_rounds) * 4 * (n_ops);                                                            \
  }
OGAS_TILE_LOOP(int8_amx, "tdpbssd", 2 * 16 * 16 * 64)
OGAS_TILE_LOOP(bf16_amx, "tdpbf16ps", 2 * 16 * 16 * 32)
#undef OGAS_TILE_LOOP

template <class Choose>
PeakLoop by_run(WeightKind kind, const Choose& choose) {
  switch (kind) {
    case WeightKind::bits4: return choose.template operator()<8, false>();
    case WeightKind::bits5: return choose.template operator()<4, false>();
    case WeightKind::bits6: return choose.template operator()<2, false>();
    default: return choose.template operator()<1, true>();
  }
}

PeakLoop f32_loop(bool is_wide) {
  if (is_wide) return {"fused multiply-add, 512 bits", f32_avx512};
  return {"fused multiply-add, 256 bits", f32_avx2};
}

// Names of loops of pairs, by how many are added in 16 bits.
constexpr std::string_view kPairsNames[2][9] = {
    {"", "vpmaddubsw, 256 bits, one sum", "vpmaddubsw, 256 bits, sums of 2", "", "vpmaddubsw, 256 bits, sums of 4", "",
     "", "", "vpmaddubsw, 256 bits, sums of 8"},
    {"", "vpmaddubsw, 512 bits, one sum", "vpmaddubsw, 512 bits, sums of 2", "", "vpmaddubsw, 512 bits, sums of 4", "",
     "", "", "vpmaddubsw, 512 bits, sums of 8"}};
#endif

}  // namespace

PeakLoop peak_loop(WeightKind kind, [[maybe_unused]] std::string_view isa) {
  [[maybe_unused]] const bool is_float = kind == WeightKind::f32 || kind == WeightKind::bf16;
#if defined(__x86_64__)
  const bool is_wide = isa.starts_with("avx512") || isa == "amx";
  if (kind == WeightKind::bf16 && isa == "amx") return {"tdpbf16ps, 16 x 16 x 32", bf16_amx};
  if (kind == WeightKind::bf16 && isa == "avx512bf16") return {"vdpbf16ps, 512 bits", bf16_avx512bf16};
  if (is_float && isa != "reference") return f32_loop(is_wide);
  if (isa == "amx") return {"tdpbssd, 16 x 16 x 64", int8_amx};
  if (isa == "avx512bf16" || isa == "avx512vnni") return {"vpdpbusd, 512 bits", int8_avx512vnni};
  if (isa == "avxvnni") return {"vpdpbusd, 256 bits", int8_avxvnni};
  if (is_wide)
    return by_run(kind, []<size_t kRun, bool kSigned>() -> PeakLoop {
      return {kPairsNames[1][kRun], pairs_avx512<kRun, kSigned>};
    });
  if (isa == "avx2")
    return by_run(kind, []<size_t kRun, bool kSigned>() -> PeakLoop {
      return {kPairsNames[0][kRun], pairs_avx2<kRun, kSigned>};
    });
#elif defined(__aarch64__)
  if (is_float || isa == "reference") return {"fused multiply-add, 128 bits", f32_neon};
  if (isa == "neon-i8mm") return {"smmla, 128 bits", int8_i8mm};
  if (isa == "neon-dotprod") return {"sdot, 128 bits", int8_dotprod};
  return {"smlal, 128 bits", int8_neon};
#endif
#if !defined(__aarch64__)
  // The reference computes in floats throughout.
  return {"multiply and add, 128 bits", run_baseline<Floats>};
#endif
}

}  // namespace ogas
