#pragma once

#include <gtest/gtest.h>

#include "tensor/precision.h"
#include "tensor/types.h"

namespace tapestry::tests {

/// The device under test: TAPESTRY_DEVICE=cpu or cuda, cpu when unset. Throws Error(kUsage) for anything else.
Device test_device();

/// Whether the device is the one of tests/support/cuda_emulation, on which a thread takes a microsecond.
bool device_is_emulated();

/// Whether products on test_device() may be asked for in this precision: not in all of them on a GPU older than 8.0.
bool device_takes(MatmulPrecision precision);

/// Tests on test_device(). A program with any of them ends at its start, with one line, when the device asked for is not there.
class DeviceTest : public ::testing::Test {};

}  // namespace tapestry::tests
