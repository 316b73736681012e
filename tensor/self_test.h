#pragma once

#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace tapestry {

/// How one operation on a device compares with the same one on the CPU.
struct SelfTestResult {
  std::string operation;
  double difference = 0;  ///< largest_difference between the device's result and the CPU's
  double allowed = 0;     ///< 0 where both have to give the same bits
  bool passed() const { return difference <= allowed; }
};

/// The largest |found - expected| / max(1, |expected|) over the elements, infinite where either is NaN or infinite. Two tensors
/// of one size, of floating-point numbers or both of int32, `expected` on the CPU.
double largest_difference(const Tensor& found, const Tensor& expected);

/// Runs small cases of the operations that training, sampling, binarising and ranking live on, for `reproduce --doctor`: a
/// machine whose driver, GPU or build is broken shows it here within a second. Throws Error(kDevice) when the device cannot be
/// used at all.
std::vector<SelfTestResult> self_test(Device device);

}  // namespace tapestry
