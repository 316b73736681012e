#include "tests/support/device.h"

#include <cstdlib>
#include <iostream>
#include <string>

#include "tensor/cuda/cuda_device.h"
#include "tensor/cuda/cuda_memory.h"
#include "tensor/error.h"

namespace tapestry::tests {

Device test_device() {
  const char* wanted = std::getenv("TAPESTRY_DEVICE");
  if (wanted == nullptr || std::string(wanted) == "cpu") return Device::kCpu;
  if (std::string(wanted) == "cuda") return Device::kCuda;
  fail(ErrorKind::kUsage, "TAPESTRY_DEVICE=", wanted, ": cpu or cuda is expected");
}

bool device_is_emulated() { return test_device() == Device::kCuda && cuda_report().architectures == "emulated"; }

bool device_takes(MatmulPrecision precision) {
  if (test_device() == Device::kCpu) return true;
  try {
    check_precision(precision, cuda_report());
  } catch (const Error&) {
    return false;
  }
  return true;
}

namespace {

/// Skips a whole program in one line, not test by test. GoogleTest's own way counts the tests that never ran as passed. ctest
/// knows a skipped test by these brackets.
class DeviceAskedFor : public ::testing::Environment {
 public:
  void SetUp() override {
    if (test_device() == Device::kCpu || cuda_available()) return;
    std::cout << "[  SKIPPED ] all tests, since TAPESTRY_DEVICE is cuda: " << cuda_report().reason << std::endl;
    std::exit(0);
  }
};

[[maybe_unused]] const ::testing::Environment* const device_asked_for = ::testing::AddGlobalTestEnvironment(new DeviceAskedFor);

}  // namespace

}  // namespace tapestry::tests
