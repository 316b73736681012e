// The emulated GPU itself: that barriers and shuffles are real, and that the mistakes it is meant to show do show.
#include <gtest/gtest.h>

#include <vector>

#include "tensor/cuda/cuda_memory.h"
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
