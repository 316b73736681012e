// Ends a program on a processor that it was not compiled for with a line that says so, where it would end with an illegal
// instruction. That may stand in any function of the build, initialisers of its globals included: this runs before them, and is
// compiled for every x86-64 (CMakeLists.txt). So it includes nothing of C++, whose inline functions, compiled for one processor
// here and for another elsewhere, would be linked in each other's place. Nobody calls it: programs link it by name.
#include "tensor/built_for.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <stdio.h>
#include <unistd.h>

namespace tapestry {
namespace {

constexpr int kStatus = 4;  // ErrorKind::kDevice

/// A set of instructions that the build may use and this processor, or its system, does not have; nullptr when there is none.
const char* lacking_set() {
  __builtin_cpu_init();  // which is an initialiser's work as well, perhaps not done yet
  const auto may_use = [](unsigned set) { return (kBuiltFor & set) != 0; };
  if (may_use(kAvx) && !__builtin_cpu_supports("avx")) return "AVX";
  if (may_use(kAvx2) && !__builtin_cpu_supports("avx2")) return "AVX2";
  if (may_use(kFma) && !__builtin_cpu_supports("fma")) return "FMA";
  if (may_use(kBmi) && !__builtin_cpu_supports("bmi")) return "BMI";
  if (may_use(kBmi2) && !__builtin_cpu_supports("bmi2")) return "BMI2";
  if (may_use(kAvx512F) && !__builtin_cpu_supports("avx512f")) return "AVX512F";
  if (may_use(kAvx512Cd) && !__builtin_cpu_supports("avx512cd")) return "AVX512CD";
  if (may_use(kAvx512Bw) && !__builtin_cpu_supports("avx512bw")) return "AVX512BW";
  if (may_use(kAvx512Dq) && !__builtin_cpu_supports("avx512dq")) return "AVX512DQ";
  if (may_use(kAvx512Vl) && !__builtin_cpu_supports("avx512vl")) return "AVX512VL";
  if (may_use(kFma4) && !__builtin_cpu_supports("fma4")) return "FMA4";
  if (may_use(kXop) && !__builtin_cpu_supports("xop")) return "XOP";
  return nullptr;
}

/// 101 is the first of the priorities that a program may give: those that have none come last.
[[gnu::constructor(101)]] void check_processor() {
  const char* set = lacking_set();
  if (set == nullptr) return;
  ::fprintf(stderr,
            "tapestry: this program was compiled for processors with %s, which this one lacks; build it on this machine, or "
            "for every x86-64 with -DCMAKE_CXX_FLAGS=-march=x86-64\n",
            set);
  ::_exit(kStatus);
}

}  // namespace
}  // namespace tapestry

#endif
