#pragma once

#include <string>
#include <vector>

#include "tensor/types.h"

namespace tapestry {

/// How one operation on a device compares with the same one on the CPU.
struct SelfTestResult {
  std::string operation;
  double difference = 0;  ///< largest |device - cpu| / max(1, |cpu|) over the elements; NaN and infinities count as infinite
  double allowed = 0;     ///< 0 where both have to give the same bits
  bool passed() const { return difference <= allowed; }
};

/// Runs small cases of the operations that training and sampling live on, for `reproduce --doctor`: a machine whose driver, GPU
/// or build is broken shows it here within a second. Throws Error(kDevice) when the device cannot be used at all.
std::vector<SelfTestResult> self_test(Device device);

}  // namespace tapestry
