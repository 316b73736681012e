#pragma once

#include "tensor/tensor.h"

namespace tapestry::tests {

/// || ours - expected || / || expected || over a whole tensor, wherever the two lie (absolute where the expected one is zero):
/// NaN if anything is. Throws Error(kMisuse) unless they have as many elements.
double relative_error(const Tensor& ours, const Tensor& expected);

/// Whether the two, on the host, hold the same bits in the same shape and type.
bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace tapestry::tests
