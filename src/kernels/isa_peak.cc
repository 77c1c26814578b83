#include "kernels/peak.h"

#include "kernels/amx.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define OGAS_REGISTER "v"
#elif defined(__aarch64__)
#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
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
OGAS_PEAK_LOOP(int8_avx2, "avx2", __m256i, _mm256_setzero_si256(),
               _mm256_add_epi32(sums[i], _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_xor_si256(a, sums[i]), b), b)),
               64)
OGAS_PEAK_LOOP(f32_avx512, "avx512f", __m512, _mm512_setzero_ps(), _mm512_fmadd_ps(a, b, sums[i]), 32)
OGAS_PEAK_LOOP(f32_avx2, "avx2,fma", __m256, _mm256_setzero_ps(), _mm256_fmadd_ps(a, b, sums[i]), 16)
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
using Shorts = short __attribute__((vector_size(16)));

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
// Four tiles of sums take turns; each product is one of 16 x 64 and 64 x 16 bytes.
double int8_amx(size_t n_rounds) {
  struct alignas(64) Config {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64};
    uint8_t n_rows[16] = {16, 16, 16, 16, 16, 16};
  };
  const Config config;
  asm volatile("ldtilecfg %0\n\ttilezero %%tmm4\n\ttilezero %%tmm5" : : "m"(config));
  for (size_t round = 0; round < n_rounds; ++round)
    asm volatile(
        "tdpbssd %%tmm5, %%tmm4, %%tmm0\n\t"
        "tdpbssd %%tmm5, %%tmm4, %%tmm1\n\t"
        "tdpbssd %%tmm5, %%tmm4, %%tmm2\n\t"
        "tdpbssd %%tmm5, %%tmm4, %%tmm3" ::);
  asm volatile("tilerelease");
  return static_cast<double>(n_rounds) * 4 * 2 * 16 * 16 * 64;
}
#endif

PeakLoop choose_int8() {
#if defined(__x86_64__)
  if (may_use_amx()) return {"tdpbssd, 16 x 16 x 64", int8_amx};
  if (__builtin_cpu_supports("avx512vnni")) return {"vpdpbusd, 512 bits", int8_avx512vnni};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("avxvnni")) return {"vpdpbusd, 256 bits", int8_avxvnni};
  if (__builtin_cpu_supports("avx2")) return {"vpmaddubsw, 256 bits", int8_avx2};
#elif defined(__aarch64__)
  if (getauxval(AT_HWCAP2) & HWCAP2_I8MM) return {"smmla, 128 bits", int8_i8mm};
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) return {"sdot, 128 bits", int8_dotprod};
  return {"smlal, 128 bits", int8_neon};
#endif
#if !defined(__aarch64__)
  return {"16-bit multiplications, 128 bits", run_baseline<Shorts>};
#endif
}

PeakLoop choose_f32() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {"fused multiply-add, 512 bits", f32_avx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {"fused multiply-add, 256 bits", f32_avx2};
#elif defined(__aarch64__)
  return {"fused multiply-add, 128 bits", f32_neon};
#endif
#if !defined(__aarch64__)
  return {"multiply and add, 128 bits", run_baseline<Floats>};
#endif
}

}  // namespace

const PeakLoops kPeakOps = {choose_int8, choose_f32};

}  // namespace ogas
