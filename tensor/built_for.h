#pragma once

namespace tapestry {

/// Sets of instructions that some x86-64 processors have and others lack, and that compilers use wherever -march allows them.
/// There are rarer ones: a processor that has all of these may still lack one that a build for another uses.
enum InstructionSet : unsigned {
  kAvx = 1U << 0,
  kAvx2 = 1U << 1,
  kFma = 1U << 2,
  kBmi = 1U << 3,
  kBmi2 = 1U << 4,
  kAvx512F = 1U << 5,
  kAvx512Cd = 1U << 6,
  kAvx512Bw = 1U << 7,
  kAvx512Dq = 1U << 8,
  kAvx512Vl = 1U << 9,
  kFma4 = 1U << 10,  ///< AMD's, of the years before Zen, as kXop
  kXop = 1U << 11,
};

/// Those that this build may use, one bit each; none elsewhere than on x86-64. A constant that is there before anything has run.
extern const unsigned kBuiltFor;

}  // namespace tapestry
