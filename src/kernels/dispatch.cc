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
  const IsaOps* isa;
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

// Best first. Adding an instruction set is one line here, its isa_<name>.{h,cc}, and its flags in OgasKernels.cmake.
constexpr Implementation kImplementations[] = {
#if defined(__x86_64__)
    {&kAmxOps, [] { return runs_avx512bf16() && may_use_amx(); }},
    {&kAvx512Bf16Ops, runs_avx512bf16},
    {&kAvx512VnniOps, runs_avx512vnni},
    {&kAvx512Ops, runs_avx512},
    {&kAvxVnniOps, [] { return runs_avx2() && __builtin_cpu_supports("avxvnni"); }},
    {&kAvx2Ops, runs_avx2},
#elif defined(__aarch64__)
    {&kNeonI8mmOps, [] { return runs_dotprod() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0; }},
    {&kNeonDotprodOps, runs_dotprod},
    {&kNeonOps, [] { return true; }},
#endif
    {&kReferenceOps, [] { return true; }},
};

std::string names_of(auto&& all_ops) {
  std::string names;
  for (const Ops* ops : all_ops) names += (names.empty() ? "" : ", ") + std::string(ops->name);
  return names;
}

}  // namespace

Ops make_ops(const IsaOps& isa) {
  Ops ops = isa.base ? make_ops(*isa.base) : Ops{};
  isa.set(ops);
  ops.name = isa.name;
  return ops;
}

const std::vector<const Ops*>& available_ops() {
  static const std::vector<const Ops*> available = [] {
    static std::deque<Ops> tables;
    std::vector<const Ops*> all;
    for (const auto& implementation : kImplementations)
      if (implementation.runs_here()) all.push_back(&tables.emplace_back(make_ops(*implementation.isa)));
    return all;
  }();
  return available;
}

Result<const Ops*> choose_ops() {
  const char* wanted = std::getenv("OGAS_ISA");
  if (!wanted || !*wanted) return available_ops().front();
  const auto& available = available_ops();
  const auto found = std::ranges::find(available, std::string_view(wanted), &Ops::name);
  if (found != available.end()) return *found;
  const bool known = std::ranges::any_of(kImplementations, [&](const auto& i) { return i.isa->name == wanted; });
  return fail(ErrorCode::usage, "OGAS_ISA={}: {}; this CPU runs {}", wanted,
              known ? "this CPU lacks that instruction set" : "ogas knows no instruction set of that name",
              names_of(available));
}

}  // namespace ogas
