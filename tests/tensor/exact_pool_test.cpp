// TAPESTRY_POOL=exact on the emulated GPU, in a process of its own, since the switch is read once.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "tensor/memory.h"
#include "tensor/ops.h"
#include "tensor/step_graph.h"
#include "tests/support/cuda_emulation/cuda_runtime.h"

namespace tapestry::tests {
namespace {

/// Ends the process with what is wrong.
void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

/// Ends the process: with 0 when all is as it should be.
void use_an_exact_pool() {
  ::setenv("TAPESTRY_POOL", "exact", 1);
  const std::int64_t in_use = pool_stats(Device::kCuda).bytes_in_use;
  for (const std::size_t bytes : {1, 64, 65, 1000, 1000}) {
    void* const block = pool_allocate(Device::kCuda, bytes);
    const std::int64_t asked = pool_stats(Device::kCuda).system_allocations;
    demand(emulation::device_block_bytes(block) == bytes, "a block has the bytes that were asked for");
    demand(pool_stats(Device::kCuda).bytes_in_use == in_use + static_cast<std::int64_t>(bytes), "they are in use");
    pool_free(Device::kCuda, block, bytes);
    demand(emulation::device_block_bytes(block) == 0, "a block that is free is the driver's again");
    pool_free(Device::kCuda, pool_allocate(Device::kCuda, bytes), bytes);
    demand(pool_stats(Device::kCuda).system_allocations == asked + 1, "the driver is asked each time");
  }
  pool_free(Device::kCuda, pool_allocate(Device::kCuda, 0), 0);
  demand(pool_stats(Device::kCuda).bytes_in_use == in_use, "all was given back");
  demand(pool_stats(Device::kCuda).bytes_cached == 0, "nothing is kept");

  const Tensor count = Tensor::from<std::int32_t>({0}, {1}, Device::kCuda);
  StepGraph graph(Device::kCuda);
  for (int i = 0; i < 4; ++i) graph.run(0, [&] { add_integer(count, 1); });
  demand(StepGraph::launches() == 0, "no graph is launched");
  demand(count.item() == 4, "every step is called");
  std::exit(0);
}

TEST(ExactPoolDeathTest, EveryBlockIsTheDriversAtItsOwnSize) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the whole program anew, in which no pool has been used
  EXPECT_EXIT(use_an_exact_pool(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tapestry::tests
