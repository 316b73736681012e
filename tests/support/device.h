#pragma once

#include <gtest/gtest.h>

#include "tensor/types.h"

namespace tapestry::tests {

/// The device under test: TAPESTRY_DEVICE=cpu or cuda, cpu when unset. Throws Error(kUsage) for anything else.
Device test_device();

/// Whether the device is the one of tests/support/cuda_emulation, on which a thread takes a microsecond.
bool device_is_emulated();

/// Tests on test_device(). A program with any of them ends at its start, with one line, when the device asked for is not there.
class DeviceTest : public ::testing::Test {};

}  // namespace tapestry::tests
