#pragma once

#include "tensor/kernels.h"

namespace tapestry::tests {

/// The kernel contract in its most obvious form: one plain loop each, sums in float64, the C library's functions. Slow, and the
/// yardstick of every other implementation. Host pointers only.
template <typename T>
struct ReferenceKernels {
  using Scalar = T;
#include "tensor/kernel_contract.inc"
};

}  // namespace tapestry::tests
