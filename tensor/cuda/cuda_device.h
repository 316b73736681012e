#pragma once

#include <cstdint>
#include <string>

namespace tapestry {

/// What is known of the GPU and of this build, for `reproduce --doctor`.
struct CudaReport {
  bool built = false;         ///< whether this build holds CUDA kernels
  std::string architectures;  ///< those the build was made for, as CMake was told
  int runtime_version = 0;    ///< CUDA's runtime in this build: 1000 major + 10 minor
  int driver_version = 0;     ///< the newest CUDA that the driver knows; 0 without a driver
  bool usable = false;        ///< whether kernels run here
  std::string reason;         ///< in plain words why not; empty when usable
  std::string name;           ///< the device's
  int capability = 0;         ///< compute capability: 10 major + minor
  int multiprocessors = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t free_bytes = 0;
  int kernel_architecture = 0;  ///< of the machine code that runs here, as `capability`
  int kernel_ptx = 0;           ///< of the PTX it was made from: unlike the above when the driver compiled it at start
};

/// Asks the driver. Never throws: what is wrong stands in `reason`.
CudaReport cuda_report();

}  // namespace tapestry
