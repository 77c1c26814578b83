#include "kernels/dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <string>

#include "kernels/amx.h"
#include "kernels/implementations.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace ogas {
namespace {

struct Implementation {
  const IsaKernels* isa;
  bool (*runs_here)();
};

#if defined(__x86_64__)
bool runs_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
bool runs_avx512() {
  return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool runs_avx512vnni() { return runs_avx512() && __builtin_cpu_supports("avx512vnni"); }
bool runs_avx512bf16() { return runs_avx512vnni() && __builtin_cpu_supports("avx512bf16"); }
#elif defined(__aarch64__)
bool runs_dotprod() { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#endif

// Best first. Adding one: docs/design/extending.md.
constexpr Implementation kImplementations[] = {
#if defined(__x86_64__)
    {&kAmxKernels, [] { return runs_avx512bf16() && may_use_amx(); }},
    {&kAvx512Bf16Kernels, runs_avx512bf16},
    {&kAvx512VnniKernels, runs_avx512vnni},
    {&kAvx512Kernels, runs_avx512},
    {&kAvxVnniKernels, [] { return runs_avx2() && __builtin_cpu_supports("avxvnni"); }},
    {&kAvx2Kernels, runs_avx2},
#elif defined(__aarch64__)
    {&kNeonI8mmKernels, [] { return runs_dotprod() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0; }},
    {&kNeonDotprodKernels, runs_dotprod},
    {&kNeonKernels, [] { return true; }},
#endif
    {&kReferenceKernels, [] { return true; }},
};

std::string names_of(auto&& all_ops) {
  std::string names;
  for (const CpuKernels* kernels : all_ops) names += (names.empty() ? "" : ", ") + std::string(kernels->name);
  return names;
}

}  // namespace

CpuKernels make_kernels(const IsaKernels& isa) {
  CpuKernels kernels = isa.base ? make_kernels(*isa.base) : CpuKernels{};
  isa.set(kernels);
  kernels.name = isa.name;
  return kernels;
}

const std::vector<const CpuKernels*>& available_kernels() {
  static const std::vector<const CpuKernels*> available = [] {
    static std::deque<CpuKernels> tables;
    std::vector<const CpuKernels*> all;
    for (const auto& implementation : kImplementations)
      if (implementation.runs_here()) all.push_back(&tables.emplace_back(make_kernels(*implementation.isa)));
    return all;
  }();
  return available;
}

Result<const CpuKernels*> choose_kernels() {
  const char* wanted = std::getenv("OGAS_ISA");
  if (!wanted || !*wanted) return available_kernels().front();
  const auto& available = available_kernels();
  const auto found = std::ranges::find(available, std::string_view(wanted), &CpuKernels::name);
  if (found != available.end()) return *found;
  const bool known = std::ranges::any_of(kImplementations, [&](const auto& i) { return i.isa->name == wanted; });
  return fail(ErrorCode::usage, "OGAS_ISA={}: {}; this CPU runs {}", wanted,
              known ? "this CPU lacks that instruction set" : "ogas knows no instruction set of that name",
              names_of(available));
}

}  // namespace ogas
