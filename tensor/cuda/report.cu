#include "tensor/cuda/cuda_device.h"
#include "tensor/cuda/cuda_memory.h"
#include "tensor/cuda/launch.cuh"
#include "tensor/error.h"

namespace tapestry {
namespace {

__global__ void __launch_bounds__(cuda::kWarp) probe_kernel(int* answer) { *answer = 42; }

/// The versions and the device's description; throws at the first call that fails.
void describe(CudaReport& report) {
  cuda::check(cudaRuntimeGetVersion(&report.runtime_version), "cudaRuntimeGetVersion");
  static_cast<void>(cudaDriverGetVersion(&report.driver_version));  // 0 without a driver, which the next call reports
  if (report.driver_version == 0) fail(ErrorKind::kDevice, "no NVIDIA driver is loaded");
  int devices = 0;
  cuda::check(cudaGetDeviceCount(&devices), "cudaGetDeviceCount");
  if (devices == 0) fail(ErrorKind::kDevice, "there is no GPU that CUDA can use");
  cudaDeviceProp device = {};
  cuda::check(cudaGetDeviceProperties(&device, 0), "cudaGetDeviceProperties");
  report.name = device.name;
  report.capability = 10 * device.major + device.minor;
  report.multiprocessors = device.multiProcessorCount;
  std::size_t free = 0;
  std::size_t all = 0;
  cuda::check(cudaMemGetInfo(&free, &all), "cudaMemGetInfo");
  report.free_bytes = static_cast<std::int64_t>(free);
  report.memory_bytes = static_cast<std::int64_t>(all);
}

/// Runs the smallest kernel there is; throws when it does not give its answer.
void probe(CudaReport& report) {
  cudaFuncAttributes attributes = {};
  cuda::check(cudaFuncGetAttributes(&attributes, probe_kernel), "loading a kernel");
  report.kernel_architecture = attributes.binaryVersion;
  report.kernel_ptx = attributes.ptxVersion;
  auto* const answer = static_cast<int*>(cuda::context().scratch());
  cuda::launch(probe_kernel, 1, cuda::kWarp, answer);
  int found = 0;
  cuda_download(&found, answer, sizeof(found));
  if (found != 42) fail(ErrorKind::kDevice, "a kernel that stores 42 left ", found);
}

}  // namespace

CudaReport cuda_report() {
  CudaReport report;
  report.built = true;
  report.architectures = TAPESTRY_CUDA_ARCHITECTURES;
  try {
    describe(report);
    probe(report);
    report.usable = true;
  } catch (const Error& error) {
    report.reason = error.what();
  }
  return report;
}

bool cuda_available() {
  static const bool available = cuda_report().usable;
  return available;
}

}  // namespace tapestry
