#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>

// What tensor/cuda needs of CUDA, on the host: the kernels' sources are compiled by the C++ compiler against this header, as they
// are, and run with a fiber per thread of a block. README.md says what that shows and what it cannot show.

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(threads)  // registers are not counted here

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}  // NOLINT: as in CUDA
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

enum cudaError_t {
  cudaSuccess,
  cudaErrorInvalidValue,
  cudaErrorMemoryAllocation,
  cudaErrorNoDevice,
  cudaErrorInsufficientDriver,
  cudaErrorNoKernelImageForDevice,
  cudaErrorUnsupportedPtxVersion,
  cudaErrorIllegalAddress,
  cudaErrorLaunchFailure,
  cudaErrorInvalidConfiguration,
  cudaErrorIllegalState,
  cudaErrorCapturedEvent,
  cudaErrorStreamCaptureUnsupported,
  cudaErrorStreamCaptureInvalidated,
  cudaErrorStreamCaptureIsolation,
  cudaErrorStreamCaptureWrongThread
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed };
inline constexpr unsigned cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaEventDisableTiming = 2;

using cudaStream_t = struct EmulatedStream*;
using cudaEvent_t = struct EmulatedEvent*;
using cudaGraph_t = struct EmulatedGraph*;
using cudaGraphExec_t = struct EmulatedGraphExec*;

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
};
struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
};
struct cudaFuncAttributes {
  int binaryVersion, ptxVersion;
};

namespace tapestry::tests::emulation {

/// Calls body(context) as every thread of every block, one block after the other; odd launches go through blocks and threads
/// backwards.
cudaError_t run_grid(const dim3& grid, const dim3& block, void (*body)(const void*), const void* context);
/// Whether [address, address + bytes) lies in one block of device memory; true for null.
bool is_device_memory(const void* address, std::size_t bytes = 1);
/// The bytes that cudaMalloc was asked for, where this is the beginning of a block that is handed out; else 0.
std::size_t device_block_bytes(const void* block);
/// From now on cudaMalloc has nothing left once this many bytes are handed out; what is handed out stays.
void limit_device_memory(std::size_t bytes);
/// Device memory can only be touched while one of these lives: by kernels, copies and cuBLAS.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
};

/// What a stream is asked to do; an error of it is one of the call that asked, or of the graph's launch.
using Work = std::function<cudaError_t()>;
bool is_capturing(cudaStream_t stream);
/// Keeps the work for the graph that the stream is recording.
cudaError_t record(cudaStream_t stream, Work work);
/// Breaks the stream's recording off, as CUDA does at the first call that cannot be recorded; returns `error`.
cudaError_t break_capture(cudaStream_t stream, cudaError_t error);
/// Whether the calling thread may ask for memory now: a recording that is not relaxed forbids it.
bool may_allocate();
/// Whether a call may wait for the whole device, as freeing memory does: while any stream is recorded it breaks the recording
/// off. (CUDA may be more lenient; what holds under the strictest reading holds in any case.)
bool may_wait_for_all();

void block_barrier();
unsigned exchange_in_warp(unsigned value, unsigned other_lane);

/// A pointer that a kernel gets has to be the device's.
template <typename T>
bool may_be_passed(const T& argument) {
  if constexpr (std::is_pointer_v<T>) return is_device_memory(argument);
  return true;
}

}  // namespace tapestry::tests::emulation

cudaError_t cudaMalloc(void** block, std::size_t bytes);
cudaError_t cudaFree(void* block);
cudaError_t cudaMallocHost(void** block, std::size_t bytes);
cudaError_t cudaFreeHost(void* block);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* device, int index);
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* all);

cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaEventDestroy(cudaEvent_t event);
// Everything is done when it is asked for, so that there is nothing to wait for; while a stream is recorded, waiting is an error.
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorName(cudaError_t) { return "an error of the emulated CUDA"; }
inline const char* cudaGetErrorString(cudaError_t) { return "invalid value or launch"; }

inline cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
inline cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
inline cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
template <typename Kernel>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, Kernel) {
  *attributes = {90, 90};
  return cudaSuccess;
}

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...), Arguments&&... arguments) {
  // CUDA copies the arguments as bytes: nothing that would notice may be among them.
  static_assert((std::is_trivially_copyable_v<Parameters> && ...) && (sizeof(Parameters) + ... + 0) <= 4096);
  const auto work = [grid = config->gridDim, block = config->blockDim, kernel,
                     copies = std::tuple<Parameters...>(static_cast<Parameters>(arguments)...)] {
    const auto sound = [](const Parameters&... values) { return (tapestry::tests::emulation::may_be_passed(values) && ...); };
    if (!std::apply(sound, copies)) return cudaErrorIllegalAddress;
    const auto body = [&] { std::apply(kernel, copies); };
    const auto call = [](const void* context) { (*static_cast<decltype(&body)>(context))(); };
    return tapestry::tests::emulation::run_grid(grid, block, call, &body);
  };
  if (!tapestry::tests::emulation::is_capturing(config->stream)) return work();
  return tapestry::tests::emulation::record(config->stream, work);
}

inline void __syncthreads() { tapestry::tests::emulation::block_barrier(); }
inline unsigned __shfl_xor_sync(unsigned /*mask*/, unsigned value, int lanes) {
  return tapestry::tests::emulation::exchange_in_warp(value, static_cast<unsigned>(lanes) ^ (threadIdx.x % 32));
}
