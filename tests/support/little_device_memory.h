#pragma once

#include <cstddef>
#include <limits>

#include "tests/support/cuda_emulation/cuda_runtime.h"

namespace tapestry::tests {

/// The emulated GPU hands out no memory beyond `bytes`, until this object's end or all().
class LittleDeviceMemory {
 public:
  explicit LittleDeviceMemory(std::size_t bytes) { emulation::limit_device_memory(bytes); }
  ~LittleDeviceMemory() { all(); }
  LittleDeviceMemory(const LittleDeviceMemory&) = delete;
  LittleDeviceMemory& operator=(const LittleDeviceMemory&) = delete;
  static void all() { emulation::limit_device_memory(std::numeric_limits<std::size_t>::max()); }
};

/// Bytes that it has handed out, while it has all of its memory.
inline std::size_t device_bytes_handed_out() {
  std::size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  return total - free;
}

}  // namespace tapestry::tests
