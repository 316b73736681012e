// The emulated GPU itself: that barriers and shuffles are real, and that the mistakes it is meant to show do show.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tensor/cuda/cuda_memory.h"
#include "tensor/cuda/launch.cuh"
#include "tests/support/cuda_emulation/cuda_runtime.h"

namespace tapestry::tests {
namespace {

/// Device memory for a few ints, and the launches of a kernel on it.
class EmulationTest : public ::testing::Test {
 protected:
  void SetUp() override { device_ = static_cast<int*>(cuda_allocate(kCount * sizeof(int))); }
  void TearDown() override { cuda_free(device_); }

  cudaError_t launch(void (*kernel)(int*), int* argument, unsigned blocks = 2, unsigned threads = 64) {
    const cudaLaunchConfig_t config = {dim3(blocks), dim3(threads), 0, nullptr};
    return cudaLaunchKernelEx(&config, kernel, argument);
  }
  std::vector<int> result() const {
    std::vector<int> values(kCount);
    cuda_download(values.data(), device_, kCount * sizeof(int));
    return values;
  }

  static constexpr std::size_t kCount = 128;
  int* device_ = nullptr;
};

void mirror(int* y, bool with_barrier) {
  __shared__ int values[64];
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (with_barrier) __syncthreads();
  y[blockIdx.x * 64 + threadIdx.x] = values[63 - threadIdx.x];
  __syncthreads();
  values[threadIdx.x] = -1;
}

TEST_F(EmulationTest, ABarrierLetsEveryThreadSeeTheOthers) {
  for (int order = 0; order < 2; ++order) {
    ASSERT_EQ(launch([](int* y) { mirror(y, true); }, device_), cudaSuccess);
    for (int i = 0; i < 128; ++i) EXPECT_EQ(result()[static_cast<std::size_t>(i)], 63 - i % 64);
  }
}

TEST_F(EmulationTest, AMissingBarrierGivesWrongNumbers) {
  int wrong = 0;
  for (int order = 0; order < 2; ++order) {
    ASSERT_EQ(launch([](int* y) { mirror(y, false); }, device_), cudaSuccess);
    for (int i = 0; i < 128; ++i) wrong += result()[static_cast<std::size_t>(i)] != 63 - i % 64 ? 1 : 0;
  }
  EXPECT_GT(wrong, 0);
}

TEST_F(EmulationTest, ShufflesExchangeWithinAWarp) {
  const auto kernel = [](int* y) {
    unsigned value = threadIdx.x;
    for (const int lanes : {1, 2, 16}) value = __shfl_xor_sync(0xffffffffu, value, lanes);
    y[blockIdx.x * 64 + threadIdx.x] = static_cast<int>(value);
  };
  ASSERT_EQ(launch(kernel, device_), cudaSuccess);
  for (int i = 0; i < 128; ++i) EXPECT_EQ(result()[static_cast<std::size_t>(i)], (i % 64) ^ 19);
}

TEST_F(EmulationTest, WhatAGpuRefusesIsRefused) {
  const auto kernel = [](int*) {};
  int on_the_host = 0;
  EXPECT_EQ(launch(kernel, &on_the_host), cudaErrorIllegalAddress);
  EXPECT_EQ(launch(kernel, device_, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(kernel, device_, 1, 2048), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaMemcpyAsync(device_, device_, 1 << 20, cudaMemcpyDeviceToDevice, nullptr), cudaErrorInvalidValue);
}

// What tensor/cuda/launch.cuh does where a test of kernels would need millions of elements.

TEST_F(EmulationTest, AThreadTakesSeveralElementsWhereTheGridIsSmall) {
  const std::vector<int> zeros(kCount, 0);
  cuda_upload(device_, zeros.data(), kCount * sizeof(int));
  auto visit = [y = device_](std::int64_t i) { ++y[i]; };
  cuda::launch(cuda::for_each_kernel<decltype(visit)>, 2, 32, std::int64_t{kCount} - 1, visit);
  std::vector<int> once(kCount, 1);
  once.back() = 0;
  EXPECT_EQ(result(), once);
}

TEST_F(EmulationTest, MoreBlocksThanAGridCanHaveAreRefused) {
  void (*const kernel)(int*) = [](int* y) { *y = 0; };
  for (const std::int64_t blocks : {std::int64_t{1} << 31, (std::int64_t{1} << 32) + 1}) {
    try {
      cuda::launch(kernel, blocks, 32, device_);
      ADD_FAILURE() << blocks << " blocks were started, or some of them";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kDevice);
      EXPECT_NE(std::string(error.what()).find(std::to_string(blocks)), std::string::npos) << error.what();
    }
  }
}

TEST(LaunchTest, PlacesBehindThirtyTwoBitsAreFound) {
  constexpr std::int64_t kHalf = std::int64_t{1} << 31;
  struct Expected {
    std::int64_t row, col, cols;
  };
  const std::vector<Expected> places = {{5, 2, 7},
                                        {kHalf - 1, 1, 2},
                                        {kHalf, 0, 2},
                                        {3 * kHalf, 1, 3},
                                        {0, 2 * kHalf, 2 * kHalf + 1},
                                        {3, 4 * kHalf + 1, 8 * kHalf}};
  for (const auto& [row, col, cols] : places) {
    const cuda::Place place = cuda::place_of(row * cols + col, cols);
    EXPECT_EQ(place.row, row) << cols;
    EXPECT_EQ(place.col, col) << cols;
  }
}

TEST_F(EmulationTest, ARecordedStreamDoesNothingUntilItsGraphIsLaunched) {
  const auto add = [](int* y, int value) { y[blockIdx.x * 64 + threadIdx.x] += value; };
  const auto store = [](int* y) { y[blockIdx.x * 64 + threadIdx.x] = 0; };
  ASSERT_EQ(launch(store, device_), cudaSuccess);
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), cudaSuccess);
  EXPECT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), cudaErrorIllegalState);
  const cudaLaunchConfig_t config = {dim3(2), dim3(64), 0, stream};
  int value = 3;
  EXPECT_EQ(cudaLaunchKernelEx(&config, static_cast<void (*)(int*, int)>(add), device_, value), cudaSuccess);
  value = 100;  // arguments are those of the call
  const std::size_t half = kCount / 2 * sizeof(int);
  EXPECT_EQ(cudaMemcpyAsync(device_, device_ + kCount / 2, half, cudaMemcpyDeviceToDevice, stream), cudaSuccess);
  EXPECT_EQ(result(), std::vector<int>(kCount, 0));
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(result(), std::vector<int>(kCount, 0));
  for (const int total : {3, 6}) {
    EXPECT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
    EXPECT_EQ(result(), std::vector<int>(kCount, total));
  }
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_F(EmulationTest, WhatCannotBeRecordedBreaksTheRecordingOff) {
  cudaStream_t stream = nullptr;
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  int host = 0;
  void* block = nullptr;
  const auto broken_by = [&](cudaStreamCaptureMode mode, const std::function<cudaError_t()>& call) {
    EXPECT_EQ(cudaEventRecord(event, stream), cudaSuccess);  // before the recording
    EXPECT_EQ(cudaStreamBeginCapture(stream, mode), cudaSuccess);
    const cudaError_t error = call();
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);  // the stream is as before
    return error;
  };
  const auto relaxed = cudaStreamCaptureModeRelaxed;
  EXPECT_EQ(broken_by(relaxed, [&] { return cudaStreamSynchronize(stream); }), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(broken_by(relaxed, [&] { return cudaMemcpyAsync(&host, device_, 4, cudaMemcpyDeviceToHost, stream); }),
            cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(broken_by(relaxed, [&] { return cudaMemcpyAsync(device_, &host, 4, cudaMemcpyHostToDevice, stream); }),
            cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(broken_by(relaxed, [&] { return cudaStreamWaitEvent(stream, event, 0); }), cudaErrorStreamCaptureIsolation);
  EXPECT_EQ(broken_by(cudaStreamCaptureModeThreadLocal, [&] { return cudaMalloc(&block, 4); }),
            cudaErrorStreamCaptureUnsupported);
  // Nor may anybody wait for what is recorded.
  ASSERT_EQ(cudaStreamBeginCapture(stream, relaxed), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(event, stream), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event), cudaErrorCapturedEvent);
  EXPECT_EQ(cudaMalloc(&block, 4), cudaSuccess);  // a relaxed recording allows it
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorIllegalState);
  EXPECT_EQ(cudaFree(block), cudaSuccess);
  EXPECT_EQ(broken_by(relaxed, [] { return cudaFree(nullptr); }), cudaErrorStreamCaptureUnsupported)
      << "it waits for all streams";
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

using EmulationDeathTest = EmulationTest;

TEST_F(EmulationDeathTest, TheHostCannotReadDeviceMemory) {
  const volatile int* device = device_;
  EXPECT_DEATH(static_cast<void>(*device), "");
}

TEST_F(EmulationDeathTest, ABarrierThatSomeThreadsNeverReachStopsTheProgram) {
  const auto kernel = [](int*) {
    if (threadIdx.x != 5) __syncthreads();
  };
  EXPECT_DEATH(launch(kernel, device_), "never reach");
}

}  // namespace
}  // namespace tapestry::tests
