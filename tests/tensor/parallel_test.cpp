#include "tensor/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/ops.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

class ParallelTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_num_threads(GetParam()); }
  void TearDown() override { set_num_threads(0); }
};

TEST_P(ParallelTest, CoversEveryIndexOnce) {
  for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
    parallel_for(count, [&](std::int64_t i) { ++visits[static_cast<std::size_t>(i)]; });
    for (const std::atomic<int>& visit : visits) EXPECT_EQ(visit, 1);
  }
}

TEST_P(ParallelTest, RethrowsTheException) {
  std::atomic<int> ran = 0;
  try {
    parallel_for(100, [&](std::int64_t i) {
      ++ran;
      if (i == 3) throw std::runtime_error("part 3 failed");
    });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "part 3 failed");
  }
  EXPECT_GE(ran, 1);
  if (GetParam() == 1) {
    EXPECT_EQ(ran, 4) << "no job is begun after one has failed";
  }
  parallel_for(3, [&](std::int64_t) { ++ran; });  // and works again
}

TEST_P(ParallelTest, KernelsInsideGiveTheSameBits) {
  const Tensor a = random_tensor({301, 130}, 1, -2, 2, DType::kFloat32);
  const Tensor b = random_tensor({130, 1031}, 2, -2, 2, DType::kFloat32);
  const auto compute = [&] { return unary(UnaryOp::kTanh, matmul(a, b)); };
  const Tensor outside = compute();
  std::vector<Tensor> inside(5);
  parallel_for(5, [&](std::int64_t i) { inside[static_cast<std::size_t>(i)] = compute(); });
  for (const Tensor& result : inside) {
    EXPECT_TRUE(same_bits(result, outside));
  }
}

TEST_P(ParallelTest, Nests) {
  std::atomic<int> visits = 0;
  parallel_for(4, [&](std::int64_t) { parallel_for(5, [&](std::int64_t) { ++visits; }); });
  EXPECT_EQ(visits, 20);
}

INSTANTIATE_TEST_SUITE_P(Threads, ParallelTest, ::testing::Values(1, 2, 3),
                         [](const auto& threads) { return std::to_string(threads.param); });

TEST(ThreadCount, IsWhatWasSet) {
  set_num_threads(3);
  EXPECT_EQ(num_threads(), 3);
  set_num_threads(0);
  EXPECT_GE(num_threads(), 1);
}

}  // namespace
}  // namespace tapestry::tests
