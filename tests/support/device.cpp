#include "tests/support/device.h"

#include <cstdlib>
#include <string>

#include "tensor/cuda/cuda_device.h"
#include "tensor/cuda/cuda_memory.h"

namespace tapestry::tests {

Device test_device() {
  const char* wanted = std::getenv("TAPESTRY_DEVICE");
  if (wanted == nullptr || std::string(wanted) == "cpu") return Device::kCpu;
  if (std::string(wanted) == "cuda") return Device::kCuda;
  fail(ErrorKind::kUsage, "TAPESTRY_DEVICE=", wanted, ": cpu or cuda is expected");
}

bool device_is_emulated() { return test_device() == Device::kCuda && cuda_report().architectures == "emulated"; }

void DeviceTest::SetUp() {
  if (test_device() == Device::kCuda && !cuda_available()) GTEST_SKIP() << "TAPESTRY_DEVICE=cuda: " << cuda_report().reason;
}

}  // namespace tapestry::tests
