#include "tensor/memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "tensor/tensor.h"
#include "tests/support/full_device.h"
#include "tests/support/gpu_test.h"

#ifdef __SANITIZE_ADDRESS__
/// The sanitizer ends a program that asks for too much, unless it is told to answer as the system does: with null.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
#endif

namespace tapestry::tests {
namespace {

class MemoryTest : public DeviceTest {};

TEST_F(MemoryTest, BlocksAreAlignedAndReused) {
  const Device device = test_device();
  for (const std::size_t bytes : {0, 1, 63, 64, 65, 100, 129, 1000, 4097, 1000000}) {
    void* block = pool_allocate(device, bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0U) << bytes;
    const std::int64_t asked = pool_stats(device).system_allocations;
    pool_free(device, block, bytes);
    EXPECT_EQ(pool_allocate(device, bytes), block) << bytes;
    EXPECT_EQ(pool_stats(device).system_allocations, asked) << bytes;
    pool_free(device, block, bytes);
  }
}

TEST_F(MemoryTest, SizesOfOneClassShareTheirBlocks) {
  const auto expect_shared = [](std::size_t given, std::size_t asked) {
    void* block = pool_allocate(test_device(), given);
    pool_free(test_device(), block, given);
    EXPECT_EQ(pool_allocate(test_device(), asked), block) << asked << " bytes after " << given;
    pool_free(test_device(), block, asked);
  };
  expect_shared(0, 64);
  for (const std::size_t bytes : {65, 80, 81, 96, 100, 112, 128}) expect_shared(70, bytes);
  expect_shared(129, 192);
  expect_shared(193, 256);
  expect_shared(257, 320);
}

TEST_F(MemoryTest, BlocksHoldWhatWasAskedFor) {
  if (test_device() != Device::kCpu) GTEST_SKIP() << "the host cannot write there";
  std::vector<std::pair<unsigned char*, std::size_t>> blocks;
  for (std::size_t bytes = 1; bytes < 3000; bytes += 7) {
    auto* block = static_cast<unsigned char*>(pool_allocate(Device::kCpu, bytes));
    std::memset(block, static_cast<int>(bytes % 251), bytes);
    blocks.emplace_back(block, bytes);
  }
  for (const auto& [block, bytes] : blocks) {
    EXPECT_EQ(block[0], bytes % 251);
    EXPECT_EQ(block[bytes - 1], bytes % 251);
    pool_free(Device::kCpu, block, bytes);
  }
}

TEST_F(MemoryTest, StatsAndTrim) {
  const Device device = test_device();
  pool_trim(device);
  const PoolStats before = pool_stats(device);
  EXPECT_EQ(before.bytes_cached, 0);
  void* block = pool_allocate(device, 1000000);
  const PoolStats held = pool_stats(device);
  EXPECT_EQ(held.system_allocations, before.system_allocations + 1);
  EXPECT_GE(held.bytes_in_use - before.bytes_in_use, 1000000);
  EXPECT_LE(held.bytes_in_use - before.bytes_in_use, 1250000);
  EXPECT_GE(held.peak_bytes, held.bytes_in_use);
  pool_free(device, block, 1000000);
  const PoolStats freed = pool_stats(device);
  EXPECT_EQ(freed.bytes_in_use, before.bytes_in_use);
  EXPECT_EQ(freed.bytes_cached, held.bytes_in_use - before.bytes_in_use);
  pool_trim(device);
  EXPECT_EQ(pool_stats(device).bytes_cached, 0);
  EXPECT_EQ(pool_stats(device).peak_bytes, freed.peak_bytes);
}

TEST_F(MemoryTest, TensorsGiveTheirBlocksBack) {
  const std::int64_t before = pool_stats(test_device()).bytes_in_use;
  {
    const Tensor x = Tensor::empty({100, 100}, DType::kFloat32, test_device());
    const Tensor view = x.slice_rows(0, 5);
    EXPECT_GE(pool_stats(test_device()).bytes_in_use, before + 40000);
  }
  EXPECT_EQ(pool_stats(test_device()).bytes_in_use, before);
}

TEST_F(MemoryTest, TooMuchIsADeviceError) {
  const PoolStats before = pool_stats(test_device());
  // The first is asked of the system, whose addresses do not reach so far; the others are refused unasked.
  for (const std::size_t bytes : {std::size_t{1} << 49, std::size_t{1} << 51, std::size_t{1} << 60, ~std::size_t{0}}) {
    try {
      pool_allocate(test_device(), bytes);
      ADD_FAILURE() << bytes << " bytes were found";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kDevice);
      EXPECT_NE(std::string(error.what()).find("out of memory"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(pool_stats(test_device()).bytes_in_use, before.bytes_in_use);
  EXPECT_EQ(Tensor::full({3}, 2.0, DType::kFloat32, test_device()).to(Device::kCpu).data<float>()[2], 2.0f) << "it goes on";
}

class FullDeviceTest : public GpuTest {};

TEST_F(FullDeviceTest, SaysSoAndGoesOnWhenThereIsMemoryAgain) {
  constexpr std::int64_t kCount = 1 << 20;
  const auto four_mebibytes = [] { return Tensor::full({kCount}, 2.0, DType::kFloat32, Device::kCuda); };
  const Tensor held = four_mebibytes();
  FullDevice full;
  full.fill();
  try {
    four_mebibytes();
    ADD_FAILURE() << "there was memory left";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_NE(std::string(error.what()).find("out of memory on cuda: 4.0 MiB asked for"), std::string::npos) << error.what();
  }
  full.give_back();
  EXPECT_EQ(four_mebibytes().to(Device::kCpu).data<float>()[kCount - 1], 2.0f);
  EXPECT_EQ(held.to(Device::kCpu).data<float>()[kCount - 1], 2.0f) << "what was there before is still good";
}

TEST_F(MemoryTest, ManyThreads) {
  if (test_device() != Device::kCpu) GTEST_SKIP() << "the host cannot write there";
  const std::int64_t before = pool_stats(Device::kCpu).bytes_in_use;
  std::vector<std::thread> threads;
  std::vector<int> clashes(4, 0);
  for (std::size_t id = 0; id < clashes.size(); ++id) {
    threads.emplace_back([id, &clashes] {
      for (std::size_t round = 0; round < 2000; ++round) {
        const std::size_t bytes = 64 + round % 50 * 37;
        auto* first = static_cast<unsigned char*>(pool_allocate(Device::kCpu, bytes));
        auto* second = static_cast<unsigned char*>(pool_allocate(Device::kCpu, bytes));
        std::memset(first, static_cast<int>(id), bytes);
        std::memset(second, static_cast<int>(id), bytes);
        for (std::size_t at = 0; at < bytes; ++at) clashes[id] += first[at] != id || second[at] != id ? 1 : 0;
        pool_free(Device::kCpu, first, bytes);
        pool_free(Device::kCpu, second, bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(clashes, std::vector<int>(4, 0)) << "two threads were given one block";
  EXPECT_EQ(pool_stats(Device::kCpu).bytes_in_use, before);
}

}  // namespace
}  // namespace tapestry::tests
