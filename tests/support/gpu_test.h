#pragma once

#include "tests/support/device.h"

namespace tapestry::tests {

/// Tests that say something on a GPU alone: they skip where test_device() is the CPU.
class GpuTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (test_device() == Device::kCpu) GTEST_SKIP() << "for a GPU only: TAPESTRY_DEVICE is cpu";
  }
};

}  // namespace tapestry::tests
