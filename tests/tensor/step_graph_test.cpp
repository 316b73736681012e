// Steps repeated as CUDA graphs against the same steps called one by one. On the CPU every step is called, and the tests of what
// a graph does are skipped.
#include "tensor/step_graph.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tensor/cuda/cuda_memory.h"
#include "tensor/ops.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"
#include "tests/support/graphs_switch.h"
#include "tests/support/side_by_side.h"

namespace tapestry::tests {
namespace {

constexpr std::int64_t kRows = 21;

/// A loop whose steps differ: x [21, 9] <- rate_i x + A x + noise_i, in the first rows only on every third step, with as many
/// rates as there are steps. The sum of all x is recorded by step.
class Walk {
 public:
  Walk(std::int64_t steps, std::uint64_t seed)
      : seed_(seed),
        x_(random_normal({kRows, 9}, {seed, Purpose::kTest, 100}, 0, 1, DType::kFloat32, test_device())),
        a_(random_normal({9, 9}, {seed, Purpose::kTest, 101}, 0, 0.1, DType::kFloat32, test_device())),
        counter_(Tensor::from<std::int32_t>({0}, {1}, test_device())),
        sums_(Tensor::zeros({steps, 1}, DType::kFloat32, test_device())),
        graph_(test_device()) {
    std::vector<float> rates;
    for (std::int64_t i = 0; i < steps; ++i) rates.push_back(0.5F + 0.01F * static_cast<float>(i));
    rates_ = Tensor::from<float>(rates, {steps, 1}, test_device());
  }

  /// Steps begin .. end - 1; `also` is called within each.
  void go(
      std::int64_t begin, std::int64_t end, const std::function<void()>& also = [] {}) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t rows = i % 3 == 2 ? 5 : kRows;
      graph_.run(rows, [&] {
        step(rows);
        also();
      });
    }
  }

  /// What is left of it: the last x and every sum.
  std::vector<float> result() const {
    std::vector<float> numbers;
    for (const Tensor& tensor : {x_.to(Device::kCpu), sums_.to(Device::kCpu)}) {
      numbers.insert(numbers.end(), tensor.span<float>().begin(), tensor.span<float>().end());
    }
    return numbers;
  }
  const Tensor& x() const { return x_; }

 private:
  void step(std::int64_t rows) const {
    const Tensor x = x_.slice_rows(0, rows);
    const Tensor noise =
        random_normal(x.shape(), {seed_, Purpose::kTest, 7, counter_.data<std::int32_t>()}, 0, 1, DType::kFloat32, test_device());
    const Tensor kept = weighted_sum(gather_rows(rates_, counter_).reshape({1}), {x});
    const Tensor next =
        linear_combination({{1.0, kept}, {1.0, dropout(matmul(x, a_), 0.3, {seed_, Purpose::kTest, 8})}, {0.1, noise}});
    copy_bytes(x.raw_data(), x.device(), next.raw_data(), next.device(), static_cast<std::size_t>(next.bytes()));
    scatter_add_rows(sum(x).reshape({1, 1}), counter_, sums_);
    add_integer(counter_, 1);
  }

  std::uint64_t seed_;
  Tensor x_;        ///< [21, 9]
  Tensor a_;        ///< [9, 9]
  Tensor counter_;  ///< int32 [1]
  Tensor sums_;     ///< [steps, 1]
  Tensor rates_;    ///< [steps, 1]
  StepGraph graph_;
};

std::vector<float> walked(std::int64_t steps, std::uint64_t seed) {
  Walk walk(steps, seed);
  walk.go(0, steps);
  return walk.result();
}

std::string misuse(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kMisuse);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

class StepGraphTest : public DeviceTest {};

TEST_F(StepGraphTest, GivesTheBitsOfStepsCalledOneByOne) {
  const std::int64_t before = StepGraph::launches();
  const std::vector<float> repeated = walked(20, 3);
  // The first step of each of the two kinds is called.
  EXPECT_EQ(StepGraph::launches() - before, test_device() == Device::kCuda ? 18 : 0);
  const GraphsSwitch off("off");
  const std::vector<float> called = walked(20, 3);
  EXPECT_EQ(StepGraph::launches() - before, test_device() == Device::kCuda ? 18 : 0);
  EXPECT_EQ(std::memcmp(repeated.data(), called.data(), called.size() * sizeof(float)), 0);
  EXPECT_NE(walked(20, 4), called);
}

TEST_F(StepGraphTest, IsSwitchedByTheEnvironment) {
  {
    const GraphsSwitch on("on");
    StepGraph graph(test_device());
  }
  const GraphsSwitch wrong("maybe");
  EXPECT_THROW(StepGraph graph(test_device()), Error);
}

/// What only a recorded step can show.
class StepGraphOnDevice : public GpuTest {};

TEST_F(StepGraphOnDevice, AsksForNothingAndCopiesNothingOnceItIsRecorded) {
  Walk walk(30, 3);
  walk.go(0, 1);  // called
  const PoolStats warm = pool_stats(Device::kCuda);
  walk.go(1, 2);  // recorded
  EXPECT_EQ(pool_stats(Device::kCuda).system_allocations, warm.system_allocations);
  walk.go(2, 6);  // the other kind called and recorded
  const CopyStats copies = copy_stats();
  const PoolStats recorded = pool_stats(Device::kCuda);
  walk.go(6, 30);
  EXPECT_EQ(copy_stats().to_device, copies.to_device);
  EXPECT_EQ(copy_stats().to_host, copies.to_host);
  EXPECT_EQ(pool_stats(Device::kCuda).system_allocations, recorded.system_allocations);
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_in_use, recorded.bytes_in_use);
  static_cast<void>(walk.x().to(Device::kCpu));
  EXPECT_EQ(copy_stats().to_host, copies.to_host + 1);  // they are counted
}

TEST_F(StepGraphOnDevice, KeepsItsMemoryUntilItIsGone) {
  const std::int64_t before = pool_stats(Device::kCuda).bytes_in_use;
  {
    Walk walk(9, 3);
    const std::int64_t outside = pool_stats(Device::kCuda).bytes_in_use;
    walk.go(0, 9);
    EXPECT_GT(pool_stats(Device::kCuda).bytes_in_use, outside);
    // Others get none of it: what they write does not show in the next steps.
    const Tensor other = Tensor::full({kRows, 9}, 1e30, DType::kFloat32, Device::kCuda);
    EXPECT_NE(other.raw_data(), nullptr);
  }
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_in_use, before);
}

TEST_F(StepGraphOnDevice, AStepIsNotDisturbedByWhatOthersAllocateBetweenSteps) {
  Walk walk(12, 3);
  std::vector<Tensor> others;
  for (std::int64_t step = 0; step < 12; ++step) {
    walk.go(step, step + 1);
    for (const std::int64_t rows : {kRows, std::int64_t{5}, std::int64_t{1}}) {
      others.push_back(Tensor::full({rows, 9}, 1e30, DType::kFloat32, Device::kCuda));
    }
  }
  const std::vector<float> disturbed = walk.result();
  EXPECT_EQ(disturbed, walked(12, 3));
}

TEST_F(StepGraphOnDevice, ATensorThatIsKeptFromAStepOutlivesTheGraph) {
  const std::int64_t before = pool_stats(Device::kCuda).bytes_in_use;
  Tensor kept;
  {
    Walk walk(9, 3);
    walk.go(0, 9, [&] { kept = linear_combination({{2.0, walk.x()}}); });
    const std::vector<float> x = walk.result();
    EXPECT_EQ(kept.to(Device::kCpu).data<float>()[0], 2 * x[0]);  // step 8 is one of the launched ones
  }
  EXPECT_GT(pool_stats(Device::kCuda).bytes_in_use, before);
  EXPECT_EQ(kept.to(Device::kCpu).numel(), kRows * 9);
  kept = Tensor();
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_in_use, before);
}

TEST_F(StepGraphOnDevice, TheBlockOfATensorThatWasKeptIsNotGivenToOthersLater) {
  Walk walk(12, 3);
  Tensor kept;
  walk.go(0, 2, [&] { kept = linear_combination({{2.0, walk.x()}}); });  // step 1 is recorded, and will write there again
  kept = Tensor();
  std::vector<Tensor> others;
  for (int i = 0; i < 20; ++i) others.push_back(Tensor::full({kRows, 9}, 7, DType::kFloat32, Device::kCuda));
  walk.go(2, 12);
  for (const Tensor& other : others) EXPECT_EQ(sum(other).item(), 7.0 * kRows * 9);
}

TEST_F(StepGraphOnDevice, RefusesWhatNeedsTheHost) {
  Walk walk(12, 3);
  walk.go(0, 1);
  const std::string download = misuse([&] { walk.go(1, 2, [&] { static_cast<void>(walk.x().to(Device::kCpu)); }); });
  EXPECT_NE(download.find("copying from the GPU (756 bytes) within a step that is captured"), std::string::npos) << download;
  const std::string upload = misuse([&] { walk.go(1, 2, [] { Tensor::from<float>({1, 2}, {2}, Device::kCuda); }); });
  EXPECT_NE(upload.find("copying to the GPU (8 bytes) within a step that is captured"), std::string::npos) << upload;
  // Nothing of those steps was done.
  walk.go(1, 12);
  EXPECT_EQ(walk.result(), walked(12, 3));
}

TEST_F(StepGraphOnDevice, GoesOnAfterAnExceptionInAStep) {
  const std::int64_t before = pool_stats(Device::kCuda).bytes_in_use;
  {
    Walk walk(12, 3);
    walk.go(0, 1);
    EXPECT_THROW(walk.go(1, 2, [] { fail(ErrorKind::kFit, "stop"); }), Error);
    EXPECT_EQ(sum(Tensor::full({10}, 2, DType::kFloat32, Device::kCuda)).item(), 20);  // the stream is usable
    walk.go(1, 12);
    EXPECT_EQ(walk.result(), walked(12, 3));
  }
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_in_use, before);
}

TEST_F(StepGraphOnDevice, OneWithinAnotherIsPartOfIt) {
  StepGraph outer(Device::kCuda);
  StepGraph inner(Device::kCuda);
  const Tensor count = Tensor::from<std::int32_t>({0}, {1}, Device::kCuda);
  for (int i = 0; i < 6; ++i) {
    outer.run(0, [&] { inner.run(0, [&] { add_integer(count, 1); }); });
  }
  EXPECT_EQ(count.item(), 6);
}

TEST_F(StepGraphOnDevice, ThreadsRecordAndRunSideBySide) {
  std::vector<std::vector<float>> results(4);
  tests::side_by_side(results.size(), [&](std::size_t i) {
    for (int round = 0; round < 3; ++round) results[i] = walked(14, 30 + i);
  });
  for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i], walked(14, 30 + i)) << i;
}

TEST_F(StepGraphOnDevice, AnotherThreadDoesNotWaitForAStreamThatIsRecorded) {
  constexpr std::int64_t kOdd = 12345;  // a size class of its own
  Walk walk(9, 3);
  walk.go(0, 1);
  { const Tensor freed_here = Tensor::empty({kOdd}, DType::kFloat32, Device::kCuda); }
  double total = 0;
  std::string error;
  std::latch warm(1), recording(1);
  std::thread other([&] {
    try {
      tests::warm_up();
      warm.count_down();
      recording.wait();
      total = sum(Tensor::full({kOdd}, 1, DType::kFloat32, Device::kCuda)).item();
    } catch (const std::exception& thrown) {
      error = thrown.what();
      if (!warm.try_wait()) warm.count_down();
    }
  });
  warm.wait();
  const auto let_it_go_on = [&] {
    if (!other.joinable()) return;
    recording.count_down();
    other.join();
  };
  // The pool's free block of this size was last used on the stream that is being recorded: asking for it now must not draw the
  // other thread's stream into the recording.
  walk.go(1, 2, let_it_go_on);
  let_it_go_on();
  EXPECT_EQ(error, "");
  EXPECT_EQ(total, kOdd);
  walk.go(2, 9);
  EXPECT_EQ(walk.result(), walked(9, 3));
}

TEST_F(StepGraphOnDevice, AFirstStepThatThrowsDoesNotCount) {
  StepGraph graph(Device::kCuda);
  const Tensor count = Tensor::from<std::int32_t>({0}, {1}, Device::kCuda);
  const auto add = [&] { add_integer(count, 1); };
  const std::int64_t before = StepGraph::launches();
  EXPECT_THROW(graph.run(0, [] { fail(ErrorKind::kFit, "stop"); }), Error);
  graph.run(0, add);
  EXPECT_EQ(StepGraph::launches(), before) << "recorded though no step with its key had been called to its end";
  graph.run(0, add);
  EXPECT_EQ(StepGraph::launches(), before + 1);
  EXPECT_EQ(count.item(), 2);
}

TEST_F(StepGraphOnDevice, ThePoolDoesNotWaitForARecordingByAThreadThatHadNotUsedTheGpu) {
  StepGraph graph(Device::kCuda);
  const Tensor count = Tensor::from<std::int32_t>({0}, {1}, Device::kCuda);
  const auto add = [&] { add_integer(count, 1); };
  graph.run(0, add);  // called
  cuda_synchronize();
  std::thread other([&] {
    graph.run(0, add);  // recorded: the first that this thread asks of the GPU
    cuda_synchronize();
  });
  other.join();
  EXPECT_EQ(count.item(), 2);
  const auto trimmed = std::make_shared<std::promise<void>>();  // which outlives a test that does not wait for ever
  std::thread waiting([trimmed] {
    pool_trim(Device::kCuda);
    trimmed->set_value();
  });
  const bool done = trimmed->get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  EXPECT_TRUE(done) << "pool_trim waits for a recording that has ended";
  done ? waiting.join() : waiting.detach();
}

TEST_F(StepGraphOnDevice, BelongsToTheThreadThatRecordedIt) {
  Walk walk(9, 3);
  walk.go(0, 6);
  std::string message;
  std::thread other([&] {
    static_cast<void>(Tensor::full({1}, 1, DType::kFloat32, Device::kCuda));
    message = misuse([&] { walk.go(6, 7); });
  });
  other.join();
  EXPECT_NE(message.find("another thread"), std::string::npos) << message;
}

TEST(KernelLoading, IsAtTheStartUnlessAskedForOtherwise) {
  const char* const kSwitch = "CUDA_MODULE_LOADING";
  const char* const found = std::getenv(kSwitch);
  const std::string before = found == nullptr ? "" : found;
  ::unsetenv(kSwitch);
  load_kernels_at_start();
  EXPECT_STREQ(std::getenv(kSwitch), "EAGER");
  ::setenv(kSwitch, "LAZY", 1);
  load_kernels_at_start();
  EXPECT_STREQ(std::getenv(kSwitch), "LAZY");
  found == nullptr ? ::unsetenv(kSwitch) : ::setenv(kSwitch, before.c_str(), 1);
}

}  // namespace
}  // namespace tapestry::tests
