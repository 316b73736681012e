// The pool when the emulated GPU has nothing left.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "tensor/memory.h"
#include "tensor/ops.h"
#include "tensor/step_graph.h"
#include "tests/support/little_device_memory.h"

namespace tapestry::tests {
namespace {

constexpr std::int64_t kMebi = 1 << 20;

Tensor bytes_on_device(std::int64_t bytes) { return Tensor::full({bytes / 4}, 3.0, DType::kFloat32, Device::kCuda); }

std::string error_text(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_EQ(error.exit_status(), 4);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(OutOfDeviceMemory, SaysHowMuchAndWhatToDo) {
  pool_trim(Device::kCuda);
  const Tensor held = bytes_on_device(kMebi);
  static_cast<void>(bytes_on_device(2 * kMebi));  // freed at once: the pool keeps it for later
  const std::int64_t in_use = pool_stats(Device::kCuda).bytes_in_use;
  const LittleDeviceMemory little(0);
  const std::string text = error_text([] { bytes_on_device(8 * kMebi); });
  for (const char* part : {"out of memory on cuda: 8.0 MiB asked for, 1.0 MiB in use", "2.0 MiB that it kept", "--jobs"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const PoolStats after = pool_stats(Device::kCuda);
  EXPECT_EQ(after.bytes_in_use, in_use);
  EXPECT_EQ(after.bytes_cached, 0);
  little.all();
  static_cast<void>(bytes_on_device(8 * kMebi));
  EXPECT_EQ(held.to(Device::kCpu).data<float>()[kMebi / 4 - 1], 3.0f) << "what was there before is still good";
}

TEST(OutOfDeviceMemory, TheCacheIsGivenBackFirst) {
  pool_trim(Device::kCuda);
  static_cast<void>(bytes_on_device(8 * kMebi));
  const LittleDeviceMemory little(device_bytes_handed_out());
  EXPECT_EQ(bytes_on_device(6 * kMebi).to(Device::kCpu).data<float>()[5], 3.0f);
}

TEST(OutOfDeviceMemory, AFailedOperationLeavesNothingBehind) {
  pool_trim(Device::kCuda);
  const Tensor a = Tensor::full({100, 300}, 1.0, DType::kFloat32, Device::kCuda);
  const std::int64_t in_use = pool_stats(Device::kCuda).bytes_in_use;
  {
    const LittleDeviceMemory little(0);
    error_text([&] { matmul(a, a, false, true); });
    error_text([&] { log_softmax(a); });
  }
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_in_use, in_use);
  EXPECT_EQ(matmul(a, a, false, true).to(Device::kCpu).data<float>()[0], 300.0f);
}

/// count += 1 by a step that wants 6 MiB besides.
void count_up(StepGraph& graph, const Tensor& count) {
  graph.run(0, [&] {
    static_cast<void>(bytes_on_device(6 * kMebi));
    add_integer(count, 1);
  });
}

TEST(OutOfDeviceMemory, AStepThatIsRecordedStartsAnewAfterTheCacheWasGivenBack) {
  const Tensor count = Tensor::from<std::int32_t>({0}, {1}, Device::kCuda);
  StepGraph graph(Device::kCuda);
  count_up(graph, count);
  pool_trim(Device::kCuda);
  static_cast<void>(bytes_on_device(8 * kMebi));  // kept, and of no use for 6 MiB
  const LittleDeviceMemory little(device_bytes_handed_out());
  const std::int64_t launches = StepGraph::launches();
  for (int i = 0; i < 3; ++i) count_up(graph, count);
  EXPECT_EQ(StepGraph::launches(), launches + 3);
  EXPECT_EQ(count.item(), 4) << "the step that was broken off has done nothing";
}

TEST(OutOfDeviceMemory, AStepThatIsRecordedFailsWhenThatDoesNotHelp) {
  const Tensor count = Tensor::from<std::int32_t>({0}, {1}, Device::kCuda);
  StepGraph graph(Device::kCuda);
  count_up(graph, count);
  pool_trim(Device::kCuda);
  static_cast<void>(bytes_on_device(2 * kMebi));
  const LittleDeviceMemory little(device_bytes_handed_out());
  error_text([&] { count_up(graph, count); });
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_cached, 0) << "it was tried";
  little.all();
  count_up(graph, count);
  EXPECT_EQ(count.item(), 2);
}

/// count += 1 by a step that something breaks off as long as it is recorded, at most `times` times.
class BrokenOff {
 public:
  explicit BrokenOff(int times) : left_(times) {}
  void step() {
    graph_.run(0, [&] {
      add_integer(count, 1);
      if (PoolReserve::filling() && left_ > 0) {
        --left_;
        std::thread([] { EXPECT_NE(cudaFree(nullptr), cudaSuccess); }).join();  // waits for the whole device
      }
    });
  }
  const Tensor count = Tensor::from<std::int32_t>({0}, {1}, Device::kCuda);

 private:
  StepGraph graph_ = StepGraph(Device::kCuda);
  int left_;
};

TEST(BrokenRecording, IsMadeOnceMore) {
  BrokenOff once(1);
  const std::int64_t launches = StepGraph::launches();
  for (int i = 0; i < 4; ++i) once.step();
  EXPECT_EQ(once.count.item(), 4);
  EXPECT_EQ(StepGraph::launches(), launches + 3) << "the first step is called";
}

TEST(BrokenRecording, BrokenOffAgainTheStepIsCalled) {
  BrokenOff often(3);
  const std::int64_t launches = StepGraph::launches();
  for (int i = 0; i < 6; ++i) often.step();
  EXPECT_EQ(often.count.item(), 6) << "each was done once";
  EXPECT_EQ(StepGraph::launches(), launches + 4) << "two of six were called";
}

TEST(BrokenRecording, TrimmingWaitsUntilNothingIsRecorded) {
  static_cast<void>(bytes_on_device(kMebi));
  PoolReserve reserve;
  reserve.begin();
  std::atomic<bool> trimmed = false;
  std::thread other([&] {
    pool_trim(Device::kCuda);
    trimmed = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(trimmed);
  EXPECT_GE(pool_stats(Device::kCuda).bytes_cached, kMebi);
  EXPECT_THROW(pool_trim(Device::kCuda), Error) << "it would wait for itself";
  reserve.end();
  other.join();
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_cached, 0);
}

}  // namespace
}  // namespace tapestry::tests
